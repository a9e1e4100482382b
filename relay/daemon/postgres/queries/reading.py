"""Statements that read the rows of a lease."""

from typing import Final

from relay.daemon.postgres.queries import fragments

# Large values stay behind until it is known how many of them are wanted. Keys and names that nobody
# may write any more, but version 1 let in, are large values as well. Payload and metadata come as
# they are: to make text of them first, PostgreSQL would copy them twice.
_COLUMNS: Final = """o.id,
       o.event_id::text,
       o.shard,
       o.topic,
       CASE WHEN o.size <= %(inline_bytes)s OR octet_length(o.key) <= 1024 THEN o.key END AS key,
       CASE WHEN o.size <= %(inline_bytes)s THEN o.name ELSE left(o.name, 255) END AS name,
       CASE WHEN o.size <= %(inline_bytes)s THEN o.payload END AS payload,
       CASE WHEN o.size <= %(inline_bytes)s THEN o.metadata END AS metadata,
       CASE WHEN o.size <= %(inline_bytes)s THEN {headers} END AS headers,
       {created_ms} AS created_ms,
       o.size""".replace("{headers}", fragments.HEADERS).replace(
    "{created_ms}", fragments.CREATED_MS
)

# Only what is compressed has another size than it is stored with. A payload that cannot be sent is
# not unpacked: as it is stored, it is too large already.
_ROWS: Final = """SELECT *,
                  CASE
                      WHEN pg_column_compression(o.payload) IS NULL
                        OR pg_column_size(o.payload) > %(readable_bytes)s
                      THEN pg_column_size(o.payload)
                      ELSE octet_length(o.payload::text)
                  END
                      + octet_length(o.name)
                      + CASE
                            WHEN pg_column_compression(o.metadata) IS NULL
                            THEN coalesce(pg_column_size(o.metadata), 0)
                            ELSE octet_length(o.metadata::text)
                        END
                      + CASE
                            WHEN pg_column_compression(o.headers) IS NULL
                            THEN coalesce(pg_column_size(o.headers), 0)
                            ELSE octet_length(o.headers::text)
                        END
                      + coalesce(octet_length(o.key), 0) AS size
             FROM outbox AS o
            WHERE o.parked_at IS NULL
              AND (o.shard, o.id) > ({shard}, {after})
              AND (o.shard, o.id) <= ({shard}, %(upto)s::bigint)
              {exclusions}
              {blocked}
            ORDER BY o.shard, o.id"""

# A small lease: the oldest pending rows of the locked shards, once. A statement of its own: one
# that also locks would read a snapshot older than its lock, and what the last holder published. To
# sort, or to sum up sizes in a window, PostgreSQL would copy every payload once more, which is a
# quarter of its work.
READ: Final = """
SELECT {columns}
  FROM unnest(%(shards)s::smallint[], %(after)s::bigint[], %(resume)s::bigint[])
       AS claimed (shard, after, resume)
 CROSS JOIN LATERAL (
           {rows}
            LIMIT %(rows_per_shard)s
       ) AS o
""".replace("{columns}", _COLUMNS).replace(
    "{rows}",
    _ROWS.replace("{shard}", "claimed.shard").replace(
        "{after}", "{claimed.after | claimed.resume}"
    ),
)

# A large lease: one cursor a shard. Each has one snapshot, younger than the lock, so that no row
# comes behind one of its key that was committed later; chunks with a snapshot each could do that.
OPEN: Final = """
DECLARE {cursor} NO SCROLL CURSOR FOR
SELECT {columns}
  FROM (
           {rows}
       ) AS o
""".replace("{columns}", _COLUMNS).replace(
    "{rows}",
    _ROWS.replace("{shard}", "%(shard)s::smallint").replace(
        "{after}", "{%(after)s::bigint | %(resume)s::bigint}"
    ),
)

FETCH: Final = "FETCH FORWARD {rows} FROM {cursor}"

# What was left behind.
LARGE: Final = """
SELECT o.id, o.key, o.name, o.payload::text, o.metadata::text, {headers}
  FROM outbox AS o
 WHERE o.id = ANY(%(ids)s::bigint[])
""".replace("{headers}", fragments.HEADERS)
