"""Tell the outbox's own tables, views, functions, indexes and sequences from a service's.

A service may have called something so before the outbox came. What has a name of ours is ours if
its shape says so: the columns that every version of a table has, the parameters of a function, the
table that an index or a sequence belongs to.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import psycopg

from relay.database import queries
from relay.errors import SchemaError

_BIGINT, _INTEGER, _SMALLINT = "bigint", "integer", "smallint"
_TEXT, _UUID, _JSON, _JSONB = "text", "uuid", "json", "jsonb"
_TIME, _INTERVAL, _BOOLEAN = "timestamp with time zone", "interval", "boolean"

# Columns that some version has not are left out.
TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "outbox_state": {
        "singleton": _BOOLEAN, "version": _INTEGER, "oldest_relay": _INTEGER,
        "streaming": _BOOLEAN, "requeues": _BIGINT,
    },
    "outbox_migration": {"number": _INTEGER, "name": _TEXT, "applied_at": _TIME},
    "outbox": {
        "id": _BIGINT, "event_id": _UUID, "shard": _SMALLINT, "topic": _TEXT, "key": _TEXT,
        "name": _TEXT, "payload": _JSON, "metadata": _JSON, "headers": _JSON, "created_at": _TIME,
        "attempts": _SMALLINT, "parked_at": _TIME, "last_error": _TEXT,
    },
    "outbox_shard": {"shard": _SMALLINT, "paused_at": _TIME},
    "outbox_relay": {
        "id": _UUID, "name": _TEXT, "host": _TEXT, "pid": _INTEGER, "version": _TEXT,
        "started_at": _TIME, "seen_at": _TIME, "alive_until": _TIME, "streaming": _BOOLEAN,
        "topic": _TEXT, "published": _BIGINT, "holds": _JSONB, "broker_errors": _JSONB,
    },
    "outbox_lease": {"shard": _SMALLINT},
    "outbox_sample": {"at": _TIME, "pending": _BIGINT, "parked": _BIGINT, "published": _BIGINT},
    "outbox_event": {
        "id": _BIGINT, "event_id": _UUID, "name": _TEXT, "category": _TEXT, "severity": _TEXT,
        "message": _TEXT, "event_time": _TIME, "cluster_id": _UUID, "host_id": _UUID,
        "infra_env_id": _UUID, "request_id": _TEXT, "props": _JSONB,
    },
    "outbox_event_limit": {
        "name": _TEXT, "resource": _UUID, "last_at": _TIME, "pause": _INTERVAL,
    },
    "outbox_audit": {
        "id": _BIGINT, "at": _TIME, "db_user": _TEXT, "person": _TEXT, "action": _TEXT,
        "reason": _TEXT, "shard": _SMALLINT, "outbox_id": _BIGINT, "event_id": _UUID,
        "topic": _TEXT, "key": _TEXT, "name": _TEXT, "last_error": _TEXT,
    },
}  # fmt: skip

VIEWS: Final[Mapping[str, Mapping[str, str]]] = {
    "outbox_overview": {
        "id": _BIGINT, "event_id": _UUID, "shard": _SMALLINT, "topic": _TEXT, "key": _TEXT,
        "name": _TEXT, "state": _TEXT, "created_at": _TIME, "age": _INTERVAL, "size": _INTEGER,
        "attempts": _SMALLINT, "parked_at": _TIME, "last_error": _TEXT,
    },
}  # fmt: skip

# Of which table each is a part.
PARTS: Final[Mapping[str, str]] = {
    "outbox_state_pkey": "outbox_state",
    "outbox_bell": "outbox_state",
    "outbox_migration_pkey": "outbox_migration",
    "outbox_pkey": "outbox",
    "outbox_id_seq": "outbox",
    "outbox_pending": "outbox",
    "outbox_parked": "outbox",
    "outbox_shard_pkey": "outbox_shard",
    "outbox_relay_pkey": "outbox_relay",
    "outbox_lease_pkey": "outbox_lease",
    "outbox_sample_pkey": "outbox_sample",
    "outbox_event_pkey": "outbox_event",
    "outbox_event_id_seq": "outbox_event",
    "outbox_event_event_id_key": "outbox_event",
    "outbox_event_by_cluster": "outbox_event",
    "outbox_event_by_host": "outbox_event",
    "outbox_event_by_infra_env": "outbox_event",
    "outbox_event_by_subject": "outbox_event",
    "outbox_event_by_time": "outbox_event",
    "outbox_event_by_severity": "outbox_event",
    "outbox_event_by_category": "outbox_event",
    "outbox_event_by_name": "outbox_event",
    "outbox_event_by_request": "outbox_event",
    "outbox_event_by_message": "outbox_event",
    "outbox_event_limit_pkey": "outbox_event_limit",
    "outbox_audit_pkey": "outbox_audit",
    "outbox_audit_id_seq": "outbox_audit",
    "outbox_audit_by_row": "outbox_audit",
    "outbox_audit_by_event": "outbox_audit",
    "outbox_audit_by_key": "outbox_audit",
    "outbox_audit_by_shard": "outbox_audit",
}

_CHANGE_ROWS: Final = "(bigint[], text, text) SETOF bigint"
_CHANGE_SHARDS: Final = "(smallint[], text, text) SETOF smallint"

_CLAIM: Final = (
    "(text, text, text, bigint, bigint[], integer, integer, integer, integer, bigint, "
    "bigint[], xid8[]) "
    "TABLE(shard smallint, isolated_until bigint, died boolean, same_epoch boolean, "
    "holder bigint, transaction bigint, unsettled jsonb, drawn bigint, id bigint, "
    "event_id text, topic text, key text, name text, payload text, metadata text, headers text, "
    "created_ms bigint, size integer)"
)

# Parameters and result; of an earlier version too.
FUNCTIONS: Final[Mapping[str, frozenset[str]]] = {
    "outbox_emit": frozenset({
        "(text, jsonb, text, text, jsonb, jsonb, uuid) uuid",
        "(text, jsonb, text, text, jsonb, jsonb, uuid, boolean) uuid",
    }),
    "outbox_event_admitted": frozenset({
        "(text, uuid, timestamp with time zone, interval, text, text) boolean"
    }),
    "outbox_event_delay": frozenset({"(text, uuid, interval) interval"}),
    "outbox_json": frozenset({"(text, text) jsonb"}),
    "outbox_purge_cluster": frozenset({"(uuid, integer) bigint"}),
    "outbox_partition": frozenset({"(text, text, integer) integer"}),
    "outbox_shard_of": frozenset({"(text) smallint"}),
    "outbox_requeue": frozenset({_CHANGE_ROWS}),
    "outbox_discard": frozenset({_CHANGE_ROWS}),
    "outbox_digest": frozenset({"(uuid, text, text, text, text, text, text, boolean) bytea"}),
    "outbox_restore": frozenset({"(json, text, text) SETOF bigint"}),
    "outbox_redirect": frozenset({"(bigint[], text, text, text) SETOF bigint"}),
    "outbox_note_end": frozenset({"(text, text, text) void"}),
    "outbox_pause": frozenset({_CHANGE_SHARDS}),
    "outbox_resume": frozenset({_CHANGE_SHARDS}),
    "outbox_count_requeue": frozenset({"() trigger"}),
    "outbox_refuse": frozenset({"() trigger"}),
    "outbox_fault": frozenset({"(text, text, text, json, text) text"}),
    "outbox_drawn": frozenset({"() record"}),
    "outbox_claim": frozenset({_CLAIM}),
    "outbox_settle": frozenset({"(bigint[]) SETOF bigint"}),
    "outbox_ring": frozenset({"() trigger"}),
}  # fmt: skip

_KINDS: Final = {
    "r": "table", "v": "view", "i": "index", "S": "sequence", "p": "partitioned table",
    "m": "materialized view", "f": "foreign table", "c": "type", "I": "partitioned index",
}  # fmt: skip


def refuse_foreign(connection: psycopg.Connection[Any], schema: str) -> None:
    """Make sure that everything in *schema* that has a name of ours is ours.

    Raises:
        SchemaError: something is not; it names the column or the signature that told it so.
    """
    fault = next(_faults(connection, schema), None)
    if fault is not None:
        raise SchemaError(
            f"{fault}, so it is not the outbox's, and nothing was changed: rename it, or give the "
            "outbox a schema of its own (`relay migrate --schema NAME`)."
        )


def _faults(connection: psycopg.Connection[Any], schema: str) -> Iterator[str]:
    names = {"schema": schema, "names": [*TABLES, *VIEWS, *PARTS, *FUNCTIONS]}
    for name, kind, columns, table in connection.execute(queries.RELATIONS, names, prepare=False):
        described = f"The {_KINDS.get(kind, 'relation')} {schema}.{name}"
        if name in PARTS:
            if table != PARTS[name]:
                yield f"{described} is no part of the table {PARTS[name]}"
        elif name in FUNCTIONS or kind != ("v" if name in VIEWS else "r"):
            yield f"{described} has the name of another kind of object of the outbox"
        else:
            yield from (
                f"{described} {fault}"
                for fault in _wrong_columns({**TABLES, **VIEWS}[name], columns)
            )
    for name, signature in connection.execute(queries.FUNCTIONS, names, prepare=False):
        if signature.replace('"', "") not in FUNCTIONS.get(name, ()):
            parameters, _, result = signature.partition(") ")
            yield f"The function {schema}.{name}{parameters}) returns {result}"
    for (name,) in connection.execute(queries.TYPES, names, prepare=False):
        yield f"The type {schema}.{name} has the name of a table of the outbox"


def _wrong_columns(expected: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    for column, type_ in expected.items():
        if column not in found:
            yield f"has no column {column}"
        # Quoted by whoever has quote_all_identifiers on.
        elif found[column].replace('"', "") != type_:
            yield f"has a column {column} of type {found[column]}, not {type_}"
