"""Rows of the outbox as a table."""

from collections.abc import Sequence
from typing import Final

from relay.console import cells
from relay.console.content import Button, Cell, Table
from relay.console.links import to
from relay.operations.selection import Row

DEFAULT_TOPIC: Final = "(default)"


def rows_table(
    title: str,
    rows: Sequence[Row],
    empty: str,
    buttons: Sequence[Button] = (),
    more: str = "",
) -> Table:
    """Return *rows* as a table; each leads to its own page."""
    return Table(
        title,
        ("Id", "Name", "Key", "Topic", "State", "Age", "Size", "Error"),
        [
            (
                cells.link(row.id, to("rows", row.id), is_code=True),
                cells.code(row.name),
                cells.code(row.key, to("find", q=row.key) if row.key else ""),
                cells.text(row.topic or DEFAULT_TOPIC),
                state(row),
                cells.age(row.age_seconds),
                cells.size(row.size),
                cells.text(row.last_error),
            )
            for row in rows
        ],
        empty,
        buttons,
        more,
    )


def state(row: Row) -> Cell:
    """Return whether *row* waits or is parked."""
    return cells.badge(row.state, "warning" if row.state == "parked" else "muted")
