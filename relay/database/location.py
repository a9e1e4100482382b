"""The schema in which the outbox tables are."""

from collections.abc import Callable
from typing import Any

import psycopg

from relay.database import queries
from relay.errors import SchemaError


def quoted(identifier: str) -> str:
    """Return *identifier* as PostgreSQL reads it, whatever its letters."""
    return '"' + identifier.replace('"', '""') + '"'


def search_path(schema: str) -> str:
    """Return the search_path that finds what is in *schema*, temporary tables last."""
    return f"{quoted(schema)}, pg_temp"


def locate(
    execute: Callable[..., psycopg.Cursor[Any]], wanted: str | None = None
) -> tuple[str, bool] | None:
    """Return the schema with the outbox tables, and whether the search_path finds them already.

    *execute* runs a statement. *wanted*: the schema that the settings name. None where there are no
    outbox tables.

    Raises:
        SchemaError: several schemas have some, and nothing says which is meant.
    """
    found = execute(queries.SCHEMAS, prepare=False).fetchall()
    if wanted is not None:
        return next(((schema, False) for schema, _ in found if schema == wanted), None)
    visible = [(schema, True) for schema, is_visible in found if is_visible]
    if visible or len(found) == 1:
        return next(iter(visible), (found[0][0], False))
    if found:
        names = ", ".join(schema for schema, _ in found)
        raise SchemaError(
            f"Outbox tables are in several schemas ({names}): set OUTBOX_SCHEMA to one of them."
        )
    return None
