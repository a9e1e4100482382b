"""Database: sizes, dead rows, and who keeps vacuum from them."""

from collections.abc import Iterator
from typing import Final

from relay.console import cells
from relay.console.content import Block, Cell, Notice, Page, Table
from relay.console.links import to
from relay.console.visit import Visit
from relay.operations import storage as operations
from relay.operations.outlook import Thresholds
from relay.operations.outlook.facts import Session
from relay.operations.pins import Pin
from relay.operations.storage import TableState

LIMITS: Final = Thresholds()


def storage(visit: Visit) -> Page:
    """Return the page."""
    blocked = visit.blocked
    with visit.database.connection() as connection:
        found = operations.inspect(connection)
    outbox = next((each for each in found.tables or () if each.name == "outbox"), None)
    dead = outbox.dead_rows if outbox else 0
    oldest = max((pin.seconds or 0 for pin in found.pins), default=0.0)
    pinned = (
        f"the oldest snapshot is {cells.lasting(oldest)} old" if oldest else "nothing pins them"
    )
    return Page(
        here="database",
        title="Database",
        lead=f"{dead:,} dead rows in the outbox; {pinned}.",
        tone="warning" if dead > LIMITS.dead_rows or oldest > LIMITS.xmin else "good",
        blocks=(
            *_unknown(found.unknown),
            Table(
                "Tables",
                ("Table", "Size", "Indexes", "Rows, about", "Dead rows", "Last vacuum", "Vacuums"),
                [tuple(_table(table)) for table in found.tables or ()],
                "PostgreSQL did not answer.",
            ),
            Table(
                "Oldest snapshots",
                ("Holder", "Kind", "User", "Since", "Age", "Transactions", "Action"),
                [tuple(_pin(pin, blocked)) for pin in found.pins],
                "Nothing keeps dead rows from vacuum at this moment.",
                note="Vacuum leaves every row that died after the oldest of these began.",
            ),
            Table(
                "Open writers",
                ("Session", "User", "Since", "For", "Action"),
                [tuple(_writer(each, blocked)) for each in found.writers or ()],
                "Nobody has written to the outbox without committing.",
                note="Their rows are nobody's yet, and low watermarks wait for them.",
            ),
        ),
    )


def _table(table: TableState) -> Iterator[Cell]:
    yield cells.code(table.name)
    yield cells.size(table.total_bytes)
    yield cells.size(table.index_bytes)
    yield cells.count(table.rows)
    yield cells.count(table.dead_rows, tone="warning" if table.dead_rows > LIMITS.dead_rows else "")
    yield cells.moment(table.last_vacuum)
    yield cells.count(table.vacuums)


def _pin(pin: Pin, blocked: str) -> Iterator[Cell]:
    yield cells.text(pin.name or "no application name")
    yield cells.text(pin.kind)
    yield cells.text(pin.user_name)
    yield cells.moment(pin.since)
    yield cells.age(pin.seconds, "warning" if (pin.seconds or 0) > LIMITS.xmin else "")
    yield cells.count(pin.transactions)
    yield _ended(pin.pid, blocked)


def _unknown(unknown: dict[str, str]) -> Iterator[Block]:
    for what, why in unknown.items():
        yield Notice("note", what, why)


def _writer(session: Session, blocked: str) -> Iterator[Cell]:
    yield cells.text(f"{session.application or 'no application name'} (pid {session.pid})")
    yield cells.text(session.user_name)
    yield cells.moment(session.since)
    yield cells.age(session.seconds)
    yield _ended(session.pid, blocked)


def _ended(pid: int | None, blocked: str) -> Cell:
    if pid is None or blocked:
        return cells.NOTHING
    return cells.link("End…", to("change", "end", pid=pid))
