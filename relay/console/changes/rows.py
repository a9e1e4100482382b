"""Changes of rows: requeue, discard and redirect those that match the address."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from relay.console.access.refusals import invalid
from relay.console.changes.change import Act, Done, Form, Prepared, digest
from relay.console.content import Button, Field
from relay.console.links import to
from relay.console.row_table import rows_table
from relay.console.selecting import selection_of
from relay.console.visit import Visit
from relay.database.session import Connection
from relay.formats import format_of
from relay.operations import actions
from relay.operations.actions import Why
from relay.operations.selection import Row, Selection, matching

SHOWN_ROWS: Final = 20


def requeue(visit: Visit) -> Prepared:
    """Prepare to let parked rows go out again."""
    rows = _matching(visit, selection_of(visit, state="parked"))
    states = format_of(visit.settings.events.stream_preset).states

    def act(connection: Connection, why: Why, _: Form) -> Done:
        actions.refuse_states(connection, rows, states)
        return _done(rows, actions.requeue(connection, _ids(rows), why), "requeued")

    return _prepared(
        visit, rows, "requeue", act,
        "{} will go out again, in their old places: a row keeps its id.",
    )  # fmt: skip


def discard(visit: Visit) -> Prepared:
    """Prepare to delete rows unpublished."""
    rows = _matching(visit, selection_of(visit, state="parked"))

    def act(connection: Connection, why: Why, _: Form) -> Done:
        return _done(rows, actions.discard(connection, _ids(rows), why), "discarded")

    consequence = (
        "{} will be deleted, and never published. `relay restore` brings them back from a file."
    )
    refused = "" if visit.person.sees_payloads else "You may not see payloads."
    save = Button("Save them first", _export(visit), blocked=refused)
    prepared = _prepared(visit, rows, "discard", act, consequence)
    return replace(prepared, danger=True, buttons=(save,))


def redirect(visit: Visit) -> Prepared:
    """Prepare to send rows to another topic."""
    selection = selection_of(visit)
    if selection.topic:
        # Rows that name no topic go to it as well, where it is the relays' default.
        default = visit.watch.latest(waits=True).outlook.facts.default_topic
        selection = replace(selection, default_topic=default)
    rows = _matching(visit, selection)

    def act(connection: Connection, why: Why, form: Form) -> Done:
        topic = form.get("to", "").strip()
        if not topic:
            raise invalid("The topic is missing; nothing was changed. Name the one to send to.")
        done = actions.redirect(connection, _ids(rows), topic, why)
        return _done(rows, done, f"redirected to {topic}")

    consequence = (
        "{} will go to another topic. Parked ones stay parked. Leases under way are waited for."
    )
    prepared = _prepared(visit, rows, "redirect", act, consequence)
    return replace(prepared, fields=(Field("to", "Topic to send them to"),))


def _matching(visit: Visit, selection: Selection) -> list[Row]:
    if selection.is_everything:
        raise invalid("The address names no rows: choose them on the pages of rows.")
    with visit.database.connection() as connection:
        rows = matching(connection, selection)
    if not rows:
        raise invalid("None of these rows is there any more; nothing was changed.")
    return rows


def _prepared(visit: Visit, rows: Sequence[Row], verb: str, act: Act, consequence: str) -> Prepared:
    many = "1 row" if len(rows) == 1 else f"{len(rows):,} rows"
    title = "The first of them" if len(rows) > SHOWN_ROWS else "These rows"
    return Prepared(
        title=f"{verb.title()} {many}",
        consequence=consequence.format(many),
        count=len(rows),
        seen=digest(row.id for row in rows),
        submit=f"{verb.title()} {many}",
        back=_back(visit),
        act=act,
        shown=(rows_table(title, rows[:SHOWN_ROWS], ""),),
    )


def _done(rows: Sequence[Row], done: Sequence[int], what: str) -> Done:
    of = "" if len(done) == len(rows) else f" of {len(rows):,}"
    note = f"{len(done):,}{of} {'row' if len(rows) == 1 else 'rows'} {what}."
    if len(done) < len(rows):
        note += " The others had left, or may not be changed in this way."
    return Done(note, to("find", q=rows[0].id) if len(rows) == 1 else to("history"))


def _ids(rows: Sequence[Row]) -> list[int]:
    return [row.id for row in rows]


def _export(visit: Visit) -> str:
    return to("export", **{name: visit.given(name) for name in ("ids", "topic", "reason")})


def _back(visit: Visit) -> str:
    ids = visit.given("ids")
    if ids and "," not in ids:
        return to("rows", ids)
    if visit.given("reason"):
        return to("parked", "rows", topic=visit.given("topic"), reason=visit.given("reason"))
    return to("topics")
