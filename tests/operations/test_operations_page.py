"""The plain SQL of docs/operations.md, run by users who have just the role that it names."""

import re

import pytest

from tests.support.incidents import is_documented
from tests.support.postgres import Database
from tests.support.repository import ROOT
from tests.support.roles import member

PAGE = ROOT / "docs" / "operations.md"
BLOCKS = re.findall(r"```sql\n-- as (\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture
def rows(database: Database) -> None:
    """The rows that the examples are about: 1 and 2 parked, 3 pending."""
    with database.connect() as owner:
        owner.execute(
            "INSERT INTO outbox (name, key, topic, payload) VALUES "
            "('Event', 'a', 'audit', '{}'), ('Event', 'b', 'audit', '{}'), "
            "('Event', 'the key', NULL, '{}')"
        )
        owner.execute("UPDATE outbox SET parked_at = now(), last_error = 'bad' WHERE id < 3")


def test_there_is_an_example_for_each_role() -> None:
    assert [role for role, _ in BLOCKS] == [
        "outbox_reader",
        "outbox_operator",
        "outbox_payload_reader",
    ]


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(("role", "script"), BLOCKS, ids=[role for role, _ in BLOCKS])
def test_the_role_is_enough(database: Database, role: str, script: str) -> None:
    with member(database, role) as user, user.connect() as connection:
        for statement in filter(None, map(str.strip, script.split(";"))):
            connection.execute(statement.encode())


@pytest.mark.usefixtures("rows")
def test_what_the_operators_example_does(database: Database) -> None:
    script = dict(BLOCKS)["outbox_operator"]
    with member(database, "outbox_operator") as user, user.connect() as connection:
        connection.execute(script.encode())
    with database.connect() as owner:
        left = owner.execute("SELECT id, parked_at FROM outbox ORDER BY id").fetchall()
        paused = owner.execute("SELECT count(*) FROM outbox_shard WHERE paused_at IS NOT NULL")
        assert left == [(1, None), (2, None)]
        assert paused.fetchone() == (0,)
        actions = owner.execute("SELECT action, count(*) FROM outbox_audit GROUP BY 1 ORDER BY 1")
        assert actions.fetchall() == [("discard", 1), ("pause", 65), ("requeue", 2), ("resume", 65)]


def test_each_section_of_the_runbook_begins_with_its_command() -> None:
    sections = re.split(r"\n### (Outbox\w+)\n\n", PAGE.read_text())[1:]
    for name, text in zip(sections[::2], sections[1::2], strict=True):
        assert text.startswith("```console\n$ relay "), name
        block, _, next_steps = text.removeprefix("```console\n").partition("\n```\n")
        assert next_steps.strip(), f"{name}: what is to be done next?"
        for line in block.splitlines():
            if line.startswith(("failed  ", "warning ")):
                assert is_documented(line[8:]), f"{name}: {line}"
