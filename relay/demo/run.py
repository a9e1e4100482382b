"""The demo: a plot in five acts with real processes, and the proof of what arrived."""

import json as json_text
import random
import signal
import sys
from contextlib import AbstractContextManager, ExitStack

from rich.console import Console
from rich.table import Table

from relay.demo.broker import BrokerProcess, BrokerStartError
from relay.demo.kafka import KafkaProcess, libraries
from relay.demo.keeping import keep_running, serve_console
from relay.demo.plot import ACTS, TIGHT_LIMIT
from relay.demo.postgres import EmbeddedPostgres
from relay.demo.report import Report
from relay.demo.screen import shown
from relay.demo.stage import TOPIC, Broker, Stage, environment

_PACE_SECONDS = 2.5
_STARTING = "Starting PostgreSQL and a broker"
_REPLAY = "relay replay --since 2026-01-01 --outbox relay.demo.tracked:outbox --dry-run"
_NEXT = """
relay demo --console  the same, then the console in a browser until Ctrl-C
relay demo --keep     the same, left running for relay top and others
docs/tutorial.md      from an empty folder to an event of your own on Kafka"""


def demo(
    *,
    events: int,
    json: bool,
    seed: int | None,
    keep: bool = False,
    console: bool = False,
    pace: float = _PACE_SECONDS,
) -> int:
    """Play the five acts with about *events* messages; return 0 if all is well.

    The same *seed* repeats an installation; without one it is drawn, and shown with the report.
    *json*: no faults, and the last line of standard output is the report as one object. *keep* and
    *console*: then leave everything running until SIGINT or SIGTERM, with the console. *pace*: the
    seconds that each act takes on a terminal.
    """
    terminal = Console(stderr=json)
    seed = random.randrange(1_000_000) if seed is None else seed  # noqa: S311 - a simulation
    watched = _has_screen(terminal) and not json
    pace = pace if watched else 0.0
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Nothing that was started survives a closed terminal.
        signal.signal(number, _end_on)
    with ExitStack() as opened:
        if not _has_screen(terminal):
            terminal.print(f"{_STARTING} …")
        with terminal.status(_STARTING):
            # The broker's process starts while PostgreSQL does.
            starting = _starting_broker(watched=watched)
            dsn = opened.enter_context(EmbeddedPostgres()).dsn()
            broker = _started(starting, opened)
            stage = Stage(dsn, broker, events=events, seed=seed, pace=pace)
            opened.enter_context(stage)
        if json:
            _without_faults(stage)
        else:
            play(stage, terminal)
        report = stage.report()
        _tell(report, seed, terminal, as_json=json)
        if console:
            opened.enter_context(serve_console(stage, terminal))
        if keep or console:
            stage.witness.leave()
            keep_running(terminal, "Everything", stage.environment, _REPLAY)
        elif not json:
            terminal.print(_NEXT, markup=False, highlight=False)
    return 0 if report.clean else 1


def servers() -> None:
    """Leave an empty PostgreSQL and a broker running until SIGINT or SIGTERM; print where."""
    with EmbeddedPostgres() as postgres, BrokerProcess(TOPIC) as broker:
        what = "An empty PostgreSQL and a broker"
        keep_running(Console(), what, environment(postgres.dsn(), broker))


def _starting_broker(*, watched: bool) -> AbstractContextManager[Broker]:
    """Begin to start Apache Kafka where it is at hand and somebody watches, else the mock."""
    jars = libraries() if watched else None
    return KafkaProcess(TOPIC, jars) if jars else BrokerProcess(TOPIC)


def _started(starting: AbstractContextManager[Broker], opened: ExitStack) -> Broker:
    try:
        return opened.enter_context(starting)
    except BrokerStartError:
        # A Java or jars that do not fit are no reason to show nothing.
        return opened.enter_context(BrokerProcess(TOPIC))


def _end_on(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def _without_faults(stage: Stage) -> None:
    stage.writers.register()
    stage.add_relay()
    stage.write(1.0)
    stage.until_delivered()


def play(stage: Stage, terminal: Console) -> list[str]:
    """Play all acts, on a terminal as one screen; return what was told of each."""
    for _ in range(2):
        stage.add_relay(RELAY_MAX_MESSAGE_BYTES=TIGHT_LIMIT)
    stage.writers.register()
    told: list[str] = []
    with ExitStack() as showing:
        if _has_screen(terminal):
            told = showing.enter_context(shown(stage, terminal)).told
        for number, act in enumerate(ACTS, 1):
            told.append(act.play(stage))
            if not _has_screen(terminal):
                _say(terminal, number, told[-1])
        stage.linger()
    if _has_screen(terminal):
        for number, sentence in enumerate(told, 1):
            _say(terminal, number, sentence)
    return told


def _has_screen(terminal: Console) -> bool:
    """Tell whether *terminal* can be drawn on, and is no file, pipe or dumb terminal."""
    return terminal.is_terminal and not terminal.is_dumb_terminal


def _say(terminal: Console, number: int, sentence: str) -> None:
    line = f"{number}. {ACTS[number - 1].title}. {sentence}"
    terminal.print(line, markup=False, highlight=False, soft_wrap=not terminal.is_terminal)


def _tell(report: Report, seed: int, terminal: Console, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json_text.dumps(report.as_dict()) + "\n")
        return
    table = Table(title=f"What was committed, and what a consumer read (seed {seed})")
    for name in report.as_dict():
        table.add_column(name.replace("_", " "), justify="right")
    if report.duplicates:
        table.caption = "Copies came from the kill alone; consumers tell them by the header id."
    table.add_row(*(str(count) for count in report.as_dict().values()))
    terminal.print(table)
