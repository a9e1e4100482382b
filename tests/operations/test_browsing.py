"""What the console reads: groups of parked rows, samples, storage, shards."""

import pytest

from relay.database.session import connected
from relay.errors import SchemaError
from relay.operations import parked, rights, samples, shards, storage
from relay.operations.selection import Selection, find
from tests.support.outbox import Outbox
from tests.support.postgres import Database
from tests.support.roles import member

PARK = "UPDATE outbox SET parked_at = clock_timestamp(), last_error = %s WHERE id = ANY (%s)"


def test_parked_rows_are_grouped_by_topic_and_kind(database: Database, outbox: Outbox) -> None:
    outbox.fill(rows=6, keys=6)
    outbox.fill(rows=2, keys=2, topic="audit")
    for row in range(1, 5):
        outbox.connection.execute(PARK, [f"too large: {row}000.5 bytes", [row]])
    outbox.connection.execute(PARK, ["too large: 1 bytes", [7]])
    outbox.connection.execute(PARK, [None, [8]])
    with connected(database.dsn, "test") as connection:
        found = parked.groups(connection)
        rows = find(connection, Selection(topic="", reason=found[0].reason), limit=10)
    assert [(group.topic, group.reason, group.rows, group.first_id) for group in found] == [
        (None, "too large: N bytes", 4, 1),
        ("audit", "too large: N bytes", 1, 7),
        ("audit", "", 1, 8),
    ]
    assert [row.id for row in rows] == [1, 2, 3, 4]


def test_samples_tell_the_rate_and_where_it_is_unknown(database: Database, outbox: Outbox) -> None:
    for minutes, published in ((70, 0), (3, 600), (2, 1200), (1, 300)):
        outbox.connection.execute(
            "INSERT INTO outbox_sample VALUES (date_trunc('minute', clock_timestamp())"
            " - %s * interval '1 minute', 5, 0, 0.5, %s, 1)",
            [minutes, published],
        )
    with connected(database.dsn, "test") as connection:
        found = samples.read(connection)
    # The first has none before it within the hour; of the last, a relay was forgotten.
    assert [sample.rate for sample in found] == [None, 10.0, None]
    assert [sample.pending for sample in found] == [5, 5, 5]


def test_storage_names_tables_and_who_pins_dead_rows(database: Database) -> None:
    with database.connect() as holder, connected(database.dsn, "test") as connection:
        holder.execute("SET application_name = 'report'")
        holder.execute("SELECT txid_current()")
        holder.execute("INSERT INTO outbox (name, payload) VALUES ('Event', '{}')")
        found = storage.inspect(connection)
        pid = holder.info.backend_pid
    assert found.unknown == {}
    assert "outbox" in {table.name for table in found.tables or ()}
    assert [pin.name for pin in found.pins if pin.pid == pid] == ["report"]
    assert [session.pid for session in found.writers or ()] == [pid]


def test_each_shard_has_its_oldest_row(database: Database, outbox: Outbox) -> None:
    outbox.emit("First", key="k")
    outbox.emit("Second", key="k")
    outbox.connection.execute("SELECT outbox_pause('{9}', 'why', 'ada')")
    with connected(database.dsn, "test") as connection:
        found = shards.read(connection)
        (waiting,) = [each for each in found if each.oldest_age_seconds is not None]
        rows = shards.oldest_rows(connection, waiting.shard, 1)
    assert [row.name for row in rows] == ["First"]
    assert [each.shard for each in found if each.paused_at] == [9]


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (("outbox_reader",), rights.Rights(act=False, payloads=False, events=False)),
        (("outbox_operator",), rights.Rights(act=True, payloads=False, events=False)),
        (
            ("outbox_reader", "outbox_payload_reader"),
            rights.Rights(act=False, payloads=True, events=True),
        ),
    ],
)
def test_rights_are_those_of_the_database_user(
    database: Database, roles: tuple[str, ...], expected: rights.Rights
) -> None:
    with member(database, *roles) as user, connected(user.dsn, "test") as connection:
        assert rights.of(connection) == expected


def test_whoever_may_not_look_is_told_the_role(database: Database) -> None:
    with member(database, "outbox_writer") as user, connected(user.dsn, "test") as connection:
        for look in (parked.groups, samples.read, shards.read):
            with pytest.raises(SchemaError, match="outbox_reader"):
                look(connection)
