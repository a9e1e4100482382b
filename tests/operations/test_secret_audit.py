"""`relay audit` finds secrets in the tables, and prints where they are, never their values."""

import json
from collections.abc import Callable

import pytest

from tests.support.postgres import Database
from tests.support.process import RunRelay
from tests.support.roles import member

SECRET = "hunter2hunter2"

Audit = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def exposed(database: Database) -> Database:
    """Rows that some other writer wrote without a redactor, among innocent ones."""
    pem = f"-----BEGIN PRIVATE KEY-----\n{SECRET}"
    with database.connect() as owner:
        owner.execute(
            "INSERT INTO outbox (name, payload, created_at)"
            " SELECT 'Innocent', '{\"a\": 1}', '2026-01-01' FROM generate_series(1, 250)"
        )
        owner.execute(
            "INSERT INTO outbox (name, payload, headers) VALUES ('Leaky', %s, %s)",
            (json.dumps({"a": [{"pull_secret": SECRET}, pem], pem: None}), json.dumps({"x": pem})),
        )
        owner.execute(
            "INSERT INTO outbox_event (name, severity, message, props, event_time)"
            " VALUES ('Old', 'info', %s, %s, '2026-01-01')",
            (f"postgresql://u:{SECRET}@db failed", json.dumps({"reason": "x"})),
        )
    return database


@pytest.fixture
def audit(run_relay: RunRelay) -> Audit:
    """Run `relay audit`, which never shows a secret; its exit code and the lines it prints."""

    def run(*arguments: str, environment: dict[str, str]) -> tuple[int, list[str]]:
        code, shown, said = run_relay("audit", *arguments, environment=environment).finish()
        assert SECRET not in shown + said
        return code, shown.splitlines()

    return run


def test_places_and_no_values(audit: Audit, exposed: Database) -> None:
    with member(exposed, "outbox_payload_reader") as reader:
        code, shown = audit("--json", environment={"DATABASE_URL": reader.dsn})
    *found, summary = map(json.loads, shown)
    assert code == 1
    assert [(each["table"], each["id"], each["field"]) for each in found] == [
        ("outbox", 251, "payload.a[0].pull_secret"),
        ("outbox", 251, "payload.a[1]"),
        ("outbox", 251, "payload (the name of a field)"),
        ("outbox", 251, "headers.x"),
        ("outbox_event", 1, "message"),
    ]
    assert summary == {"rows": 252, "found": 5}


def test_since_and_limit(audit: Audit, exposed: Database) -> None:
    given = {"DATABASE_URL": exposed.dsn}
    code, shown = audit("--since", "2026-06-01", environment=given)
    assert code == 1
    assert [line.split("\t")[0] for line in shown[:-1]] == ["outbox 251"] * 4
    code, shown = audit("--limit", "150", environment=given)
    assert code == 1
    assert shown[-1] == "151 rows searched; 1 fields seem to hold secrets."


def test_names_of_ones_own(audit: Audit, database: Database) -> None:
    with database.connect() as owner:
        owner.execute("INSERT INTO outbox (name, payload) VALUES ('A', '{\"bmc_pin\": \"1\"}')")
    given = {"DATABASE_URL": database.dsn}
    assert audit(environment=given)[0] == 0
    own = given | {"RELAY_REDACT_NAMES": '["bmc_pin"]'}
    assert audit(environment=own)[0] == 1
    assert audit(environment=given | {"RELAY_REDACT_NAMES": "x"})[0] == 2
