"""Statements of the secret audit, by table: the columns that may hold a secret.

Each goes by the primary key: no sort, no index of its own, and a page at a time.
"""

from collections.abc import Mapping
from typing import Final

OUTBOX: Final = """
SELECT id, name, payload, headers
  FROM outbox
 WHERE id > %(after)s
   AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
 ORDER BY id
 LIMIT %(rows)s
"""

EVENTS: Final = """
SELECT id, name, message, request_id, props
  FROM outbox_event
 WHERE id > %(after)s
   AND (%(since)s::timestamptz IS NULL OR event_time >= %(since)s)
 ORDER BY id
 LIMIT %(rows)s
"""

BY_TABLE: Final[Mapping[str, str]] = {"outbox": OUTBOX, "outbox_event": EVENTS}
