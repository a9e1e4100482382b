"""Statements of the doorbell: see doorbell.py, and the trigger in schema.sql."""

from typing import Final

# The channel of this outbox, and what speaks against the doorbell. A transaction that notifies
# cannot be prepared, and writers may do that where the server lets them. A queue that somebody's
# session has let fill up would make commits fail.
BELL: Final = """
SELECT 'outbox_' || 'outbox'::regclass::oid,
       CASE
           WHEN to_regclass('outbox_bell') IS NULL
           THEN 'the outbox tables have none; run `relay migrate`'
           WHEN NOT (has_sequence_privilege(to_regclass('outbox_bell')::oid, 'SELECT')
                     AND has_sequence_privilege(to_regclass('outbox_bell')::oid, 'UPDATE'))
           THEN 'this user may not set it; run `relay migrate --again`'
           WHEN current_setting('max_prepared_transactions') <> '0'
           THEN 'max_prepared_transactions is not 0, and what rings cannot be prepared'
           WHEN pg_notification_queue_usage() > 0.5
           THEN 'the notification queue of the server is half full'
       END
"""

RING: Final = "SELECT pg_notify('{channel}', '{token}')"

# Never shorter than another relay has it, and not at all while one is under load.
RING_UNTIL: Final = """
SELECT CASE
           WHEN b.last_value < -now.ms
           THEN false
           WHEN b.last_value > now.ms + {milliseconds}
           THEN true
           ELSE setval('outbox_bell', now.ms + {milliseconds}) IS NOT NULL
       END
  FROM outbox_bell AS b,
       (SELECT (date_part('epoch', clock_timestamp()) * 1000)::bigint AS ms) AS now
"""

LOADED_UNTIL: Final = """
SELECT setval('outbox_bell',
              -(date_part('epoch', clock_timestamp()) * 1000)::bigint - {milliseconds})
"""

BELL_IS_SET: Final = """
SELECT last_value > date_part('epoch', clock_timestamp()) * 1000 FROM outbox_bell
"""
