"""Rows as a claim would read them."""

import uuid
from typing import Any

from relay.daemon.rows import Row


def row(number: int, *, key: str | None = None, **columns: Any) -> Row:  # noqa: ANN401 - the row says what they are
    """Return a small row with the outbox id *number*."""
    payload = '{"number": %d}' % number  # noqa: UP031 - braces of JSON
    small = Row(
        id=number,
        event_id=str(uuid.UUID(int=number)),
        shard=0,
        topic=None,
        key=key,
        name="Counted",
        payload=payload,
        metadata='{"versions": {}}',
        headers=None,
        created_ms=0,
        size=len(payload),
    )
    return small._replace(**columns)
