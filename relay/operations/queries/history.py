"""Statements about past changes, each with its reason."""

from typing import Final

# What one call of a function changed was noted by one transaction; it is one change.
HISTORY: Final = """
SELECT max(id) AS id,
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
       coalesce((array_agg(DISTINCT key) FILTER (WHERE key IS NOT NULL))[:{named}], '{}') AS keys
  FROM outbox_audit
 WHERE (%(action)s::text IS NULL OR action = %(action)s::text)
   AND (%(person)s::text IS NULL OR coalesce(person, db_user) = %(person)s::text)
   AND (%(shard)s::smallint IS NULL OR shard = %(shard)s::smallint)
   AND (%(outbox_id)s::bigint IS NULL OR outbox_id = %(outbox_id)s::bigint)
   AND (%(event_id)s::uuid IS NULL OR event_id = %(event_id)s::uuid)
   AND (%(key)s::text IS NULL OR key = %(key)s::text)
   AND (%(topic)s::text IS NULL OR topic = %(topic)s::text)
 GROUP BY xmin::text, db_user, person, action, reason
HAVING %(before)s::bigint IS NULL OR max(id) < %(before)s::bigint
 ORDER BY max(id) DESC
 LIMIT %(limit)s
""".replace("{named}", "20")
