"""The plot in five acts. Each returns one sentence about what was seen."""

from collections.abc import Callable
from typing import Final, NamedTuple

from relay.demo.stage import Stage
from relay.operations.actions import Why, requeue
from relay.operations.selection import Selection, find

POISON_CHARACTERS: Final = 60_000
TIGHT_LIMIT: Final = "50000"
"""Largest message, in bytes, of the first relays: less than the poison row needs."""


class Act(NamedTuple):
    """One act: its title, what happens in it, in a few words, and the act itself."""

    title: str
    happens: str
    play: Callable[[Stage], str]


def normal_work(stage: Stage) -> str:
    """Let two relays publish what the service commits."""
    stage.write(0.4)
    stage.until_delivered()
    read = len(stage.consumer.read)
    return f"The service changed its state and told of it, and Kafka has all {read} messages."


def a_relay_is_killed(stage: Stage) -> str:
    """Kill one of two relays at work; the other one takes its shards over."""
    victim, survivor = stage.relays[:2]
    with stage.writing(0.3):
        stage.linger()
        victim.kill()
        before = len(stage.consumer.read)
    stage.until_delivered()
    rest = len(stage.consumer.read) - before
    return f"SIGKILL for {victim.name}; {survivor.name} went on with the other {rest} messages."


def kafka_is_away(stage: Stage) -> str:
    """Let Kafka answer nobody for a while; writers never wait for it."""
    stage.broker.pause()
    try:
        stage.write(0.25)
        stage.linger()
        waited = stage.witness.figures().waiting
    finally:
        stage.broker.resume()
    stage.until_delivered()
    return f"The service wrote on while Kafka was away; {waited} rows waited, then all went out."


def a_poison_row(stage: Stage) -> str:
    """Write a row that is too large; let relays with a higher limit have it, and requeue it."""
    stage.writers.collect_logs(POISON_CHARACTERS)
    stage.until(lambda: stage.witness.figures().parked > 0)
    stage.linger()
    [row] = find(stage.witness.connection, Selection(state="parked"), limit=1)
    for relay in stage.relays:
        relay.end()
    stage.add_relay()
    requeue(stage.witness.connection, [row.id], Why("the limit was raised"))
    stage.until_delivered()
    reason = str(row.last_error).partition(";")[0]
    return f"Row {row.id} was parked: {reason}. With a higher limit it was requeued, and arrived."


def a_rollback(stage: Stage) -> str:
    """Roll back a transaction that had written its events already."""
    undone = stage.writers.roll_back()
    stage.write(0.05)
    stage.until_delivered()
    stage.linger()
    heard = {message.event_id for message in stage.consumer.read} & set(map(str, undone))
    count = len(heard) or "none"
    return f"{len(undone)} events were written and rolled back; Kafka heard of {count} of them."


ACTS: Final = (
    Act("Normal work", "two relays publish what the service commits", normal_work),
    Act("A relay is killed", "SIGKILL, in the middle of its work", a_relay_is_killed),
    Act("Kafka goes away", "it answers nobody; the service writes on", kafka_is_away),
    Act("A poison row", "a row that is larger than Kafka may get", a_poison_row),
    Act("A rollback", "a transaction ends after it wrote its events", a_rollback),
)
