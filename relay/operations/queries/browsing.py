"""Statements that show rows to a person, a page at a time, each along an index."""

from typing import Final

ROW: Final = """id, event_id, shard, topic, key, name, state, created_at,
       extract(epoch FROM age)::float8 AS age_seconds, size, attempts, parked_at, last_error"""

OF_SHARD: Final = """
SELECT {row}
  FROM outbox_overview
 WHERE shard = %(shard)s
   AND parked_at IS NULL
 ORDER BY id
 LIMIT %(limit)s
""".replace("{row}", ROW)
