"""`relay events`: the catalogue of a service."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from relay.cli.app import app
from relay.errors import EventDefinitionError

MODULE = '''
from relay import Event, Scope, Severity

class HostBooted(Event, severity=Severity.INFO, message="Host {host_name} | up", scope=Scope.HOST):
    """A host is up."""

    host_name: str
    up: bool = True

class Base(Event):
    pass

class Refused(
    Base, severity=Severity.ERROR, message="Refused", name="install_refused",
    remedy="Try again.", details=["answer"],
):
    answer: dict[str, object]
'''
YAML = """
- {name: cluster_failed, message: It failed, event_type: cluster, severity: error}
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"service_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    (tmp_path / "events.yaml").write_text(YAML)
    monkeypatch.chdir(tmp_path)
    return name


def test_for_programs(module: str) -> None:
    result = CliRunner().invoke(app, ["events", module, "--json"])
    assert json.loads(result.stdout) == {
        "events": [
            {
                "name": "HostBooted",
                "severity": "info",
                "category": "user",
                "scope": "host",
                "template": "Host {host_name} | up",
                "fields": {"host_name": "str", "up": "bool"},
                "details": [],
                "description": "A host is up.",
                "broken_rules": [],
            },
            {
                "name": "install_refused",
                "severity": "error",
                "category": "user",
                "scope": "cluster",
                "template": "Refused. Try again.",
                "fields": {"answer": "dict[str, object]"},
                "details": ["answer"],
                "description": None,
                "broken_rules": [],
            },
        ]
    }


def test_for_people(module: str) -> None:
    result = CliRunner().invoke(app, ["events", module])
    (line,) = (line for line in result.stdout.splitlines() if "HostBooted" in line)
    for shown in ("info", "host", "Host {host_name} | up", "host_name: str, up: bool"):
        assert shown in line


def test_for_documentation(module: str) -> None:
    result = CliRunner().invoke(app, ["events", module, "--markdown"])
    assert result.stdout.splitlines()[:3] == [
        "| name | severity | scope | message | fields |",
        "| --- | --- | --- | --- | --- |",
        r"| HostBooted | info | host | Host {host_name} \| up | host_name: str, up: bool |",
    ]


def test_a_yaml_file(module: str) -> None:
    result = CliRunner().invoke(app, ["events", module, "events.yaml"])
    assert result.exit_code == 0
    assert "cluster_failed" in result.stdout
    assert "warning: cluster_failed: a severity of error needs a remedy" in result.stderr
    assert CliRunner().invoke(app, ["events", "events.yaml", "--strict"]).exit_code == 1


def test_a_file_with_faults(module: str) -> None:
    Path("events.yaml").write_text(f"x-events:\n- {{name: bad}}\n{YAML.strip()}\n")
    result = CliRunner().invoke(app, ["events", "events.yaml"])
    assert isinstance(result.exception, EventDefinitionError)
    assert "line 2: bad: message: Field required" in str(result.exception)
    result = CliRunner().invoke(app, ["events", module, "events.yaml", "--keep-going"])
    assert result.exit_code == 0
    assert "cluster_failed" in result.stdout
    assert "relay: warning: events.yaml: line 2: bad: message: Field required" in result.stderr
    strict = ["events", "events.yaml", "--keep-going", "--strict"]
    assert CliRunner().invoke(app, strict).exit_code == 1


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("no_such_module", "no_such_module cannot be imported"),
        ("json", "json defines no event"),
        ("nowhere.yaml", "No such file"),
    ],
)
def test_what_is_no_catalogue(module: str, source: str, fault: str) -> None:
    result = CliRunner().invoke(app, ["events", module, source])
    assert isinstance(result.exception, EventDefinitionError)
    assert fault in str(result.exception)


def test_two_forms_at_once(module: str) -> None:
    assert CliRunner().invoke(app, ["events", module, "--json", "--markdown"]).exit_code == 2
