"""A consumer's side: every message takes effect once, however often and however late it comes.

Commit the offset after the transaction, never before.
"""

import json
from collections.abc import Collection, Mapping

import psycopg

TABLES = """
CREATE TABLE happened (
    id      uuid PRIMARY KEY,
    name    text NOT NULL,
    payload jsonb NOT NULL
);
CREATE TABLE states (
    name    text NOT NULL,
    object  text NOT NULL,
    seq     bigint NOT NULL,
    payload jsonb NOT NULL,
    PRIMARY KEY (name, object)
);
"""

# The unique key is where the effect is: a copy finds it taken.
EVENT = """
INSERT INTO happened (id, name, payload) VALUES (%s, %s, %s)
    ON CONFLICT (id) DO NOTHING
"""

# Only a higher seq replaces a state: a late copy never takes it back.
SNAPSHOT = """
INSERT INTO states (name, object, seq, payload) VALUES (%s, %s, %s, %s)
    ON CONFLICT (name, object) DO UPDATE
    SET seq = EXCLUDED.seq, payload = EXCLUDED.payload
    WHERE states.seq < EXCLUDED.seq
"""


def take(
    transaction: psycopg.Connection,
    headers: Mapping[str, bytes],
    value: bytes,
    snapshots: Collection[str],
) -> None:
    """Let one message take effect; *snapshots* are the names of messages that are whole states."""
    message = json.loads(value)
    name, payload = message["name"], json.dumps(message["payload"])
    if name in snapshots:
        seq = int(headers["seq"])
        transaction.execute(SNAPSHOT, (name, message["payload"]["id"], seq, payload))
    else:
        transaction.execute(EVENT, (headers["id"].decode(), name, payload))
