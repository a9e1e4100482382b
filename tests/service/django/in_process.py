"""A connection of Django within the process of the tests, for one database of theirs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.support.postgres import Database
from tests.support.service import WRITER


@contextmanager
def django_connection(database: Database) -> Iterator[Any]:
    """Yield the connection "default" to *database*, as a mere writer of the outbox."""
    import django  # noqa: PLC0415 - other tests prove that nothing else imports it
    from django.conf import settings  # noqa: PLC0415

    if not settings.configured:
        # Our event loop is idle while Django works.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        settings.configure(
            USE_TZ=True,
            INSTALLED_APPS=["tests.service.django.fleet"],
            DATABASES={"default": {"ENGINE": "django.db.backends.postgresql"}},
        )
        django.setup()
    from django.db import connections  # noqa: PLC0415

    place = urlsplit(database.dsn)
    connections.settings["default"].update(
        HOST=place.hostname,
        PORT=place.port,
        NAME=database.name,
        USER=place.username,
        PASSWORD=place.password or "",
        OPTIONS={"options": f"-c role={WRITER}"},
    )
    # One transaction may be open beside another.
    former = connections["default"]
    opened = connections["default"] = connections.create_connection("default")
    try:
        yield opened
    finally:
        opened.close()
        connections["default"] = former
