"""`relay top` under a real terminal, and where there is none."""

import subprocess
import uuid
from collections.abc import Callable, Iterator

import pytest

from relay.daemon.figures import Report
from tests.support.eventually import eventually
from tests.support.incidents import sign, written
from tests.support.postgres import Database
from tests.support.process import RELAY, RunRelay
from tests.support.requirements import program

Tmux = Callable[..., str]


@pytest.fixture
def tmux() -> Iterator[Tmux]:
    """A tmux server of its own, with one window of 80 columns and 24 lines."""
    terminals = program("tmux", package="tmux")
    socket = f"relay-test-{uuid.uuid4().hex[:8]}"

    def call(*arguments: str) -> str:
        done = subprocess.run(
            [terminals, "-f", "/dev/null", "-L", socket, *arguments],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout

    yield call
    subprocess.run([terminals, "-L", socket, "kill-server"], check=False, capture_output=True)


def test_a_person_looks_pauses_a_shard_and_leaves(database: Database, tmux: Tmux) -> None:
    written(database)
    sign(database, Report())
    command = f"env DATABASE_URL={database.dsn} USER=ann {RELAY} top --every 0.2; echo left; cat"
    tmux("new-session", "-d", "-x", "80", "-y", "24", command)

    def sees(text: str) -> None:
        eventually(lambda: text in tmux("capture-pane", "-p"), timeout=30, what=text)

    sees("Yes: 1 row waits")
    assert "shards    " in tmux("capture-pane", "-p")
    tmux("send-keys", "s", "Down", "P")
    sees("Reason to pause shard 1:")
    tmux("send-keys", "its consumer", "Enter")
    sees("Shard 1 paused.")
    sees("by ann: its consumer")
    tmux("send-keys", "q")
    sees("left")
    assert "q quit" not in tmux("capture-pane", "-p"), "the screen is what it was before"
    with database.connect() as owner:
        audit = owner.execute("SELECT action, person, reason FROM outbox_audit").fetchall()
    assert audit == [("pause", "ann", "its consumer")]


def test_without_a_terminal_it_is_a_line_at_each_look(
    database: Database, run_relay: RunRelay
) -> None:
    written(database)
    process = run_relay("top", "--every", "0.2", environment={"DATABASE_URL": database.dsn})
    eventually(lambda: len(process.stdout) >= 2, timeout=30)
    for line in process.stdout:
        assert " no: 1 pending, oldest " in line
        assert line.endswith(" 0 rows/s, 0 parked, 0 relays")
