"""Parked rows: by topic and kind of error, and down to the rows of a group."""

from relay.console import cells
from relay.console.content import Button, Page, Table
from relay.console.links import to
from relay.console.row_table import DEFAULT_TOPIC, rows_table
from relay.console.selecting import NONE, selection_of
from relay.console.visit import Visit
from relay.operations.parked import COUNT_LIMIT, groups
from relay.operations.selection import find

PAGE_ROWS = 50


def parked(visit: Visit) -> Page:
    """Return the groups."""
    with visit.database.connection() as connection:
        found = groups(connection)
    total = sum(group.rows for group in found)
    more = "≥ " if total >= COUNT_LIMIT else ""
    many = f"{more}{total:,} {'row is' if total == 1 else 'rows are'} parked"
    lead = f"{many}, of {len(found)} kinds." if found else "Nothing is parked."
    return Page(
        here="parked",
        title="Parked",
        lead=lead,
        tone="warning" if found else "good",
        blocks=(
            Table(
                "By topic and kind of error",
                ("Rows", "Topic", "Error", "Oldest", "Newest", "Show"),
                [
                    (
                        cells.count(group.rows, at_most=COUNT_LIMIT),
                        cells.text(group.topic or DEFAULT_TOPIC),
                        cells.text(group.reason or "no error noted"),
                        cells.moment(group.oldest),
                        cells.moment(group.newest),
                        cells.link("Rows", to_group(group.topic, group.reason)),
                    )
                    for group in found
                ],
                "A row that Kafka refuses, and no other with it, appears here.",
                note="N stands for any number.",
            ),
        ),
    )


def to_group(topic: str | None, reason: str) -> str:
    """Return the path of a group's rows."""
    return to("parked", "rows", topic=topic or NONE, reason=reason or NONE)


def parked_rows(visit: Visit) -> Page:
    """Return the rows of a group, a page at a time."""
    selection = selection_of(visit, state="parked")
    after = visit.number("after") or 0
    with visit.database.connection() as connection:
        rows = find(connection, selection, limit=PAGE_ROWS, after=after)
    given = {name: visit.given(name) for name in ("topic", "reason")}
    full = len(rows) == PAGE_ROWS
    more = to("parked", "rows", **given, after=rows[-1].id) if full else ""
    blocked = visit.blocked
    first = [Button("Requeue one as a test…", to("change", "requeue", ids=rows[0].id), "good",
                    blocked)] if rows else []  # fmt: skip
    return Page(
        here="parked",
        title=f"Parked: {given['topic'] or 'every topic'}",
        lead=selection.reason or "",
        crumbs=(("Parked", to("parked")),),
        blocks=(
            rows_table(
                "Rows of this kind",
                rows,
                "No row of this kind is parked any more.",
                (
                    *first,
                    Button("Requeue all…", to("change", "requeue", **given), "good", blocked),
                    Button("Redirect…", to("change", "redirect", **given), blocked=blocked),
                    Button("Discard…", to("change", "discard", **given), "bad", blocked),
                ),
                more,
            ),
        ),
    )
