import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.postgres import Database
from tests.support.service import url

SETTINGS = """
import os
from urllib.parse import urlsplit

place = urlsplit(os.environ["DATABASE_URL"])
SECRET_KEY = "tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["fleet"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": place.hostname,
        "PORT": place.port,
        "NAME": place.path.strip("/"),
        "USER": place.username,
        "PASSWORD": place.password or "",
    }
}
"""
MODELS = """
import uuid

from django.db import models


class Cluster(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.TextField()
    status = models.TextField(default="new")
    heartbeat = models.IntegerField(default=0)


class Renamed(Cluster):
    class Meta:
        proxy = True


class Host(models.Model):
    cluster = models.ForeignKey(Cluster, models.CASCADE)
    name = models.TextField()
    serial = models.DecimalField(max_digits=6, decimal_places=2, default=0)


class BareMetalHost(Host):
    rack = models.TextField()
"""
START = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.db import connection, connections, transaction
from django.db.models import F
from relay import Event, Message, Outbox, Severity
from relay.errors import *
from fleet.models import *


class Told(Event, severity=Severity.INFO, message="Told"):
    pass


with connection.schema_editor() as editor:
    for model in (Cluster, Host, BareMetalHost):
        editor.create_model(model)
outbox = Outbox(streaming=True)


def refused(kind, call, *words):
    try:
        call()
    except kind as error:
        assert all(word in str(error) for word in words), error
    else:
        raise AssertionError(f"{kind.__name__} was expected")
"""


@pytest.fixture
def run_django(database: Database, tmp_path: Path) -> Callable[[str], None]:
    """Run a program in a Django service of its own: settings are one a process."""
    (tmp_path / "settings.py").write_text(SETTINGS)
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "__init__.py").touch()
    (tmp_path / "fleet" / "models.py").write_text(MODELS)

    def run(program: str) -> None:
        done = subprocess.run(
            [sys.executable, "-c", START + program],
            env={"DATABASE_URL": url(database).render_as_string(hide_password=False)},
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    return run
