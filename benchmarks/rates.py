"""CPU of a relay and its backends at the rates that people really have, and how late events are."""

import time
from collections.abc import Iterable
from typing import Final

import psutil

from benchmarks.backlog import Backlog
from benchmarks.figures import Figures
from benchmarks.latency import Arrivals, commit, percentile
from benchmarks.stage import Stage

RATES: Final = (0, 10, 100, 600)
# For the relay to notice what it has to do with from now on.
_SETTLE_SECONDS: Final = 3.0
_BACKENDS: Final = """
SELECT pid
  FROM pg_stat_activity
 WHERE datname = current_database()
   AND application_name LIKE 'outbox-relay%'
"""


def measure(stage: Stage) -> Figures:
    """Return the CPU of relay and PostgreSQL, in % of a core, and latencies in milliseconds."""
    figures: Figures = {}
    with (
        stage.backlog() as backlog,
        stage.topic() as topic,
        stage.relays(backlog, topic) as (relay,),
        Arrivals(stage.kafka.bootstrap, topic) as arrivals,
    ):
        for rate in RATES:
            stage.progress.note(f"{rate} events a second, {stage.sizes.rate_seconds} s")
            name = f"{rate}_per_s" if rate else "idle"
            figures |= {
                f"{what}_{name}": value
                for what, value in _at(rate, relay.pid, stage, backlog, arrivals).items()
            }
        backlog.await_empty()
    return figures


def _at(rate: int, pid: int, stage: Stage, backlog: Backlog, arrivals: Arrivals) -> Figures:
    _write(rate, _SETTLE_SECONDS, stage, backlog)
    backends = [row[0] for row in backlog.connection.execute(_BACKENDS)]
    before = _cpu_seconds([pid]), _cpu_seconds(backends)
    begun = time.monotonic()
    committed = _write(rate, stage.sizes.rate_seconds, stage, backlog)
    lasted = time.monotonic() - begun
    relay = 100 * (_cpu_seconds([pid]) - before[0]) / lasted
    postgres = 100 * (_cpu_seconds(backends) - before[1]) / lasted
    figures = {"cpu_percent": relay + postgres, "cpu_percent_of_relay": relay}
    if not committed:
        return figures
    arrived = arrivals.of(list(committed))
    late = [at - then for at, then in zip(arrived, committed.values(), strict=True)]
    return figures | {
        "cpu_ms_an_event": 10 * (relay + postgres) * lasted / len(committed),
        "p50_ms": percentile(late, 50),
        "p99_ms": percentile(late, 99),
    }


def _write(rate: int, seconds: float, stage: Stage, backlog: Backlog) -> dict[str, float]:
    """Write on a schedule that does not wait for answers; return when each key was committed."""
    committed: dict[str, float] = {}
    begun = time.monotonic()
    for number in range(int(seconds * rate)):
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        key = f"{rate}-{begun}-{number}"
        committed[key] = commit(stage, backlog.connection, key)
    time.sleep(max(0.0, begun + seconds - time.monotonic()))
    return committed


def _cpu_seconds(pids: Iterable[int]) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(one.user + one.system for one in times)
