"""An incident to look at: rows that wait, are parked, held and paused; and the hour before."""

import json
import math
from datetime import UTC, datetime, timedelta
from uuid import UUID

from psycopg import Connection
from psycopg.rows import TupleRow

CLUSTER = UUID("6fd3a1c2-5b0e-4c1a-9a37-0e6b8a4f1d20")
HOST = UUID("0b9f2c44-8a51-4f55-b1c4-2f9d6e7a3c11")

_RELAYS = """
INSERT INTO outbox_relay (id, name, host, pid, version, started_at, seen_at, alive_until, ended_at,
                          streaming, topic, wake_up, published, parked, rate, leased_shards, holds,
                          broker_errors, topics)
VALUES
    (gen_random_uuid(), 'outbox-relay-7c9f-x2kqp', '10.128.2.14', 1, '0.1.0',
     clock_timestamp() - interval '6 days', clock_timestamp(), clock_timestamp() + interval '1 day',
     NULL, true, 'events-stream', 'doorbell', 18204117, 6, 184, 5, %(holds)s, '[]', %(topics)s),
    (gen_random_uuid(), 'outbox-relay-7c9f-tzm4d', '10.128.2.15', 1, '0.1.0',
     clock_timestamp() - interval '6 days', clock_timestamp(), clock_timestamp() + interval '1 day',
     NULL, true, 'events-stream', 'doorbell', 17993802, 3, 171, 4, %(holds)s, '[]', %(topics)s),
    (gen_random_uuid(), 'outbox-relay-5d77-q8r2w', '10.128.4.9', 1, '0.0.9',
     clock_timestamp() - interval '9 days', clock_timestamp() - interval '22 minutes',
     clock_timestamp() - interval '21 minutes', clock_timestamp() - interval '22 minutes',
     true, 'events-stream', 'poll', 9120034, 0, 0, 0, '[]', '[]', '[]')
"""
_WAITING = """
INSERT INTO outbox (topic, key, name, payload, created_at)
SELECT %(topic)s, 'cluster-' || g %% %(keys)s, %(name)s,
       json_build_object('message', 'Cluster was updated', 'number', g),
       clock_timestamp() - (%(rows)s - g) * %(seconds)s / %(rows)s * interval '1 second'
  FROM generate_series(1, %(rows)s) AS g
"""
_PARKED = """
INSERT INTO outbox (topic, key, name, payload, created_at, attempts, parked_at, last_error)
SELECT %(topic)s, %(key)s || g, %(name)s,
       '{"message": "Host was updated", "password": "hunter2", "status": "installing"}',
       clock_timestamp() - interval '40 minutes', 1,
       clock_timestamp() - g * interval '90 seconds', format(%(error)s, 1000000 + g * 7919)
  FROM generate_series(1, %(rows)s) AS g
"""
_EVENT = """
INSERT INTO outbox_event (name, severity, message, event_time, cluster_id, host_id, props)
VALUES (%s, %s, %s, clock_timestamp() - %s * interval '1 minute', %s, %s, %s)
"""
_EVENTS: tuple[tuple[str, str, str, int, dict[str, object]], ...] = (
    ("cluster_registered", "info", "Registered cluster prod-eu-3", 52, {}),
    ("host_registered", "info", "Host worker-2: registered", 47, {"host_name": "worker-2"}),
    ("validation_failed", "warning", "Host worker-2: validation 'ntp-synced' failed", 41,
     {"validation": "ntp-synced"}),
    ("validation_fixed", "info", "Host worker-2: validation 'ntp-synced' is fixed", 33, {}),
    ("installation_started", "info", "Started installation of cluster prod-eu-3", 29, {}),
    ("image_pull_failed", "error", "Host worker-2: the installer's image could not be pulled", 18,
     {"attempt": 2, "registry": "quay.io"}),
    ("host_stage", "info", "Host worker-2: reached installation stage Writing image to disk", 12,
     {"stage": "Writing image to disk"}),
    ("installation_stalled", "critical", "Cluster prod-eu-3 has not made progress for 10 minutes",
     2, {}),
)  # fmt: skip


def fill(connection: Connection[TupleRow]) -> None:
    """Fill an empty outbox; the connection is in autocommit mode."""
    since = connection.execute("SELECT clock_timestamp() - interval '11 minutes'").fetchone()
    again = connection.execute("SELECT clock_timestamp() + interval '20 seconds'").fetchone()
    assert since
    assert again
    hold = {
        "topic": "billing", "partition": None, "partitions": None,
        "why": "Broker: Topic authorization failed", "since": since[0].isoformat(),
        "next_try_at": again[0].isoformat(),
    }  # fmt: skip
    topics = [
        {"topic": name, "published": 9_000_000, "rate": rate, "partitions": 12, "max_bytes": limit}
        for name, rate, limit in (("events-stream", 158.4, 1_000_000), ("audit", 13.1, 262_144))
    ]
    connection.execute(_RELAYS, {"holds": json.dumps([hold]), "topics": json.dumps(topics)})
    for topic, name, rows, keys, seconds in (
        (None, "ClusterState", 340, 90, 3),
        ("billing", "UsageReported", 1280, 60, 660),
        ("audit", "HostUpdated", 75, 30, 2),
    ):
        values = {"topic": topic, "name": name, "rows": rows, "keys": keys, "seconds": seconds}
        connection.execute(_WAITING, values)
    for topic, name, rows, error in (
        ("events-stream", "HostState", 6, "Broker: Message size too large (%s bytes)"),
        ("audit", "HostUpdated", 3, "headers: %s entries, the topic takes 64"),
    ):
        values = {"topic": topic, "name": name, "rows": rows, "error": error, "key": "host-"}
        connection.execute(_PARKED, values)
    connection.execute(
        "SELECT outbox_pause(ARRAY[7, 41]::smallint[], 'consumer of region eu is down', 'ada')"
    )
    connection.execute(
        "UPDATE outbox_shard SET paused_at = paused_at - interval '8 minutes' WHERE shard = 7"
    )
    for name, severity, message, minutes, props in _EVENTS:
        host = HOST if "worker-2" in message else None
        values_ = (name, severity, message, minutes, CLUSTER, host, json.dumps(props))
        connection.execute(_EVENT, values_)
    _record_hour(connection)


def _record_hour(connection: Connection[TupleRow]) -> None:
    published = 36_000_000
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY outbox_sample (at, pending, parked, lag_seconds, published, relays) FROM STDIN"
        ) as copy,
    ):
        for minute in range(60, 0, -1):
            wave = math.sin(minute / 6) + 0.3 * math.sin(minute * 1.7)
            held = max(0, 12 - minute) * 105
            published += round(60 * (330 + 90 * wave))
            copy.write_row((
                _minutes_ago(minute), round(180 + 60 * wave + held), min(9, max(0, 16 - minute)),
                0.4 + 0.1 * wave + (max(0, 12 - minute) * 0.2), published, 2,
            ))  # fmt: skip


def _minutes_ago(minutes: int) -> str:
    at = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=minutes)
    return at.isoformat()
