"""The plot in five acts, on a terminal of 80 by 24, with real relays and the mock broker."""

import fcntl
import os
import pty
import re
import struct
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from unittest.mock import Mock, create_autospec

import pytest
from rich.console import Console

from relay.demo import run
from relay.demo.broker import BrokerProcess
from relay.demo.plot import ACTS, Act
from relay.demo.relay_process import RelayEndedError, RelayProcess
from relay.demo.run import play
from relay.demo.stage import TOPIC, Stage
from tests.support.eventually import eventually
from tests.support.postgres import Database

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
TOP = "service ─"


class Terminal:
    """A pseudo-terminal of 80 by 24, and all that was shown on it."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.shown = ""

    def screens(self) -> list[list[str]]:
        """Return the lines of each picture that was drawn."""
        pictures = CONTROL.sub("", self.shown).replace("\r", "").split("╭──────── " + TOP)[1:]
        return [picture.splitlines() for picture in pictures]


@contextmanager
def terminal() -> Iterator[Terminal]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with os.fdopen(slave, "w", encoding="utf-8") as file:
        given = Terminal(Console(file=file, width=80, height=24, _environ={"TERM": "xterm"}))
        pieces: list[bytes] = []

        def read() -> None:
            # The end of the other side is an error of input.
            while piece := _read(master):
                pieces.append(piece)

        reader = threading.Thread(target=read)
        reader.start()
        yield given
    reader.join()
    os.close(master)
    given.shown = b"".join(pieces).decode()


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65_536)
    except OSError:
        return b""


@pytest.mark.processes
def test_five_acts_on_one_screen(empty_database: Database) -> None:
    with (
        BrokerProcess(TOPIC) as broker,
        Stage(empty_database.dsn, broker, events=60, seed=1, pace=0.4) as stage,
        terminal() as screen,
    ):
        assert screen.console.is_terminal
        told = play(stage, screen.console)
        report, figures = stage.report(), stage.witness.figures()
        states = [relay.state for relay in stage.relays]
        requeued = stage.witness.connection.execute("SELECT action, reason FROM outbox_audit")
        assert requeued.fetchall() == [("requeue", "the limit was raised")]
    _tells_what_was_seen(told)
    assert states == ["killed", "stopped", "running"]
    assert (figures.waiting, figures.parked) == (0, 0)
    assert report.clean
    assert report.delivered == report.committed
    assert report.rolled_back > 0
    _fits_and_shows_all(screen.screens())


def _tells_what_was_seen(told: list[str]) -> None:
    normal, killed, away, poison, rollback = told
    assert int(_number(r"Kafka has all (\d+) messages", normal)) > 0
    assert int(_number(r"relay 2 went on with the other (\d+) messages", killed)) > 0
    assert int(_number(r"(\d+) rows waited", away)) > 0
    assert int(_number(r"was parked: (\d+) bytes .* takes 50000\. .* arrived", poison)) > 60_000
    assert rollback.startswith("3 events were written and rolled back; Kafka heard of none")


def _number(pattern: str, sentence: str) -> str:
    found = re.search(pattern, sentence)
    assert found, sentence
    return found[1]


def _fits_and_shows_all(screens: list[list[str]]) -> None:
    seen = "\n".join(line for screen in screens for line in screen)
    for wanted in ("outbox", "Kafka", "latest messages", "HostStatusUpdated", "away", "killed"):
        assert wanted in seen
    for act in ACTS:
        assert f"▶ {act.title}: {act.happens} …" in seen
    for screen in screens[:-1]:
        assert len(screen) <= 24
        assert max(map(len, screen)) <= 80


@pytest.mark.parametrize("is_terminal", [True, False], ids=["dumb", "file"])
def test_without_a_screen_each_act_is_told_as_soon_as_it_ends(
    monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool
) -> None:
    told = StringIO()
    seen: list[str] = []

    def first(_: Stage) -> str:
        return "It went well."

    def second(_: Stage) -> str:
        seen.append(told.getvalue())
        return "It ended."

    acts = (Act("One", "it begins", first), Act("Two", "it ends", second))
    monkeypatch.setattr(run, "ACTS", acts)
    console = Console(file=told, force_terminal=is_terminal, _environ={"TERM": "dumb"})
    play(create_autospec(Stage, instance=True, writers=Mock()), console)
    assert seen == ["1. One. It went well.\n"]
    assert told.getvalue() == "1. One. It went well.\n2. Two. It ended.\n"


def test_a_relay_that_ends_by_itself_is_told_with_its_log(tmp_path: Path) -> None:
    relay = RelayProcess(1, {"ENABLE_EVENT_STREAMING": "neither"}, tmp_path)

    def check() -> bool:
        relay.check()
        return False

    with pytest.raises(RelayEndedError, match=r"(?s)relay 1 ended.*ENABLE_EVENT_STREAMING"):
        eventually(check, timeout=20)
