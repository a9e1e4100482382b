"""Rows of the outbox: lists of them, and one with all that is known."""

from collections.abc import Sequence

from relay.console import cells
from relay.console.content import Button, Table
from relay.console.links import to
from relay.operations.selection import Row

DEFAULT_TOPIC = "(default)"


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
                cells.badge(row.state, "warning" if row.state == "parked" else "muted"),
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
