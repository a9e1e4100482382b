"""Indexes of tables that hold rows: built CONCURRENTLY, while everybody goes on writing."""

import logging
import re
from typing import Final

from relay.database import queries
from relay.database.location import quoted
from relay.database.session import Connection

# As schema.sql has them, each on lines of its own.
_INDEX: Final = re.compile(r"^CREATE INDEX IF NOT EXISTS (\w+)\s+ON (\w+) ([^;]+);$", re.MULTILINE)
_BY_MESSAGE: Final = "outbox_event_by_message"

logger = logging.getLogger(__name__)


def without_indexes(script: str) -> str:
    """Return *script* without its indexes, for tables that hold rows."""
    return _INDEX.sub("", script)


def build_missing(connection: Connection, schema: str, script: str) -> None:
    """Build each index of *script* that *schema* does not have, or has half built."""
    wanted = {match[1]: (match[2], match[3]) for match in _INDEX.finditer(script)}
    if trigrams := connection.execute(queries.TRIGRAMS).fetchone():
        wanted[_BY_MESSAGE] = ("outbox_event", f"USING gin (message {trigrams[0]}.gin_trgm_ops)")
    names = {"schema": schema, "names": list(wanted)}
    valid = {name for name, is_valid in connection.execute(queries.INDEXES, names) if is_valid}
    for name, (table, rest) in wanted.items():
        if name not in valid:
            _build(connection, schema, name, table, rest)


def _build(connection: Connection, schema: str, name: str, table: str, rest: str) -> None:
    # Neither may be in a transaction: a cursor's statements are not put into one.
    with connection.cursor() as cursor:
        place = quoted(schema)
        cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {place}.{name}".encode())
        cursor.execute(f"CREATE INDEX CONCURRENTLY {name} ON {place}.{table} {rest}".encode())
    logger.info("index %s was built", name)
