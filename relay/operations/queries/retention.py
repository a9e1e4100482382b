"""Statements of retention, each with its reason."""

from typing import Final

# By the clock of the database, whatever that of this machine says.
CUTOFF: Final = "SELECT statement_timestamp() - %(age)s"

# Along outbox_event_by_time.
COUNT: Final = "SELECT count(*) FROM outbox_event WHERE event_time < %(before)s"

# Along outbox_event_by_cluster.
COUNT_CLUSTER: Final = "SELECT count(*) FROM outbox_event WHERE cluster_id = %(cluster)s"

PURGE_CLUSTER: Final = "SELECT outbox_purge_cluster(%(cluster)s, %(rows)s)"

# Where the next batch ends: its last row, in the order of outbox_event_by_time.
LAST: Final = """
SELECT event_time, id
  FROM (SELECT event_time, id
          FROM outbox_event
         WHERE event_time < %(before)s
           AND (event_time, id) > (%(time)s::timestamptz, %(id)s)
         ORDER BY event_time, id
         LIMIT %(rows)s) AS batch
 ORDER BY event_time DESC, id DESC
 LIMIT 1
"""

# A range of the index, whatever else has become old meanwhile.
DELETE: Final = """
DELETE FROM outbox_event
 WHERE (event_time, id) > (%(time)s::timestamptz, %(id)s)
   AND (event_time, id) <= (%(last_time)s, %(last_id)s)
"""

# Limits that could refuse only events as old as those that go.
COUNT_LIMITS: Final = "SELECT count(*) FROM outbox_event_limit WHERE last_at + pause <= %(before)s"

# Rows that a service asks about at this moment are left: waiting for several could be a deadlock.
DELETE_LIMITS: Final = """
WITH silent AS MATERIALIZED (
    SELECT name, resource
      FROM outbox_event_limit
     WHERE last_at + pause <= %(before)s
       AND (name, resource) > (%(name)s, %(resource)s)
     ORDER BY name, resource
     LIMIT %(rows)s
       FOR UPDATE SKIP LOCKED
), deleted AS (
    DELETE FROM outbox_event_limit AS l
     USING silent
     WHERE l.name = silent.name
       AND l.resource = silent.resource
    RETURNING l.name, l.resource
)
SELECT name, resource FROM deleted ORDER BY name, resource
"""
