"""The tables of schema.sql for SQLAlchemy, for services whose Alembic owns the DDL.

Alembic creates these; `relay migrate` adds what SQLAlchemy does not describe: functions, grants,
the storage parameters, and the rows of `outbox_shard`, `outbox_lease` and `outbox_state`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Connection,
    DateTime,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB, REAL

metadata = MetaData()
"""Add this to Alembic's `target_metadata`."""

_RANDOM_ID = text("gen_random_uuid()")
_NOW = text("clock_timestamp()")

outbox_state = Table(
    "outbox_state",
    metadata,
    Column(
        "singleton",
        Boolean,
        CheckConstraint("singleton"),
        primary_key=True,
        server_default=text("true"),
    ),
    Column("version", Integer, nullable=False),
    Column("oldest_relay", Integer, nullable=False),
    Column("streaming", Boolean, nullable=False, server_default=text("true")),
    Column("requeues", BigInteger, nullable=False, server_default=text("0")),
    Column("streaming_by", Text),
    Column("streaming_at", DateTime(timezone=True)),
    Column("states", ARRAY(Text), nullable=False, server_default=text("'{}'")),
)

outbox_migration = Table(
    "outbox_migration",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("applied_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
)

outbox = Table(
    "outbox",
    metadata,
    Column(
        "id",
        BigInteger,
        CheckConstraint("id > -9223372036854775808"),
        Identity(always=True, cache=1),
        primary_key=True,
    ),
    Column("event_id", Uuid, nullable=False, server_default=_RANDOM_ID),
    Column(
        "shard",
        SmallInteger,
        Computed(
            "(hashtextextended(coalesce(key, event_id::text), 0) & 63)::smallint", persisted=True
        ),
        nullable=False,
    ),
    Column("topic", Text, CheckConstraint("topic ~ '^[a-zA-Z0-9._-]{1,249}$'")),
    Column("key", Text),
    Column("name", Text, CheckConstraint("name <> ''"), nullable=False),
    Column("payload", JSON, CheckConstraint("json_typeof(payload) = 'object'"), nullable=False),
    Column("metadata", JSON, CheckConstraint("json_typeof(metadata) = 'object'")),
    Column("headers", JSON, CheckConstraint("json_typeof(headers) = 'object'")),
    Column(
        "created_at",
        DateTime(timezone=True),
        CheckConstraint("isfinite(created_at)"),
        nullable=False,
        server_default=_NOW,
    ),
    Column(
        "attempts",
        SmallInteger,
        CheckConstraint("attempts >= 0"),
        nullable=False,
        server_default=text("0"),
    ),
    Column("parked_at", DateTime(timezone=True), CheckConstraint("isfinite(parked_at)")),
    Column("last_error", Text),
    Column("replayed", Boolean, nullable=False, server_default=text("false")),
)
Index(
    "outbox_pending",
    outbox.c.shard,
    outbox.c.id,
    postgresql_where=outbox.c.parked_at.is_(None),
)
Index(
    "outbox_parked",
    outbox.c.shard,
    text("hashtextextended(key, 0)"),
    outbox.c.id,
    postgresql_where=outbox.c.parked_at.is_not(None),
)

outbox_shard = Table(
    "outbox_shard",
    metadata,
    Column(
        "shard",
        SmallInteger,
        CheckConstraint("shard BETWEEN 0 AND 63"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("paused_at", DateTime(timezone=True)),
    Column("isolated_until", BigInteger),
    Column("unsettled", JSONB),
)

outbox_lease = Table(
    "outbox_lease",
    metadata,
    Column(
        "shard",
        SmallInteger,
        CheckConstraint("shard BETWEEN 0 AND 63"),
        primary_key=True,
        autoincrement=False,
    ),
)

outbox_sample = Table(
    "outbox_sample",
    metadata,
    Column("at", DateTime(timezone=True), primary_key=True),
    Column("pending", BigInteger, nullable=False),
    Column("parked", BigInteger, nullable=False),
    Column("lag_seconds", REAL, nullable=False),
    Column("published", BigInteger, nullable=False),
    Column("relays", SmallInteger, nullable=False),
)

outbox_audit = Table(
    "outbox_audit",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("db_user", Text, nullable=False, server_default=text("session_user")),
    Column("person", Text),
    Column(
        "action",
        Text,
        CheckConstraint(
            "action IN ('requeue', 'discard', 'restore', 'redirect', 'pause', 'resume', 'end')"
        ),
        nullable=False,
    ),
    Column("reason", Text, CheckConstraint(r"reason ~ '\S'"), nullable=False),
    Column("shard", SmallInteger),
    Column("outbox_id", BigInteger),
    Column("event_id", Uuid),
    Column("topic", Text),
    Column("key", Text),
    Column("name", Text),
    Column("last_error", Text),
    Column("digest", LargeBinary),
)

outbox_event = Table(
    "outbox_event",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", Uuid, nullable=False, unique=True, server_default=_RANDOM_ID),
    Column("name", Text, nullable=False),
    Column("category", Text, nullable=False, server_default=text("'user'")),
    Column(
        "severity",
        Text,
        CheckConstraint("severity IN ('info', 'warning', 'error', 'critical')"),
        nullable=False,
    ),
    Column("message", Text, nullable=False),
    Column(
        "event_time",
        DateTime(timezone=True),
        CheckConstraint("isfinite(event_time)"),
        nullable=False,
        server_default=_NOW,
    ),
    Column("cluster_id", Uuid),
    Column("host_id", Uuid),
    Column("infra_env_id", Uuid),
    Column("request_id", Text),
    Column(
        "props",
        JSONB,
        CheckConstraint("jsonb_typeof(props) = 'object'"),
        nullable=False,
        server_default=text("'{}'"),
    ),
    Column("subject_kind", Text),
    Column("subject_id", Text),
    CheckConstraint(
        "(subject_kind IS NULL) = (subject_id IS NULL) AND octet_length(subject_kind) <= 63"
        " AND octet_length(subject_id) BETWEEN 1 AND 1024",
        name="outbox_event_subject_check",
    ),
)

outbox_relay = Table(
    "outbox_relay",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column(
        "host",
        Text,
        nullable=False,
        server_default=text("COALESCE(host(inet_client_addr()), 'local')"),
    ),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("alive_until", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("drain_timed_out", Boolean, nullable=False, server_default=text("false")),
    Column("streaming", Boolean, nullable=False),
    Column("topic", Text, nullable=False),
    Column("wake_up", Text, nullable=False),
    Column("published", BigInteger, nullable=False, server_default=text("0")),
    Column("parked", BigInteger, nullable=False, server_default=text("0")),
    Column("rate", REAL, nullable=False, server_default=text("0")),
    Column("missed", BigInteger, nullable=False, server_default=text("0")),
    Column("leased_shards", SmallInteger, nullable=False, server_default=text("0")),
    Column("holds", JSONB, nullable=False, server_default=text("'[]'")),
    Column("broker_errors", JSONB, nullable=False, server_default=text("'[]'")),
    Column("fault", Text),
    Column("topics", JSONB, nullable=False, server_default=text("'[]'")),
)

outbox_event_limit = Table(
    "outbox_event_limit",
    metadata,
    Column("name", Text, primary_key=True),
    Column("resource", Uuid, primary_key=True),
    Column(
        "last_at", DateTime(timezone=True), CheckConstraint("isfinite(last_at)"), nullable=False
    ),
    Column("pause", Interval, CheckConstraint("isfinite(pause)"), nullable=False),
)

for _name, _column in (
    ("row", outbox_audit.c.outbox_id),
    ("event", outbox_audit.c.event_id),
):
    Index(
        f"outbox_audit_by_{_name}",
        _column,
        outbox_audit.c.id,
        postgresql_where=_column.is_not(None),
    )
Index("outbox_audit_by_key", outbox_audit.c.key, postgresql_using="hash")
Index(
    "outbox_audit_by_shard",
    outbox_audit.c.shard,
    outbox_audit.c.id,
    postgresql_where=outbox_audit.c.outbox_id.is_(None),
)

for _what in ("cluster_id", "host_id", "infra_env_id", "severity", "category"):
    _name = f"outbox_event_by_{_what.removesuffix('_id')}"
    Index(_name, outbox_event.c[_what], outbox_event.c.event_time, outbox_event.c.id)
Index(
    "outbox_event_by_subject",
    outbox_event.c.subject_kind,
    outbox_event.c.subject_id,
    outbox_event.c.event_time,
    outbox_event.c.id,
    postgresql_where=outbox_event.c.subject_kind.is_not(None),
)
Index(
    "outbox_event_by_name",
    text("left(name, 255)"),
    outbox_event.c.event_time,
    outbox_event.c.id,
)
Index("outbox_event_by_time", outbox_event.c.event_time, outbox_event.c.id)
Index(
    "outbox_event_by_request",
    text("left(request_id, 255)"),
    outbox_event.c.event_time,
    outbox_event.c.id,
    postgresql_where=outbox_event.c.request_id.is_not(None),
)


def _has_trigrams(
    ddl: object,  # noqa: ARG001 - as SQLAlchemy calls it
    target: object,  # noqa: ARG001
    bind: Connection | None,
    *_: object,
    **__: object,
) -> bool:
    extension = text("SELECT FROM pg_extension WHERE extname = 'pg_trgm'")
    return bind is not None and bind.execute(extension).first() is not None


Index(
    "outbox_event_by_message",
    outbox_event.c.message,
    postgresql_using="gin",
    postgresql_ops={"message": "gin_trgm_ops"},
).ddl_if(callable_=_has_trigrams)
