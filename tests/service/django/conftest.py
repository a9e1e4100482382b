import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Client
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.postgres import Database
from tests.support.process import ProcessUnderTest
from tests.support.repository import ROOT
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


class Device(models.Model):
    device = models.AutoField(primary_key=True)
    port = models.IntegerField(default=0)


class Switch(Host, Device):
    pass


class Router(Switch):
    routes = models.IntegerField(default=0)
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
    for model in (Cluster, Host, BareMetalHost, Device, Switch, Router):
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


@pytest.fixture(scope="session")
def forking_service() -> Iterator[str]:
    """The address of a process that runs programs of Django services."""
    command = [sys.executable, "-m", "tests.service.django.programs"]
    with ProcessUnderTest(command, {"PYTHONPATH": str(ROOT)}) as process:
        eventually(lambda: process.stdout)
        yield process.stdout[0]


@pytest.fixture
def run_django(database: Database, tmp_path: Path, forking_service: str) -> Callable[[str], None]:
    """Run a program in a Django service of its own: settings are one a process."""
    (tmp_path / "settings.py").write_text(SETTINGS)
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "__init__.py").touch()
    (tmp_path / "fleet" / "models.py").write_text(MODELS)

    def run(program: str) -> None:
        given = {"DATABASE_URL": url(database).render_as_string(hide_password=False)}
        with Client(forking_service) as connection:
            connection.send((str(tmp_path), given, START + program))
            said = connection.recv()
        assert not said, said

    return run
