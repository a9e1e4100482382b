"""The screen of `relay top`: views, the cursor, and actions with their reasons, key by key."""

from collections.abc import Iterator

import pytest

from relay.cli.top.keyboard import keys
from relay.cli.top.looks import Look, Looks
from relay.cli.top.screen import VIEWS, Screen
from relay.daemon.figures import Report
from relay.database.session import Connection
from tests.support.incidents import sign
from tests.support.postgres import Database


@pytest.fixture
def looks(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Looks]:
    """Looks at an outbox with one row that waits and two that are parked, the newest with id 3."""
    monkeypatch.setenv("DATABASE_URL", database.dsn)
    sign(database, Report())
    with database.connect() as owner:
        owner.execute(
            "INSERT INTO outbox (name, key, payload) SELECT 'Event', repeat('key', n * 20), '{}' "
            "FROM generate_series(1, 3) AS n"
        )
        owner.execute(
            "UPDATE outbox SET parked_at = now() + make_interval(secs => id), "
            "last_error = 'too large' WHERE id > 1"
        )
    looks = Looks()
    looks.take()
    yield looks
    looks.close()


def shown(screen: Screen, looks: Looks, width: int = 80, height: int = 24) -> list[str]:
    lines = [line.plain for line in screen.lines(last(looks), width, height, looks.fault)]
    assert len(lines) == height
    assert max(map(len, lines)) <= width
    return lines


def last(looks: Looks) -> Look:
    assert looks.last is not None
    return looks.last


def press(screen: Screen, looks: Looks, *pressed: str) -> None:
    for key in pressed:
        screen.press(key, last(looks), looks.connection)


def never() -> Connection:
    raise AssertionError("nobody asked for a change")


def test_every_view_fits_the_smallest_terminal(looks: Looks) -> None:
    screen = Screen("ann")
    lines: list[str] = []
    for key, view in VIEWS.items():
        screen.press(key, last(looks), never)
        assert screen.view == view
        lines = shown(screen, looks)
        assert lines[0].startswith("Yes: 1 row waits")
        assert lines[-1].startswith("q quit  n now s shards p parked k keys t topics r relays")
        assert "…" not in lines[-1]
        shown(screen, looks, width=140, height=50)
    assert "relay-a" in "\n".join(lines)


def test_a_row_is_requeued_for_a_reason_that_is_typed(looks: Looks, database: Database) -> None:
    screen = Screen("ann")
    press(screen, looks, "p", "down")
    assert shown(screen, looks)[-2] == "too large"
    press(screen, looks, "R", *"agane", "backspace", "backspace")
    assert shown(screen, looks)[-2] == "Reason to requeue row 2: aga_"
    press(screen, looks, *"in", "enter")
    assert shown(screen, looks)[-2] == "Row 2 requeued."
    with database.connect() as owner:
        audit = owner.execute("SELECT action, person, reason, outbox_id FROM outbox_audit")
        assert audit.fetchall() == [("requeue", "ann", "again", 2)]


def test_a_shard_is_paused_and_resumed(looks: Looks) -> None:
    screen = Screen("ann")
    press(screen, looks, "s", "down", "down", "down", "up", "P", *"its consumer", "enter")
    assert screen.said == "Shard 2 paused."
    looks.take()
    assert any("by ann: its consumer" in line for line in shown(screen, looks))
    press(screen, looks, "U", *"it is back", "enter")
    assert screen.said == "Shard 2 resumed."
    press(screen, looks, "U", *"again", "enter")
    assert screen.said == "Shard 2 left unchanged."


def test_a_row_is_discarded(looks: Looks, database: Database) -> None:
    screen = Screen("ann")
    press(screen, looks, "p", "D", *"test data", "enter")
    assert screen.said == "Row 3 discarded."
    with database.connect() as owner:
        assert owner.execute("SELECT count(*) FROM outbox").fetchone() == (2,)


@pytest.mark.parametrize("pressed", [["escape"], ["enter"], ["backspace", "enter"]])
def test_without_a_reason_nothing_is_changed(looks: Looks, pressed: list[str]) -> None:
    screen = Screen("ann")
    for key in ("p", "D", *pressed):
        screen.press(key, last(looks), never)
    assert screen.said == ("Nothing was changed." if pressed == ["escape"] else "")


def test_nobody_changes_anything_without_a_name(looks: Looks) -> None:
    screen = Screen(None)
    for key in ("p", "D"):
        screen.press(key, last(looks), never)
    assert screen.question is None
    assert "--as" in screen.said


def test_growth_is_told_from_the_second_look_on(looks: Looks, database: Database) -> None:
    assert last(looks).growth is None
    with database.connect() as writer:
        writer.execute("INSERT INTO outbox (name, payload) VALUES ('Event', '{}')")
    looks.take()
    growth = last(looks).growth
    assert growth is not None
    assert growth > 0
    assert any("pending   2 (+" in line for line in shown(Screen("ann"), looks))


def test_a_database_that_is_away_is_told_and_asked_again(
    looks: Looks, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    looks.close()
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/none")
    looks.take()
    assert shown(Screen("ann"), looks)[-2].startswith("PostgreSQL cannot be used")
    monkeypatch.setenv("DATABASE_URL", database.dsn)
    looks.take()
    assert looks.fault is None


def test_keys_are_read_as_terminals_send_them() -> None:
    assert keys("a\x1b[A\x1bOB\r\x7f\x1bq") == [
        "a", "up", "down", "enter", "backspace", "escape", "q",
    ]  # fmt: skip
