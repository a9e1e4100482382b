"""Statements that show rows to a person, a page at a time, each along an index."""

from typing import Final

ROW: Final = """id, event_id, shard, topic, key, name, state, created_at,
       extract(epoch FROM age)::float8 AS age_seconds, size, attempts, parked_at, last_error"""

# Rows are compared as pairs, or the planner may take the primary key, along which there are rows of
# all shards.
OF_SHARD: Final = """
SELECT {row}
  FROM outbox_overview
 WHERE (shard, id) >= (%(shard)s::smallint, 0)
   AND (shard, id) <= (%(shard)s::smallint, 9223372036854775807)
   AND parked_at IS NULL
 ORDER BY shard, id
 LIMIT %(limit)s
""".replace("{row}", ROW)

# Numbers differ from row to row, the kind of the error does not.
REASON: Final = "regexp_replace(coalesce(last_error, ''), '[0-9][0-9,.]*', 'N', 'g')"

PARKED_GROUPS: Final = """
SELECT topic,
       {reason} AS reason,
       count(*) AS rows,
       min(id) AS first_id,
       min(parked_at) AS oldest,
       max(parked_at) AS newest
  FROM (SELECT id, topic, last_error, parked_at
          FROM outbox_overview
         WHERE parked_at IS NOT NULL
         LIMIT %(limit)s) AS r
 GROUP BY 1, 2
 ORDER BY 3 DESC, 4
""".replace("{reason}", REASON)

# By the shards of the keys that it may have, and so along an index. Without OFFSET the planner may
# take the primary key instead, for the order of the few that are found.
WAITING: Final = """
SELECT o.*
  FROM (SELECT DISTINCT outbox_shard_of(key) AS shard FROM unnest(%(keys)s::text[]) AS k (key)) AS s
 CROSS JOIN LATERAL (
           SELECT {row}
             FROM outbox_overview
            WHERE shard = s.shard
              AND (key = %(key)s OR event_id = %(event_id)s)
              AND parked_at IS NULL
           OFFSET 0
       ) AS o
 ORDER BY o.id
 LIMIT %(limit)s
""".replace("{row}", ROW)

PARKED_OF_KEY: Final = """
SELECT {row}
  FROM outbox_overview
 WHERE shard = outbox_shard_of(%(key)s)
   AND hashtextextended(key, 0) = hashtextextended(%(key)s, 0)
   AND key = %(key)s
   AND parked_at IS NOT NULL
 ORDER BY id
 LIMIT %(limit)s
""".replace("{row}", ROW)

# Where many rows are estimated and few are found, compiling takes longer than looking.
WITHOUT_JIT: Final = "SELECT set_config('jit', 'off', true)"

# The outbox has no index on event ids, which every writer would pay for; but an event's key is one
# of a few, and its shard is that of its key.
PARKED_OF_EVENT: Final = """
SELECT o.*
  FROM (SELECT DISTINCT outbox_shard_of(key) AS shard FROM unnest(%(keys)s::text[]) AS k (key)) AS s
 CROSS JOIN LATERAL (
           SELECT {row}
             FROM outbox_overview
            WHERE shard = s.shard
              AND event_id = %(event_id)s
              AND parked_at IS NOT NULL
           OFFSET 0
       ) AS o
 LIMIT 1
""".replace("{row}", ROW)

OF_EVENT_ANYWHERE: Final = """
SELECT {row}
  FROM outbox_overview
 WHERE event_id = %(event_id)s
 LIMIT 1
""".replace("{row}", ROW)

EVENT: Final = """
SELECT event_id, event_time, name, severity, message, cluster_id, host_id, infra_env_id,
       subject_kind, subject_id
  FROM outbox_event
 WHERE event_id = %(event_id)s
"""

_EVENTS_OF: Final = """
(SELECT event_id, event_time, name, severity, message, cluster_id, host_id, infra_env_id,
        subject_kind, subject_id
   FROM outbox_event
  WHERE {column} = %(id)s
  ORDER BY event_time DESC, id DESC
  LIMIT %(limit)s)
"""

# A branch an index, each of which is in order.
EVENTS_ABOUT: Final = """
SELECT DISTINCT ON (event_time, event_id) *
  FROM ({branches}) AS e
 ORDER BY event_time DESC, event_id
 LIMIT %(limit)s
""".replace(
    "{branches}",
    "UNION ALL".join(
        _EVENTS_OF.replace("{column}", column)
        for column in ("cluster_id", "host_id", "infra_env_id")
    ),
)
