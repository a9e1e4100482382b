"""Incidents of an outbox: what makes them, what `relay doctor` says, and what the runbook has."""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import psycopg

from relay.daemon.figures import Report
from relay.daemon.postgres.roster import Identity, Roster
from relay.database.session import connected
from relay.operations.findings import Finding
from relay.operations.outlook import Outlook, Thresholds, look
from tests.support.postgres import Database
from tests.support.repository import ROOT

SOON = Thresholds(lag=60, writer=0, lease=60, blocked=0)
PAGE = ROOT / "docs" / "operations.md"
# Moments, ages, ids and numbers differ from run to run.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
_AGE = re.compile(r"\d[\d.]* (s|min|h|d)\b")
_NUMBER = re.compile(r"\d[\d,]*")


def see(database: Database, thresholds: Thresholds = SOON) -> Outlook:
    with connected(database.dsn, "test") as connection:
        return look(connection, thresholds)


def the(outlook: Outlook, code: str) -> Finding:
    (finding,) = [each for each in outlook.findings if each.code == code]
    return finding


def codes(outlook: Outlook) -> set[str]:
    return {finding.code for finding in outlook.findings}


def statement(finding: Finding) -> bytes:
    """Return what the command has psql do."""
    program, _, option, sql = shlex.split(finding.command or "")
    assert (program, option) == ("psql", "-c")
    return sql.encode()


@contextmanager
def session(database: Database, application: str) -> Iterator[psycopg.Connection]:
    connection = psycopg.connect(f"{database.dsn}?application_name={application}")
    try:
        yield connection
    finally:
        connection.close()


def sign(database: Database, report: Report, *, on: bool = True, name: str = "relay-a") -> Roster:
    """Give the sign of life of a relay; with the roster it may say more."""
    roster = Roster(Identity(on, "events", 60, name=name))
    with database.connect() as connection:
        roster.sign(connection, report)
    return roster


def written(
    database: Database, key: str = "k", age_seconds: int = 0, topic: str | None = None
) -> int:
    """Write one row; return its shard."""
    with database.connect() as writer:
        row = writer.execute(
            "INSERT INTO outbox (name, key, topic, payload, created_at) VALUES ('Event', %s, %s, "
            '\'{"secret": "swordfish"}\', clock_timestamp() - make_interval(secs => %s)) '
            "RETURNING shard",
            [key, topic, age_seconds],
        ).fetchone()
    assert row is not None
    return int(row[0])


def assert_documented(finding: Finding, database: Database) -> None:
    """Assert that the runbook's table has this line of doctor, and the command that mends it."""
    assert finding.outcome in {"failed", "warning"}
    told = f"{finding.subject}: {finding.detail}"
    found = tuple(_masked(text, database) for text in (told, finding.command or ""))
    documented = _documented().get(finding.code, [])
    assert found in documented, f"{finding.code}: {told}\n$ {finding.command}"


@cache
def _documented() -> dict[str, list[tuple[str, str]]]:
    """Return lines and commands of the table of incidents, by code."""
    found: dict[str, list[tuple[str, str]]] = {}
    section = PAGE.read_text(encoding="utf-8").partition("\n### Incidents\n")[2]
    for line in section.partition("\n### ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 4 and cells[1].startswith("`"):
            told, command = cells[2], cells[3].removeprefix("`").removesuffix("`")
            found.setdefault(cells[1].strip("`"), []).append((_masked(told), _masked(command)))
    return found


def _masked(text: str, database: Database | None = None) -> str:
    if database is not None:
        text = text.replace(f"user {database.user}", "user app")
        text = text.replace(database.name, "service").replace(f"of {database.user},", "of app,")
    return _NUMBER.sub("N", _AGE.sub("AGE", _MOMENT.sub("TIME", text)))


def is_documented(told: str) -> bool:
    """Return whether the table has this line of doctor, which an incident's test compares."""
    lines = {line for rows in _documented().values() for line, _ in rows}
    return _masked(told) in lines
