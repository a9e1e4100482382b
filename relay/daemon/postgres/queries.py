"""Every statement of the relay, with its reason.

The fragments in braces are filled in by ``with_exclusions``; values go in as parameters.

Pending rows of a shard are found by comparing (shard, id) as a row, which no other index than
outbox_pending can serve. With an equal shard and a range of ids, statistics taken while few rows
lived made PostgreSQL walk along the primary key, through the rows of all other shards.
"""

from typing import Final

# Said explicitly: another default would not see what was committed between the claim and the read.
BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
COMMIT: Final = "COMMIT"

# One transaction's settings, so that they work through a pooler. The two timeouts take the lease
# from a relay that vanished: a backend that still writes to a frozen reader is not idle, and only
# the second one ends it. Statistics of an empty table would make the claim a sequential scan, or a
# bitmap of all that waits, and forbidding these alone would set off the JIT compiler.
LEASE_SETTINGS: Final = """
SELECT set_config('idle_in_transaction_session_timeout', %(timeout_ms)s, true),
       set_config('tcp_user_timeout', %(timeout_ms)s, true),
       set_config('statement_timeout', %(timeout_ms)s, true),
       set_config('enable_seqscan', 'off', true),
       set_config('enable_bitmapscan', 'off', true),
       set_config('jit', 'off', true),
       set_config('application_name', %(application_name)s, true)
"""

# The identity of table, sequence and server, and the count of requeues: watermarks of another epoch
# say nothing. TRUNCATE and ALTER SEQUENCE … RESTART give new files; a failover behind a pooler is
# another postmaster, or one that has left recovery.
_EPOCH: Final = """concat_ws(' ',
           requeues,
           extract(epoch FROM pg_postmaster_start_time()),
           pg_is_in_recovery(),
           'outbox'::regclass::oid,
           pg_relation_filenode('outbox'),
           pg_relation_filenode('outbox_id_seq'))"""

_DRAWN: Final = "CASE WHEN is_called THEN last_value ELSE last_value - 1 END"

# Locks shards that have something to do, going round from the one served last, so that none is
# left behind. Not EXISTS, which the planner may turn into a join over the whole table.
# The xmax of an unlocked shard row is its last holder: aborted means that it died.
# The status is asked for outside of the CTE, which is after the lock was granted; the holder's
# epoch is that of this younger transaction, less one if the 32 bits wrapped in between.
CLAIM: Final = """
WITH identity AS MATERIALIZED (
    SELECT {epoch} = %(epoch)s AND {drawn} >= %(drawn)s AS same
      FROM outbox_state, outbox_id_seq
),
locked AS MATERIALIZED (
    SELECT s.shard,
           s.isolated_until,
           s.xmax::text::bigint AS holder
      FROM outbox_shard AS s
     WHERE s.paused_at IS NULL
       AND (%(only)s::smallint IS NULL OR s.shard = %(only)s)
       AND (
               SELECT o.id
                 FROM outbox AS o
                WHERE o.parked_at IS NULL
                  AND (o.shard, o.id) > (s.shard, CASE
                          WHEN (SELECT same FROM identity)
                          THEN (%(watermarks)s::bigint[])[s.shard + 1]
                          ELSE -9223372036854775808
                      END)
                  AND (o.shard, o.id) <= (s.shard, 9223372036854775807)
                  {exclusions}
                ORDER BY o.shard, o.id
                LIMIT 1
           ) IS NOT NULL
     ORDER BY (s.shard - %(last)s + 63) %% 64
     LIMIT %(shards)s
       FOR UPDATE OF s SKIP LOCKED
)
SELECT shard,
       isolated_until,
       holder <> 0 AND coalesce(pg_xact_status(
           (holder + ((pg_current_xact_id()::text::bigint - holder) & -4294967296))::text::xid8
       ) = 'aborted', false) AS died,
       (SELECT same FROM identity) AS same_epoch,
       holder,
       pg_current_xact_id()::xid::text::bigint AS transaction
  FROM locked
""".replace("{epoch}", _EPOCH).replace("{drawn}", _DRAWN)

# A replay says so in a column, because writers may not set the header.
_HEADERS: Final = """CASE
           WHEN o.replayed
           THEN (coalesce(o.headers::jsonb, '{}') || '{"replay": "true"}')::text
           ELSE o.headers::text
       END"""

# The oldest pending rows of the locked shards. A statement of its own: one that also locks would
# read a snapshot older than its lock, and rows that the last holder published. Large values stay
# behind until it is known how many of them are wanted; asking for their length unpacks nothing. To
# sort, or to sum up sizes in a window, PostgreSQL would copy every payload once more, which is a
# quarter of its work.
READ: Final = """
SELECT o.id,
       o.event_id::text,
       o.shard,
       o.topic,
       o.key,
       o.name,
       CASE WHEN o.size <= %(inline_bytes)s THEN o.payload::text END AS payload,
       CASE WHEN o.size <= %(inline_bytes)s THEN o.metadata::text END AS metadata,
       CASE WHEN o.size <= %(inline_bytes)s THEN {headers} END AS headers,
       (date_part('epoch', o.created_at) * 1000)::bigint AS created_ms,
       o.size
  FROM unnest(%(shards)s::smallint[], %(after)s::bigint[]) AS claimed (shard, after)
 CROSS JOIN LATERAL (
           SELECT *,
                  octet_length(o.payload::text)
                      + coalesce(octet_length(o.metadata::text), 0)
                      + coalesce(octet_length(o.headers::text), 0)
                      + coalesce(octet_length(o.key), 0) AS size
             FROM outbox AS o
            WHERE o.parked_at IS NULL
              AND (o.shard, o.id) > (claimed.shard, claimed.after)
              AND (o.shard, o.id) <= (claimed.shard, %(upto)s::bigint)
              {exclusions}
              {blocked}
            ORDER BY o.shard, o.id
            LIMIT %(rows_per_shard)s
       ) AS o
""".replace("{headers}", _HEADERS)

LARGE: Final = """
SELECT o.id, o.payload::text, o.metadata::text, {headers}
  FROM outbox AS o
 WHERE o.id = ANY(%(ids)s::bigint[])
""".replace("{headers}", _HEADERS)

DELETE: Final = "DELETE FROM outbox WHERE id = ANY(%(ids)s::bigint[])"

# Out of the way, with the reason, until somebody requeues or discards it.
PARK: Final = """
UPDATE outbox AS o
   SET attempts = o.attempts + 1,
       parked_at = clock_timestamp(),
       last_error = r.error
  FROM unnest(%(ids)s::bigint[], %(errors)s::text[]) AS r (id, error)
 WHERE o.id = r.id
"""

# The head of a shard in crash isolation: enough to tell which rows the next small step takes.
HEAD: Final = """
SELECT o.id, o.attempts
  FROM outbox AS o
 WHERE o.parked_at IS NULL
   AND (o.shard, o.id) > (%(shard)s::smallint, %(after)s::bigint)
   AND (o.shard, o.id) <= (%(shard)s::smallint, %(upto)s::bigint)
   {exclusions}
 ORDER BY o.shard, o.id
 LIMIT %(rows)s
"""

# A relay died on these shards. What it held was at most one lease of the oldest rows.
START_ISOLATION: Final = """
UPDATE outbox_shard AS s
   SET isolated_until = (
           SELECT max(id)
             FROM (SELECT o.id
                     FROM outbox AS o
                    WHERE o.parked_at IS NULL
                      AND (o.shard, o.id) > (s.shard, 0)
                      AND (o.shard, o.id) <= (s.shard, 9223372036854775807)
                    ORDER BY o.shard, o.id
                    LIMIT %(rows)s) AS held
       )
 WHERE s.shard = ANY(%(shards)s::smallint[])
"""

END_ISOLATION: Final = "UPDATE outbox_shard SET isolated_until = NULL WHERE shard = %(shard)s"

# A relay died with these rows in its hands. Its transaction is noted, should it prove to be alive.
BLAME: Final = """
UPDATE outbox
   SET attempts = attempts + 1,
       last_error = coalesce(
           last_error,
           'relays died while they published this row or one beside it, in the transactions'
       ) || ' ' || %(holder)s
 WHERE id = ANY(%(ids)s::bigint[])
"""

# A relay that lost a lease but lives: locked and committed anew, its shards show no death ...
SURVIVE: Final = """
SELECT shard
  FROM outbox_shard
 WHERE shard = ANY(%(shards)s::smallint[])
   AND xmax::text::bigint = %(transaction)s
   FOR UPDATE SKIP LOCKED
"""

# ... and where the next holder was faster, the blame is taken back.
FORGIVE: Final = """
UPDATE outbox AS o
   SET attempts = o.attempts - 1,
       last_error = CASE
           WHEN o.attempts > 1 THEN replace(o.last_error || ' ', ' ' || %(transaction)s || ' ', ' ')
       END
  FROM outbox_shard AS s
 WHERE s.shard = ANY(%(shards)s::smallint[])
   AND o.shard = s.shard
   AND o.id <= s.isolated_until
   AND o.parked_at IS NULL
   AND o.attempts > 0
   AND strpos(o.last_error || ' ', ' ' || %(transaction)s || ' ') > 0
"""

# First of two statements, in this order: how far ids were drawn. A session may keep ids of a
# sequence with a cache for as long as it lives, and then none is proven to be used up ...
DRAWN: Final = """
SELECT CASE
           WHEN (SELECT seqcache FROM pg_sequence WHERE seqrelid = 'outbox_id_seq'::regclass) = 1
           THEN {drawn}
           ELSE -9223372036854775808
       END AS drawn,
       {epoch} AS epoch,
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms
  FROM outbox_state, outbox_id_seq
""".replace("{epoch}", _EPOCH).replace("{drawn}", _DRAWN)

# ... and who may still commit one of them: an insert locks the table before it draws an id. Beside
# them the other relays that hold a lease, by their locks on shards.
LOCKS: Final = """
SELECT DISTINCT virtualtransaction, mode = 'RowShareLock' AS is_lease
  FROM pg_locks
 WHERE locktype = 'relation'
   AND (relation, mode) IN (('outbox'::regclass, 'RowExclusiveLock'),
                            ('outbox_shard'::regclass, 'RowShareLock'))
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND granted
   AND pid IS DISTINCT FROM pg_backend_pid()
"""

# The oldest pending row of each shard above its watermark.
FIRSTS: Final = """
SELECT f.shard, o.id, o.created_ms
  FROM unnest(%(watermarks)s::bigint[]) WITH ORDINALITY AS f (watermark, shard)
 CROSS JOIN LATERAL (
           SELECT o.id, (date_part('epoch', o.created_at) * 1000)::bigint AS created_ms
             FROM outbox AS o
            WHERE o.parked_at IS NULL
              AND (o.shard, o.id) > ((f.shard - 1)::smallint, f.watermark)
              AND (o.shard, o.id) <= ((f.shard - 1)::smallint, 9223372036854775807)
              {exclusions}
            ORDER BY o.shard, o.id
            LIMIT 1
       ) AS o
"""

# Rows up to the watermarks of a worker, where it does not look: there should be none.
BELOW: Final = """
SELECT o.id
  FROM unnest(%(watermarks)s::bigint[]) WITH ORDINALITY AS f (watermark, shard)
 CROSS JOIN LATERAL (
           SELECT o.id
             FROM outbox AS o
            WHERE o.parked_at IS NULL
              AND (o.shard, o.id) > ((f.shard - 1)::smallint, -9223372036854775808)
              AND (o.shard, o.id) <= ((f.shard - 1)::smallint, f.watermark)
              {exclusions}
            ORDER BY o.shard, o.id
            LIMIT %(limit)s
       ) AS o
 WHERE (SELECT {epoch} FROM outbox_state) = %(epoch)s
""".replace("{epoch}", _EPOCH)

# For the metrics. The counts stop at a limit, and start at the watermarks, so that neither a large
# backlog nor dead rows make a sample slow; LATERAL, because a join read the whole index. What pins
# dead rows: whoever has written anywhere, whoever reads here, prepared transactions and slots.
# Activity of other users is hidden from a role without pg_read_all_stats, and then does not count.
MEASURE: Final = """
SELECT (SELECT count(*)
          FROM (SELECT
                  FROM unnest(%(watermarks)s::bigint[]) WITH ORDINALITY AS f (watermark, shard)
                 CROSS JOIN LATERAL (
                           SELECT
                             FROM outbox AS o
                            WHERE o.parked_at IS NULL
                              AND (o.shard, o.id) > ((f.shard - 1)::smallint, f.watermark)
                              AND (o.shard, o.id)
                                  <= ((f.shard - 1)::smallint, 9223372036854775807)
                            LIMIT %(limit)s
                       ) AS o
                 LIMIT %(limit)s) AS counted) AS pending,
       (SELECT count(*)
          FROM (SELECT FROM outbox WHERE parked_at IS NOT NULL LIMIT %(limit)s) AS counted)
           AS parked,
       coalesce((SELECT n_dead_tup
                   FROM pg_stat_user_tables
                  WHERE relid = 'outbox'::regclass), 0) AS dead_tuples,
       coalesce(extract(epoch FROM clock_timestamp() - min(pin.since)), 0)::float8
           AS xmin_age_seconds,
       coalesce(max(age(pin.xid)), 0) AS xmin_age_transactions
  FROM (SELECT xact_start, backend_xid
          FROM pg_stat_activity
         WHERE backend_xid IS NOT NULL
           AND pid <> pg_backend_pid()
         UNION ALL
        SELECT xact_start, backend_xmin
          FROM pg_stat_activity
         WHERE backend_xmin IS NOT NULL
           AND (datname = current_database() OR backend_type = 'walsender')
           AND backend_type <> 'autovacuum worker'
           AND pid <> pg_backend_pid()
         UNION ALL
        SELECT prepared, transaction
          FROM pg_prepared_xacts
         UNION ALL
        SELECT NULL, xmin
          FROM pg_replication_slots
         WHERE xmin IS NOT NULL) AS pin (since, xid)
"""

_HELD_TOPICS: Final = "AND coalesce(o.topic, %(topic)s) <> ALL(%(held_topics)s::text[])"
_HELD_PARTITIONS: Final = """
AND NOT EXISTS (
        SELECT
          FROM unnest(%(held_partition_topics)s::text[],
                      %(held_partitions)s::integer[],
                      %(held_partition_counts)s::integer[]) AS h (topic, partition, partitions)
         WHERE h.topic = coalesce(o.topic, %(topic)s)
           AND h.partition = outbox_partition(
                   %(partitioner)s, coalesce(o.key, o.event_id::text), h.partitions)
    )"""
_BLOCKED: Final = """
AND NOT EXISTS (
        SELECT
          FROM outbox AS p
         WHERE p.shard = o.shard
           AND p.key = o.key
           AND p.parked_at IS NOT NULL
    )"""


def with_exclusions(
    statement: str, *, topics: bool = False, partitions: bool = False, blocked: bool = False
) -> str:
    """Return *statement* looking past held topics, held partitions, and keys of parked rows."""
    exclusions = (_HELD_TOPICS if topics else "") + (_HELD_PARTITIONS if partitions else "")
    return statement.replace("{exclusions}", exclusions).replace(
        "{blocked}", _BLOCKED if blocked else ""
    )
