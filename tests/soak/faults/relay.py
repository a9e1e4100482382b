"""A relay dies, ends or freezes, or meets a row that no topic takes."""

import random
import signal
from collections.abc import Mapping

from tests.soak.faults.fault import (
    AFTER_A_FREEZE_SECONDS,
    AFTER_A_KILL_SECONDS,
    CleanUp,
    Fault,
    outage,
)
from tests.soak.settings import MAX_MESSAGE_BYTES
from tests.soak.stage import Stage
from tests.support.process import ProcessUnderTest


def relay_faults() -> Mapping[str, Fault]:
    """Return the faults of one relay, by name."""
    return {
        "relay_killed": Fault(relay_killed, AFTER_A_KILL_SECONDS, 1),
        "relay_frozen": Fault(relay_frozen, AFTER_A_FREEZE_SECONDS, 1),
        "relay_terminated": Fault(relay_terminated, AFTER_A_KILL_SECONDS, 0),
        "poison_written": outage(poison_written, 0),
    }


def relay_killed(stage: Stage, source: random.Random) -> CleanUp:
    stage.end_relay(_some(stage, source))
    return _start_another


def relay_terminated(stage: Stage, source: random.Random) -> None:
    relay = _some(stage, source)
    assert relay.terminate() == 0, relay.output
    stage.end_relay(relay)
    stage.start_relay()


def relay_frozen(stage: Stage, source: random.Random) -> CleanUp:
    relay = _some(stage, source)
    relay.send_signal(signal.SIGSTOP)
    return lambda _: relay.send_signal(signal.SIGCONT)


def poison_written(stage: Stage, source: random.Random) -> None:
    # Random: a relay that could not ask for the topic's limit sends it, and the broker, which
    # judges what is compressed, must refuse it all the same.
    filler = source.randbytes(2 * MAX_MESSAGE_BYTES).hex()
    with stage.connect() as connection:
        connection.execute(
            "INSERT INTO outbox (key, name, payload) "
            "SELECT %s, 'Poison', json_build_object('filler', %s::text)",
            (source.choice(["rivals", "slow-0", "alone"]), filler),
        )


def _some(stage: Stage, source: random.Random) -> ProcessUnderTest:
    return source.choice(stage.relays)


def _start_another(stage: Stage) -> None:
    stage.start_relay()
