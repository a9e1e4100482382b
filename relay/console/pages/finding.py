"""Find: where is this key, this event, this row?"""

from collections.abc import Iterator, Sequence
from typing import Final

from relay.console import cells
from relay.console.content import (
    Block,
    Button,
    Cell,
    Field,
    Notice,
    Page,
    Search,
    Table,
    Tone,
)
from relay.console.links import to
from relay.console.pages.events import SEVERITIES
from relay.console.pages.past import changes_table
from relay.console.row_table import DEFAULT_TOPIC, state
from relay.console.visit import Visit
from relay.operations.locating import PATIENCE_MS, EventBrief, Located, locate

LONGEST: Final = 1_024
# Of a million rows that wait, those of one shard are looked at; a page says first what is known.
FIRST_MS: Final = 40


def find(visit: Visit) -> Page:
    """Return what is known of the key or id that the address holds."""
    wanted = (visit.given("q") or "").replace("\0", "")[:LONGEST]
    hint = "cluster id, event id, row id or any other key"
    search = Search((Field("q", "Key or id", wanted, kind="search", hint=hint),), "Find")
    if not wanted:
        lead = "Give the key of an object, an event id or the id of a row."
        return Page("find", "Find", (), lead, above=(search,), live=False)
    with visit.database.connection() as connection:
        located = locate(connection, wanted, PATIENCE_MS if visit.patient else FIRST_MS)
    goes_on = located.unfinished and not visit.patient
    return Page(
        here="find",
        title="Find",
        lead=_lead(located, goes_on=goes_on),
        tone=_tone(located),
        above=(search,),
        blocks=(*_going_on(wanted, goes_on=goes_on), *_blocks(located)),
        again=goes_on,
    )


def _going_on(wanted: str, *, goes_on: bool) -> Iterator[Block]:
    if goes_on:
        button = Button("Look longer", to("find", q=wanted, patient=1))
        text = "Many rows wait; what is found among them appears here by itself."
        yield Notice("note", "Still looking", text, buttons=(button,))


def _lead(located: Located, *, goes_on: bool) -> str:
    said = " ".join(_sentences(located, goes_on=goes_on))
    if located.unknown and not goes_on:
        said += f" Unknown: {'; '.join(located.unknown)}."
    return said


def _sentences(located: Located, *, goes_on: bool) -> Iterator[str]:
    waiting = [row for row in located.rows if row.state == "pending"]
    parked = [row for row in located.rows if row.state == "parked"]
    if parked:
        yield f"{_rows(len(parked))} parked: {parked[0].last_error or 'no error noted'}."
    if waiting:
        reason = located.places[waiting[0].id].reason
        why = f"the first because {reason}" if reason else "nothing stands in their way"
        yield f"{_rows(len(waiting))} waiting; {why}."
    if goes_on:
        yield "Still looking among the rows that wait."
    elif not located.rows and located.unfinished:
        yield "Not found in the time there was."
    elif not located.rows:
        discarded = any(change.action == "discard" for change in located.changes)
        if located.event and not discarded:
            yield (
                "No row of it waits: it was stored, and has left the outbox. It is published, if "
                "event streaming was on."
            )
        elif discarded:
            yield "No row of it waits: rows of it were discarded, see below."
        elif located.events or located.changes:
            yield "No row of it waits or is parked. What is known of it is below."
        else:
            yield "Nothing of it waits, is parked, stored or in the history."


def _rows(count: int) -> str:
    return "1 row is" if count == 1 else f"{count} rows are"


def _tone(located: Located) -> Tone:
    if any(row.state == "parked" for row in located.rows):
        return "warning"
    if any(place.reason for place in located.places.values()):
        return "warning"
    return "note" if located.unknown or not located.rows else "good"


def _blocks(located: Located) -> Iterator[Block]:
    if located.rows:
        yield Table(
            "In the outbox",
            ("Id", "Name", "Key", "Topic", "State", "Age", "Why it is here"),
            [
                (
                    cells.link(row.id, to("rows", row.id), is_code=True),
                    cells.code(row.name),
                    cells.code(row.key),
                    cells.text(row.topic or DEFAULT_TOPIC),
                    state(row),
                    cells.age(row.age_seconds),
                    cells.text(row.last_error or located.places[row.id].reason or "next lease"),
                )
                for row in located.rows
            ],
            "",
        )
    if located.event:
        yield _events("Stored event", [located.event])
    if located.events:
        yield _events("Latest stored events about it", located.events)
    if located.changes:
        yield changes_table("Past actions", located.changes)


def _events(title: str, events: Sequence[EventBrief]) -> Table:
    return Table(
        title,
        ("Time", "Severity", "Name", "Message", "About"),
        [
            (
                cells.moment(event.event_time),
                cells.badge(event.severity, SEVERITIES.get(event.severity, "muted")),
                cells.code(event.name),
                cells.text(event.message),
                _about(event),
            )
            for event in events
        ],
        "",
    )


def _about(event: EventBrief) -> Cell:
    if event.cluster_id:
        return cells.link("cluster", to("events", of="cluster", id=event.cluster_id))
    return cells.NOTHING
