"""The demo: everything real but the broker, and an account of what arrived."""

import json as json_text
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import create_engine

from relay.database.migration import migrate
from relay.demo.broker import MockBroker
from relay.demo.consumer import RunningConsumer
from relay.demo.history import Written, judge
from relay.demo.installation import Base, Installation, track
from relay.demo.postgres import EmbeddedPostgres
from relay.demo.report import Report
from relay.errors import RelayError
from relay.service.outbox import Outbox

TOPIC: Final = "events-stream"
CLUSTERS: Final = 6
DELIVERY_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05
_REPLAY: Final = "relay replay --since 2026-01-01 --outbox relay.demo.tracked:outbox --dry-run"

# What each transaction wrote to the outbox, kept by that transaction itself: the truth to compare
# with, however it ends.
_WITNESS: Final = """
CREATE TABLE demo_written (seq bigint, event_id uuid, key text);
CREATE FUNCTION demo_witness() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO demo_written VALUES (NEW.id, NEW.event_id, NEW.key);
    RETURN NULL;
END
$$;
CREATE TRIGGER demo_witness AFTER INSERT ON outbox
    FOR EACH ROW EXECUTE FUNCTION demo_witness();
"""


class RelayEndedError(RelayError):
    """The relay process ended although nobody asked it to."""


def demo(*, events: int, json: bool, seed: int | None, keep: bool = False) -> int:
    """Relay about *events* messages of a simulated installation; return 0 if all is well.

    The same *seed* repeats an installation; without one it is drawn, and shown with the report.
    With *json* the last line of standard output is the report as one object. *keep*: then leave the
    servers and a relay running until SIGINT or SIGTERM.
    """
    console = Console(stderr=json)
    seed = random.randrange(1_000_000) if seed is None else seed  # noqa: S311 - a simulation
    with EmbeddedPostgres() as postgres, MockBroker() as broker:
        broker.create(TOPIC)
        migrate(postgres.dsn())
        environment = _environment(postgres, broker)
        with _relay(environment) as process:
            report = _relayed(console, postgres, broker, events, seed, process, quiet=json)
        if json:
            sys.stdout.write(json_text.dumps(report.as_dict()) + "\n")
        else:
            console.print(_table(report, seed))
        if keep:
            with _relay(environment):
                _keep(console, "Everything", environment, _REPLAY)
    return 0 if report.clean else 1


def servers() -> None:
    """Leave an empty PostgreSQL and a broker running until SIGINT or SIGTERM; print where."""
    with EmbeddedPostgres() as postgres, MockBroker() as broker:
        broker.create(TOPIC)
        _keep(Console(), "An empty PostgreSQL and a broker", _environment(postgres, broker))


def _environment(postgres: EmbeddedPostgres, broker: MockBroker) -> dict[str, str]:
    """Return what leads a relay to the two servers."""
    return {
        "DATABASE_URL": postgres.dsn(),
        "KAFKA_BOOTSTRAP_SERVER": broker.bootstrap,
        # The mock broker knows no DescribeConfigs.
        "RELAY_MAX_MESSAGE_BYTES": "1000000",
        "ENABLE_EVENT_STREAMING": "true",
        "KAFKA_EVENT_STREAM_TOPIC": TOPIC,
    }


def _keep(console: Console, what: str, environment: Mapping[str, str], *examples: str) -> None:
    """Say how to reach *what*, in lines that a shell can read, and wait for the end."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    for line in (
        f"# {what}, running until Ctrl-C. In each other terminal:",
        *(f"export {name}={value}" for name, value in environment.items()),
        *examples,
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    ended.wait()


def _relayed(
    console: Console,
    postgres: EmbeddedPostgres,
    broker: MockBroker,
    events: int,
    seed: int,
    process: subprocess.Popen[bytes],
    *,
    quiet: bool,
) -> Report:
    def show(value: str) -> None:
        if not quiet:
            console.print(value, markup=False, highlight=False, soft_wrap=True)

    with (
        RunningConsumer(broker.bootstrap, TOPIC, show) as consumer,
        psycopg.connect(postgres.dsn(), autocommit=True) as witness,
        _progress(console) as progress,
    ):
        witness.execute(_WITNESS)
        task = progress.add_task("relayed", total=events)
        rolled_back = _install(postgres, witness, events, seed)
        written = [Written(*row) for row in witness.execute(
            "SELECT seq, event_id::text, key FROM demo_written"
        )]  # fmt: skip
        wanted = {row.event_id for row in written}
        progress.update(task, total=len(wanted))
        gives_up_at = time.monotonic() + DELIVERY_SECONDS
        while wanted - {message.event_id for message in consumer.read}:
            progress.update(task, completed=len(consumer.read))
            if time.monotonic() > gives_up_at:
                break
            if process.poll() is not None:
                raise RelayEndedError(f"the relay ended with exit code {process.returncode}")
            time.sleep(_POLL_SECONDS)
        progress.update(task, completed=len(consumer.read))
        _end(process)
    return Report.of(judge(written, consumer.read), rolled_back)


def _install(
    postgres: EmbeddedPostgres, witness: psycopg.Connection, events: int, seed: int
) -> int:
    """Run concurrent installations until *events* rows are committed; return the rollbacks."""
    engine = create_engine(postgres.dsn().replace("postgresql://", "postgresql+psycopg://", 1))
    Base.metadata.create_all(engine)
    outbox = Outbox(streaming=True)
    track(outbox)
    installations = [Installation(engine, outbox, seed * CLUSTERS + n) for n in range(CLUSTERS)]

    def committed() -> int:
        row = witness.execute("SELECT count(*) FROM demo_written").fetchone()
        return int(row[0]) if row else 0

    def round_of(installation: Installation) -> None:
        for _ in range(4):
            installation.step()

    with ThreadPoolExecutor(CLUSTERS) as threads:
        list(threads.map(Installation.register, installations))
        while committed() < events:
            list(threads.map(round_of, installations))
    outbox.close()
    engine.dispose()
    return sum(installation.rolled_back for installation in installations)


@contextmanager
def _relay(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        **environment,
        "RELAY_METRICS_HOST": "127.0.0.1",
        "RELAY_METRICS_PORT": "0",
        "RELAY_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "relay", "run"]
    process = subprocess.Popen(command, env=environment)
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def _table(report: Report, seed: int) -> Table:
    table = Table(title=f"What was committed, and what a consumer read (seed {seed})")
    for name in report.as_dict():
        table.add_column(name.replace("_", " "), justify="right")
    table.add_row(*(str(count) for count in report.as_dict().values()))
    return table
