"""Statements of retention."""

from typing import Final

CUTOFF: Final = "SELECT statement_timestamp() - %(age)s"

COUNT: Final = "SELECT count(*) FROM events WHERE event_time < %(before)s"

# Where the next batch ends: its last row, in the order of events_by_time.
LAST: Final = """
SELECT event_time, id
  FROM (SELECT event_time, id
          FROM events
         WHERE event_time < %(before)s
           AND (event_time, id) > (%(time)s::timestamptz, %(id)s)
         ORDER BY event_time, id
         LIMIT %(rows)s) AS batch
 ORDER BY event_time DESC, id DESC
 LIMIT 1
"""

DELETE: Final = """
DELETE FROM events
 WHERE (event_time, id) > (%(time)s::timestamptz, %(id)s)
   AND (event_time, id) <= (%(last_time)s, %(last_id)s)
"""
