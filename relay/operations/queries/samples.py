"""The statement of the samples: along their primary key, of which a day is kept."""

from typing import Final

# Null where a relay was forgotten meanwhile, and its rows with it.
READ: Final = """
SELECT at,
       pending,
       parked,
       lag_seconds,
       relays,
       CASE
           WHEN published >= lag(published) OVER past
           THEN ((published - lag(published) OVER past)
                 / extract(epoch FROM at - lag(at) OVER past))::float8
       END AS rate
  FROM outbox_sample
 WHERE at > statement_timestamp() - %(within)s::interval
WINDOW past AS (ORDER BY at)
 ORDER BY at
"""
