"""Statements about past changes, each with its reason."""

from typing import Final

# What one call of a function changed was noted by one transaction; it is one change. The newest
# lines alone are looked at, however long the history is; the lines of a change that reaches beyond
# them are counted where they are, which is next to each other: one change is made at a time.
LINES: Final = 1_000

HISTORY: Final = (
    """
WITH newest AS MATERIALIZED (
    SELECT a.*, a.xmin::text AS tx
      FROM outbox_audit AS a
     WHERE (%(action)s::text IS NULL OR action = %(action)s::text)
       AND (%(person)s::text IS NULL OR coalesce(person, db_user) = %(person)s::text)
       AND (%(shard)s::smallint IS NULL OR shard = %(shard)s::smallint)
       AND (%(outbox_id)s::bigint IS NULL OR outbox_id = %(outbox_id)s::bigint)
       AND (%(event_id)s::uuid IS NULL OR event_id = %(event_id)s::uuid)
       AND (%(key)s::text IS NULL OR key = %(key)s::text)
       AND (%(topic)s::text IS NULL OR topic = %(topic)s::text)
       AND (%(before)s::bigint IS NULL
            OR id < %(before)s::bigint
               AND a.xmin::text IS DISTINCT FROM (SELECT b.xmin::text
                                                    FROM outbox_audit AS b
                                                   WHERE b.id = %(before)s::bigint))
     ORDER BY id DESC
     LIMIT {lines}
), changes AS (
    SELECT tx,
           max(id) AS id,
           min(id) AS first,
           max(at) AS at,
           db_user,
           person,
           action,
           reason,
           array_remove(array_agg(DISTINCT shard ORDER BY shard), NULL) AS shards,
           count(outbox_id) AS rows,
           coalesce((array_agg(outbox_id ORDER BY outbox_id)
                        FILTER (WHERE outbox_id IS NOT NULL))[:{named}], '{}') AS outbox_ids,
           coalesce((array_agg(DISTINCT topic) FILTER (WHERE topic IS NOT NULL))[:{named}], '{}')
               AS topics,
           coalesce((array_agg(DISTINCT key) FILTER (WHERE key IS NOT NULL))[:{named}], '{}')
               AS keys
      FROM newest
     GROUP BY tx, db_user, person, action, reason
)
SELECT c.id, c.at, c.db_user, c.person, c.action, c.reason, c.shards,
       CASE
           WHEN c.first = (SELECT min(id) FROM newest) AND (SELECT count(*) FROM newest) = {lines}
           THEN (SELECT count(w.outbox_id)
                   FROM outbox_audit AS w
                  WHERE w.id BETWEEN c.id - {reach} AND c.id
                    AND w.xmin::text = c.tx)
           ELSE c.rows
       END AS rows,
       c.outbox_ids, c.topics, c.keys
  FROM changes AS c
 ORDER BY c.id DESC
 LIMIT %(limit)s
""".replace("{named}", "20")
    .replace("{lines}", str(LINES))
    .replace("{reach}", "200000")
)
