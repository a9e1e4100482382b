"""No payload, metadata, header or password in a log, a metric or on a terminal (promise 14)."""

import itertools
import json

import pytest
from psycopg import sql

from tests.support.eventually import eventually
from tests.support.metrics import get
from tests.support.outbox import Outbox, Start
from tests.support.postgres import Database
from tests.support.process import RunRelay
from tests.support.roles import member

MARK = "xyzzy-plugh"
VALUE = json.dumps({"said": MARK})
# Larger than what a topic takes, with the mark at either end.
LARGE = json.dumps({"said": MARK, "filling": "x" * 2_000_000, "again": MARK})

# What happens to a row, and how it is written.
ROWS = {
    "delivered": {},
    "too large": {"payload": LARGE},
    "of a missing topic": {"topic": "no-such-topic"},
}
OLD_ROWS = {
    "a header with a NUL": {"headers": rf'{{"a\u0000b": "{MARK}"}}'},
    "a header that is no text": {"headers": f'{{"a": ["{MARK}"]}}'},
}

COMMANDS = [
    ["status"],
    ["doctor"],
    ["check"],
    ["list"],
    ["list", "--parked"],
    ["show", "1"],
    ["audit"],
    ["requeue", "--all", "--reason", "test", "--dry-run"],
    ["discard", "--all", "--reason", "test", "--dry-run"],
]


@pytest.fixture
def rows(outbox: Outbox) -> None:
    """A row for each thing that can happen to it."""
    for name, columns in ROWS.items():
        write(outbox, name, columns)
    with outbox.as_version_1():
        for name, columns in OLD_ROWS.items():
            write(outbox, name, columns)


def write(outbox: Outbox, name: str, columns: dict[str, str]) -> None:
    given = {
        "name": name,
        "payload": VALUE,
        "metadata": VALUE,
        "headers": VALUE,
    } | columns
    outbox.connection.execute(
        sql.SQL("INSERT INTO outbox ({}) VALUES ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, given)),
            sql.SQL(", ").join(map(sql.Placeholder, given)),
        ),
        given,
    )


@pytest.mark.usefixtures("rows")
def test_whatever_happens_to_a_row_nobody_tells_what_is_in_it(
    outbox: Outbox, relay: Start, run_relay: RunRelay, environment: dict[str, str],
    database: Database,
) -> None:  # fmt: skip
    process = relay(RELAY_LOG_LEVEL="debug", RELAY_SAMPLE_SECONDS="0.2")
    left = "parked_at IS NULL AND topic IS NULL"
    eventually(lambda: outbox.count(left) == 0, what="each row is delivered or parked")
    process.wait_for_log("no-such-topic")
    parked = outbox.count("parked_at IS NOT NULL")
    assert parked >= 3
    _, metrics = get(process, "/metrics")
    assert process.terminate() == 0
    said = {"relay run": process.output, "metrics": metrics}
    with member(database, "outbox_operator") as operator:
        given = environment | {"DATABASE_URL": operator.dsn, "USER": "ann"}
        for command, form in itertools.product(COMMANDS, ([], ["--json"])):
            done = run_relay(*command, *form, environment=given)
            done.finish()
            said[" ".join(["relay", *command, *form])] = done.output
    assert all(said.values()), {name for name, output in said.items() if not output}
    assert {name for name, output in said.items() if MARK in output} == set()
    with outbox.connection.cursor() as cursor:
        errors = cursor.execute("SELECT last_error FROM outbox WHERE parked_at IS NOT NULL")
        assert MARK not in str(errors.fetchall())
