"""Whereabouts of rows: the topic of each, and the reason why it waits."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.rows import class_row

from relay.daemon.kafka.partitioner import partition
from relay.database.session import Connection
from relay.operations.outlook.facts import Pause, Questions, Relay, Session
from relay.operations.outlook.wording import at
from relay.operations.queries import outlook as queries
from relay.operations.selection import Row


@dataclass(frozen=True)
class Whereabouts:
    """Topic of a row, null where no relay tells its default, and the reason why it waits."""

    topic: str | None
    reason: str | None


def whereabouts(connection: Connection, rows: Sequence[Row]) -> dict[int, Whereabouts]:
    """Return the whereabouts of *rows* by their ids; what this user may not see gives no reason."""
    ask = Questions(connection).ask
    relays = ask("relays", class_row(Relay), queries.RELAYS)
    default = next((relay.topic for relay in reversed(relays or ()) if relay.topic), None)
    pending = any(row.state == "pending" for row in rows)
    paused = ask("paused shards", class_row(Pause), queries.PAUSED) if pending else ()
    locks = ask("locked shards", class_row(Session), queries.SHARD_LOCKS) if pending else ()
    found = {}
    for row in rows:
        topic = row.topic or default
        reasons: Iterator[str] = iter(())
        if row.state == "pending":
            reasons = _reasons(row, topic, relays, paused or (), locks or ())
        found[row.id] = Whereabouts(topic, next(reasons, None))
    return found


def _reasons(
    row: Row,
    topic: str | None,
    relays: Sequence[Relay] | None,
    paused: Iterable[Pause],
    locks: Iterable[Session],
) -> Iterator[str]:
    for pause in paused:
        if pause.shard == row.shard:
            by = f" by {pause.who}: “{pause.reason}”" if pause.who else ""
            yield f"shard {row.shard} paused{by}"
    for session in locks:
        if row.shard in session.shards and not session.is_relay:
            name = session.application or "no application name"
            yield f"shard {row.shard} locked by pid {session.pid} ({name})"
    streaming = [relay for relay in relays or () if relay.alive and relay.streaming]
    if relays is not None and not streaming:
        yield "no relay is alive"
    for relay in streaming:
        for hold in relay.holds:
            if hold["topic"] == topic and _is_held(row, hold):
                place = "topic" if hold["partition"] is None else f"partition {hold['partition']}"
                again = hold.get("next_try_at")
                tried = f", next try at {at(again)}" if again else ""
                yield f"{place} on hold: {hold.get('why') or 'it cannot be written'}{tried}"


def _is_held(row: Row, hold: Any) -> bool:  # noqa: ANN401 - as JSON has it
    if hold["partition"] is None:
        return True
    key = row.key if row.key is not None else str(row.event_id)
    partitioner = hold.get("partitioner", "murmur2")
    return partition(partitioner, key, hold["partitions"]) == int(hold["partition"])
