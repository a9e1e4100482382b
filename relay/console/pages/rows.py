"""One row of the outbox, with all that is known of it."""

import json
from collections.abc import Iterator

from relay.console import cells
from relay.console.access.refusals import not_found
from relay.console.content import Block, Button, Cell, Code, Facts, Notice, Page
from relay.console.links import to
from relay.console.row_table import DEFAULT_TOPIC, state
from relay.console.visit import Visit
from relay.errors import SchemaError
from relay.operations.selection import Row, Selection, content, find
from relay.operations.whereabouts import Whereabouts, whereabouts
from relay.service.redaction.redactor import Redactor


def row_page(visit: Visit) -> Page:
    """Return one row; its content for those who may see it, secrets redacted."""
    number = int(visit.path["row"])
    with visit.database.connection() as connection:
        rows = find(connection, Selection(ids=[number]), limit=1)
        if not rows:
            raise not_found(
                f"There is no row {number}: it was published, discarded, or never written. "
                "Find tells what is known of it."
            )
        row = rows[0]
        place = whereabouts(connection, rows)[row.id]
        contents = _contents(visit, row)
    return Page(
        here="find",
        title=f"Row {row.id}",
        lead=_lead(row, place),
        tone="warning" if row.state == "parked" or place.reason else "",
        crumbs=(("Find", to("find", q=row.id)),),
        blocks=(Facts("Row", tuple(_facts(row, place)), tuple(_buttons(visit, row))), *contents),
    )


def _lead(row: Row, place: Whereabouts) -> str:
    if row.state == "parked":
        return f"Parked: {row.last_error or 'no error noted'}"
    return f"Waits: {place.reason}." if place.reason else "Waits for the next lease of its shard."


def _facts(row: Row, place: Whereabouts) -> Iterator[tuple[str, Cell]]:
    yield "Name", cells.code(row.name)
    yield "State", state(row)
    yield "Key", cells.code(row.key, to("find", q=row.key) if row.key else "")
    yield "Event id", cells.code(row.event_id, to("find", q=row.event_id))
    yield "Topic", cells.text(row.topic or f"{place.topic or 'unknown'} {DEFAULT_TOPIC}")
    yield "Shard", cells.link(row.shard, to("shards", row.shard))
    yield "Written", cells.moment(row.created_at)
    yield "Age", cells.age(row.age_seconds)
    yield "Size", cells.size(row.size)
    yield "Attempts", cells.count(row.attempts)
    if row.parked_at:
        yield "Parked at", cells.moment(row.parked_at)
        yield "Error", cells.text(row.last_error)


def _buttons(visit: Visit, row: Row) -> Iterator[Button]:
    blocked = visit.blocked
    if row.state == "parked":
        yield Button("Requeue…", to("change", "requeue", ids=row.id), "good", blocked)
        yield Button("Discard…", to("change", "discard", ids=row.id), "bad", blocked)
    yield Button("Redirect…", to("change", "redirect", ids=row.id), blocked=blocked)


def _contents(visit: Visit, row: Row) -> tuple[Block, ...]:
    if not visit.person.sees_payloads:
        return (Notice("muted", "Payload", "You may not see payloads: you are in no group of "
                       "payload readers."),)  # fmt: skip
    try:
        with visit.database.connection() as connection:
            found = content(connection, row.id)
    except SchemaError as error:
        return (Notice("muted", "Payload", str(error)),)
    if found is None:
        return ()
    redactor = Redactor.from_environment()
    shown = (("Payload", found.payload), ("Metadata", found.metadata), ("Headers", found.headers))
    return tuple(
        Code(f"{name}, secrets redacted", json.dumps(redactor.redact(value), indent=2))
        for name, value in shown
        if value is not None
    )
