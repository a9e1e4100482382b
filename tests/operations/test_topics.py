"""Topics as relays know them, and the estimate that counts only what flows."""

from typing import Any

import pytest

from relay.daemon.figures import Report
from relay.daemon.postgres.roster import Identity, Roster
from relay.database.session import connected
from relay.operations import outlook
from relay.operations.outlook.topics import TopicState, topics
from tests.support.outbox import Outbox
from tests.support.postgres import Database

REFUSED = "Broker: Topic authorization failed"
DENIED = {"topic": "billing", "partition": None, "partitions": None, "why": REFUSED}


def signed(database: Database, *reports: Report) -> None:
    """One relay's signs of life, one after the other."""
    roster = Roster(Identity(streaming=True, topic="events", alive_seconds=60.0))
    for report in reports:
        with database.connect() as connection:
            roster.sign(connection, report)


def seen(database: Database) -> dict[str, TopicState]:
    with connected(database.dsn, "test") as connection:
        return {each.name: each for each in topics(outlook.look(connection).facts)}


def published(*counts: tuple[str, int], **facts: Any) -> Report:  # noqa: ANN401
    return Report(topics=[{"topic": name, "published": count, **facts} for name, count in counts])


def test_a_topic_has_its_rate_limit_and_rights(database: Database, outbox: Outbox) -> None:
    outbox.fill(rows=5, keys=5)
    outbox.fill(rows=2, keys=2, topic="events")
    outbox.fill(rows=9, keys=9, topic="billing")
    for limit in (1_000_000, 900_000):
        signed(database, Report(), published(("events", 500), max_bytes=limit, partitions=3))
    signed(database, Report(holds=[DENIED]))
    found = seen(database)
    assert list(found) == ["billing", "events"]
    events, billing = found["events"], found["billing"]
    # Those that name no topic go to the default one, too.
    assert (events.is_default, events.waiting, events.published) == (True, 7, 1_000)
    assert events.rate is not None
    assert events.rate > 0
    assert events.max_bytes == 900_000
    assert not events.refused
    assert billing.refused
    assert (billing.rate, billing.max_bytes) == (None, None)


def test_a_relay_tells_a_hundred_topics_the_busiest_first(database: Database) -> None:
    before = [(f"topic-{number}", 10) for number in range(150)]
    after = [(name, count + (name == "topic-149")) for name, count in before]
    signed(database, published(*before), published(*after))
    found = seen(database)
    # And the default, of which nothing is known.
    assert len(found) == 101
    assert [name for name, each in found.items() if each.rate] == ["topic-149"]


@pytest.mark.parametrize(
    ("held", "paused", "flowing"),
    [((), (), 30), ((DENIED,), (), 10), ((), tuple(range(64)), 0), ((DENIED,), (0,), None)],
)
def test_what_is_held_or_paused_is_not_on_its_way(
    database: Database,
    outbox: Outbox,
    held: tuple[dict[str, Any], ...],
    paused: tuple[int, ...],
    flowing: int | None,
) -> None:
    outbox.fill(rows=10, keys=10)
    outbox.fill(rows=20, keys=20, topic="billing")
    if paused:
        outbox.connection.execute("SELECT outbox_pause(%s, 'why', 'ada')", [list(paused)])
    signed(database, Report(), Report(published=1_000, holds=held))
    if flowing is None:
        flowing = 10 - outbox.count("shard = 0 AND topic IS NULL")
    with connected(database.dsn, "test") as connection:
        found = outlook.look(connection)
    assert found.facts.flowing == flowing
    assert found.pending == 30
    expected = pytest.approx(flowing / found.rate) if flowing else None
    assert found.empty_in_seconds == expected


def test_rows_behind_a_foreign_lock_or_a_held_partition_are_not_either(
    database: Database, outbox: Outbox
) -> None:
    outbox.fill(rows=20, keys=1)
    hold = DENIED | {"topic": "events", "partition": 0, "partitions": 1}
    with database.connect() as holder:
        holder.execute("SELECT FROM outbox_shard FOR UPDATE")
        with connected(database.dsn, "test") as connection:
            assert outlook.look(connection).facts.flowing == 0
    signed(database, Report(holds=[hold]))
    with connected(database.dsn, "test") as connection:
        assert outlook.look(connection).facts.flowing == 0
