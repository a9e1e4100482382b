"""Statements of a lease: begin, claim, commit."""

from typing import Final

from relay.daemon.postgres.queries import fragments

# READ COMMITTED said explicitly: under another default the read would not see what was committed
# between the claim and itself.
BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
COMMIT: Final = "COMMIT"
# The same for a transaction that lasts for one message.
AS_OURS: Final = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE"

# What the deletion needs is asked for before anything is published, by a deletion of nothing: the
# lock, for which REINDEX, LOCK TABLE or CREATE INDEX of others may let it wait, or deadlock, the
# right to delete, a replica identity where deletions are replicated, and the consent of triggers.
LOCK: Final = "DELETE FROM outbox WHERE false"

# One transaction's settings, so that they work through a pooler. The two timeouts take the lease
# from a relay that vanished: a backend that still writes to a frozen reader is not idle, and only
# the second one ends it. Statistics of an empty table would make the claim a sequential scan, or a
# bitmap of all that waits, and forbidding these alone would set off the JIT compiler. Policies that
# hide rows are an error now, and no outbox that seems empty. A lease has limits of its own.
LEASE_SETTINGS: Final = """
SELECT set_config('idle_in_transaction_session_timeout', %(timeout_ms)s, true),
       set_config('tcp_user_timeout', %(timeout_ms)s, true),
       set_config('statement_timeout', %(timeout_ms)s, true),
       set_config('lock_timeout', %(lock_timeout_ms)s, true),
       set_config('enable_seqscan', 'off', true),
       set_config('enable_bitmapscan', 'off', true),
       set_config('jit', 'off', true),
       set_config('row_security', 'off', true),
       CASE
           WHEN current_setting('transaction_timeout', true) IS NOT NULL
           THEN set_config('transaction_timeout', '0', true)
       END,
       set_config('application_name', %(application_name)s, true)
"""

# Locks shards that have something to do, going round from the one served last, so that none is
# left behind. Not EXISTS, which the planner may turn into a join over the whole table.
# The xmax of an unlocked shard row is its last holder: aborted means that it died, if it was a
# relay. Relays lock a second row as well, which nobody else has a reason to.
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
           s.unsettled,
           s.xmax::text::bigint AS holder,
           s.xmax = l.xmax AS by_a_relay
      FROM outbox_shard AS s
      JOIN outbox_lease AS l ON l.shard = s.shard
     WHERE s.paused_at IS NULL
       AND (%(only)s::smallint IS NULL OR s.shard = %(only)s)
       AND (
               SELECT o.id
                 FROM outbox AS o
                WHERE o.parked_at IS NULL
                  AND (o.shard, o.id) > (s.shard, CASE
                          WHEN (SELECT same FROM identity)
                          THEN ({%(watermarks)s::bigint[] | %(resume)s::bigint[]})[s.shard + 1]
                          ELSE -9223372036854775808
                      END)
                  AND (o.shard, o.id) <= (s.shard, 9223372036854775807)
                  {exclusions}
                ORDER BY o.shard, o.id
                LIMIT 1
           ) IS NOT NULL
     ORDER BY (s.shard - %(last)s + 63) %% 64
     LIMIT %(shards)s
       FOR UPDATE OF s, l SKIP LOCKED
)
SELECT shard,
       isolated_until,
       holder <> 0 AND by_a_relay AND coalesce(pg_xact_status(
           (holder + ((pg_current_xact_id()::text::bigint - holder) & -4294967296))::text::xid8
       ) = 'aborted', false) AS died,
       (SELECT same FROM identity) AS same_epoch,
       holder,
       pg_current_xact_id()::xid::text::bigint AS transaction,
       unsettled
  FROM locked
""".replace("{epoch}", fragments.EPOCH).replace("{drawn}", fragments.DRAWN)

# The same for a small lease, by functions whose plans PostgreSQL keeps: see schema.sql. A database
# that has not had them yet is served by the statements above.
SMALL_LEASES: Final = """
SELECT to_regproc('outbox_drawn') IS NOT NULL
   AND to_regproc('outbox_claim') IS NOT NULL
   AND to_regproc('outbox_settle') IS NOT NULL
"""
CLAIM_SMALL: Final = "SELECT * FROM outbox_claim({arguments})"
SETTLE_SMALL: Final = "SELECT * FROM outbox_settle('{ids}')"
PROBE_DRAWN: Final = "SELECT * FROM outbox_drawn()"
