"""The example of docs/django.md, run as it stands there: migrations, models and its own test."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.django.conftest import SETTINGS
from tests.support.postgres import Database
from tests.support.repository import ROOT
from tests.support.service import Stored, url

BULK = """
import django
django.setup()
from django.db import connection, transaction
from fleet.models import Cluster, outbox
with transaction.atomic():
    Cluster.objects.create(name="north", pull_secret="hidden")
"""


@pytest.mark.processes
def test_the_example_migrates_publishes_and_tests(empty_database: Database, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "django.md").read_text(encoding="utf-8")
    outbox, models, migration, bulk, tests = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    files = {
        "settings.py": SETTINGS,
        "fleet/__init__.py": "",
        "fleet/outbox.py": outbox,
        "fleet/models.py": models,
        "fleet/migrations/__init__.py": "",
        "fleet/migrations/0001_initial.py": migration,
        "fleet/tests.py": tests,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for command in (
        ["-m", "django", "migrate"],
        ["-m", "django", "makemigrations", "--check"],
        ["-m", "django", "test"],
        ["-c", BULK + bulk],
    ):
        done = subprocess.run(
            [sys.executable, *command],
            env={
                "DATABASE_URL": url(empty_database).render_as_string(hide_password=False),
                "DJANGO_SETTINGS_MODULE": "settings",
            },
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    states = Stored(empty_database).payloads("ClusterState")
    assert [state["status"] for state in states] == ["installing", "ready"]
    assert "pull_secret" not in states[0]
