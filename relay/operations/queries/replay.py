"""Statements of the replay, each with its reason."""

from collections.abc import Sequence
from typing import Final

from psycopg import sql

# In the order in which they were stored, a page at a time.
EVENTS: Final = sql.SQL("""
SELECT id, {columns}
  FROM outbox_event
 WHERE id > %(after)s
   AND (%(cluster)s::uuid IS NULL OR cluster_id = %(cluster)s)
   AND (%(subject_kind)s::text IS NULL
        OR subject_kind = %(subject_kind)s AND subject_id = %(subject_id)s)
   AND (%(since)s::timestamptz IS NULL OR event_time >= %(since)s)
 ORDER BY id
 LIMIT %(rows)s
""")

# Each trigger keeps in its comment what is published; those of partitions are copies.
TRIGGERS: Final = """
SELECT n.nspname, c.relname, g.nspname, obj_description(t.oid, 'pg_trigger')
  FROM pg_trigger AS t
  JOIN pg_class AS c ON c.oid = t.tgrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_proc AS f ON f.oid = t.tgfoid
  JOIN pg_namespace AS g ON g.oid = f.pronamespace
 WHERE t.tgname = %(trigger)s
   AND t.tgparentid = 0
 ORDER BY n.nspname, c.relname
"""

# A replay gives way to writers.
LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', %(timeout)s, true)"

# Each row is locked while its state is taken, so that no newer state can have a lower seq.
ROWS: Final = sql.SQL("""
SELECT {publish}, {parts}
  FROM (SELECT t AS state
          FROM {table} AS t
         WHERE {later}
           AND (%(cluster)s::text IS NULL OR coalesce({keys}) = %(cluster)s::text)
         ORDER BY {columns}
         LIMIT %(rows)s
         {lock}) AS page
""")


def rows(
    table: sql.Composable,
    row_function: sql.Composable,
    key: Sequence[str],
    identity: Sequence[str],
    after: Sequence[str],
    *,
    dry_run: bool,
) -> sql.Composed:
    """Return the statement that publishes the next page, and selects the identity of each row.

    *after*: names of the parameters with the identity of the last row; none for the first page.
    """
    columns = comma([sql.SQL("t.") + sql.Identifier(name) for name in identity])
    values = comma([sql.Placeholder(name) for name in after])
    publish = sql.SQL("{}(state, replayed => true)")
    return ROWS.format(
        publish=sql.SQL("NULL") if dry_run else publish.format(row_function),
        parts=comma([sql.SQL("(state).") + sql.Identifier(name) for name in identity]),
        table=table,
        later=sql.SQL("({}) > ({})").format(columns, values) if after else sql.SQL("true"),
        keys=comma([sql.SQL("t.{}::text").format(sql.Identifier(name)) for name in key]),
        columns=columns,
        lock=sql.SQL("" if dry_run else "FOR SHARE"),
    )


def comma(parts: Sequence[sql.Composable]) -> sql.Composed:
    """Return *parts* as a list."""
    return sql.SQL(", ").join(parts)
