"""The commands about rows: their printout on a terminal and through a pipe, and their messages."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from relay.cli.app import app
from relay.cli.printout import rows as printout
from relay.cli.printout import tables
from relay.daemon.figures import Report
from relay.daemon.postgres.roster import Identity, Roster
from relay.errors import RelayError
from tests.support.postgres import Database

LONG = "6fd3c1a2-0000-4000-8000-000000000000/" * 4
HOLD = {"topic": "audit", "partition": None, "partitions": 0, "why": "not there"}

Relay = Callable[..., Result]


@pytest.fixture
def relay(database: Database) -> Relay:
    """Run `relay` in this process, as the owner."""

    def run(*arguments: str, **environment: str) -> Result:
        given = {"DATABASE_URL": database.dsn, "USER": "ann"} | environment
        return CliRunner().invoke(app, arguments, env=given, prog_name="relay")

    return run


@pytest.fixture
def rows(database: Database) -> None:
    """1 waits for a topic on hold; 2 is parked, with a long key; 3 is on its way."""
    with database.connect() as owner:
        owner.execute(
            "INSERT INTO outbox (name, key, topic, payload) VALUES "
            "('Event', 'a', 'audit', '{}'), ('Event', %s, NULL, '{}'), ('Event', 'c', NULL, '{}')",
            [LONG],
        )
        owner.execute(
            "UPDATE outbox SET parked_at = now(), last_error = E'too large:\\ttab' WHERE id = 2"
        )
        identity = Identity(True, "events", 60)  # noqa: FBT003
        Roster(identity).sign(owner, Report(holds=[HOLD]))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    for module in (printout, tables):
        monkeypatch.setattr(module, "console", lambda: Console(force_terminal=True, width=80))


@pytest.mark.usefixtures("rows")
def test_through_a_pipe_rows_are_tab_separated_values(relay: Relay) -> None:
    listed = relay("list")
    assert listed.exit_code == 0
    heading, *lines = [line.split("\t") for line in listed.stdout.splitlines()]
    found = [dict(zip(heading, line, strict=True)) for line in lines]
    assert [row["id"] for row in found] == ["1", "2", "3"]
    assert [row["topic"] for row in found] == ["audit", "events", "events"]
    assert found[0]["waits_for"] == "topic on hold: not there"
    assert (found[1]["key"], found[1]["error"]) == (LONG, "too large:\N{REPLACEMENT CHARACTER}tab")
    assert found[2]["waits_for"] == "-"
    chosen = relay("list", "--columns", "id,error", "--state", "parked").stdout
    assert chosen == "id\terror\n2\ttoo large:\N{REPLACEMENT CHARACTER}tab\n"
    assert json.loads(relay("list", "--json").stdout)["rows"][0]["waits_for"] == (
        "topic on hold: not there"
    )
    refused = relay("list", "--columns", "id,colour")
    assert refused.exit_code == 2
    assert "no column colour" in refused.stderr


@pytest.mark.usefixtures("rows", "terminal")
def test_on_a_terminal_no_key_is_cut_and_reasons_stand_under_their_rows(relay: Relay) -> None:
    shown = relay("list").stdout
    assert LONG in shown
    lines = shown.splitlines()
    assert lines[1].split("\x1b")[0].split()[:2] == ["1", "pending"]
    assert "topic on hold: not there" in lines[2]
    assert lines[3].startswith("\x1b[31m 2  parked")
    assert "too large:" in lines[4]
    assert "│" not in shown


@pytest.mark.usefixtures("rows")
def test_what_was_discarded_comes_back_from_its_file(relay: Relay, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    discarded = relay("discard", "2", "--save", str(file), "--reason", "test data")
    assert (discarded.exit_code, discarded.stdout) == (
        0, f"1 row saved in {file} and discarded.\n"
    )  # fmt: skip
    assert "2" not in relay("list", "--columns", "id").stdout.split()
    restored = relay("restore", str(file), "--reason", "it was none")
    assert (restored.exit_code, restored.stdout) == (0, "1 row restored.\n")
    again = relay("restore", str(file), "--reason", "it was none")
    assert isinstance(again.exception, RelayError)
    assert "1 row left unchanged (2): each was not discarded last" in str(again.exception)
    missing = relay("restore", str(tmp_path / "none"), "--reason", "none")
    assert "cannot be read" in str(missing.exception)
    lines = relay("history").stdout.splitlines()
    assert [line.split("\t")[2:] for line in lines[1:]] == [
        ["ann", "restore", "1 row (2)", "it was none"],
        ["ann", "discard", "1 row (2)", "test data"],
    ]
    newest = json.loads(relay("history", "--limit", "1", "--json").stdout)
    assert newest["changes"][0]["action"] == "restore"
    assert newest["next_before"] == newest["changes"][0]["id"]


@pytest.mark.usefixtures("rows")
def test_requeued_is_said_to_have_gone_only_if_it_went(relay: Relay) -> None:
    waited = relay("requeue", "2", "--wait", "0", "--reason", "again", "--json")
    assert waited.exit_code == 1
    told = json.loads(waited.stdout)
    assert (told["done"], told["waiting"], told["back"]) == ([2], [2], [])
    assert str(waited.exception) == "1 row not gone yet (2)."
    without = relay("requeue", "2", "--reason", "again", USER="")
    assert without.exit_code == 2
    assert "--as" in without.stderr
