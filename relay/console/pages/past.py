"""History: who changed what, when and why."""

from collections.abc import Iterable, Sequence
from typing import Final

from relay.console import cells
from relay.console.content import Cell, Field, Page, Search, Table, Tone
from relay.console.links import to
from relay.console.visit import Visit
from relay.operations.history import LINES_MAX, Past, PastChange, history

PAGE_ROWS: Final = 50
ACTIONS: Final[dict[str, Tone]] = {
    "requeue": "good", "restore": "good", "resume": "good", "redirect": "note", "pause": "warning",
    "discard": "bad", "end": "bad",
}  # fmt: skip
_FILTERS: Final = ("action", "person", "key", "topic")


def past(visit: Visit) -> Page:
    """Return the latest changes that match the filter of the address."""
    given = {name: visit.given(name) for name in _FILTERS}
    wanted = Past(
        action=given["action"], person=given["person"], key=given["key"], topic=given["topic"]
    )
    before = visit.number("before")
    with visit.database.connection() as connection:
        changes = history(connection, wanted, limit=PAGE_ROWS, before=before)
    lines = sum(change.lines for change in changes)
    full = len(changes) == PAGE_ROWS or lines >= LINES_MAX
    more = to("history", **given, before=changes[-1].id) if full else ""
    actions = [("", "every action"), *((name, name) for name in ACTIONS)]
    search = Search(
        (
            Field("action", "Action", given["action"] or "", actions),
            Field("person", "Person", given["person"] or ""),
            Field("key", "Key", given["key"] or ""),
            Field("topic", "Topic", given["topic"] or ""),
        ),
        "Filter",
    )
    return Page(
        here="history",
        title="History",
        lead="What people changed: who, when and why. PostgreSQL keeps it in outbox_audit.",
        above=(search,),
        blocks=(changes_table("Changes", changes, more),),
    )


def changes_table(title: str, changes: Sequence[PastChange], more: str = "") -> Table:
    """Return *changes* as a table."""
    return Table(
        title,
        ("When", "Who", "Action", "Of", "Reason", "Rows"),
        [
            (
                cells.moment(change.at),
                cells.text(change.who),
                cells.badge(change.action, ACTIONS.get(change.action, "muted")),
                _of(change),
                cells.text(change.reason),
                cells.count(change.rows) if change.rows else cells.NOTHING,
            )
            for change in changes
        ],
        "Nobody has changed anything that matches.",
        more=more,
    )


def _of(change: PastChange) -> Cell:
    if change.rows == 1:
        row = change.outbox_ids[0]
        return cells.link(f"row {row}", to("find", q=row))
    if change.rows:
        return cells.text(f"topics {_listed(change.topics)}" if change.topics else "rows")
    return cells.text(f"shard {_listed(change.shards)}" if change.shards else None)


def _listed(names: Iterable[object]) -> str:
    every = [str(name) for name in names]
    more = f" and {len(every) - 5} more" if len(every) > 5 else ""  # noqa: PLR2004
    return ", ".join(every[:5]) + more
