"""Shards: all 64 by the age of what waits in them, and one of them with its oldest rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from relay.console import cells
from relay.console.access.refusals import not_found
from relay.console.content import Button, Cell, Facts, Grid, Page, Square, Table, Tone
from relay.console.links import to
from relay.console.row_table import rows_table
from relay.console.visit import Visit
from relay.console.watch import Look
from relay.operations import shards as operations
from relay.operations.outlook.facts import Pause, Session
from relay.operations.outlook.obstacles import rows_of
from relay.operations.shards import ShardState

SOON_SECONDS: Final = 5.0
LATE_SECONDS: Final = 60.0
OLDEST_ROWS: Final = 20

_LEGEND: Final[Sequence[tuple[Tone, str]]] = (
    ("muted", "nothing waits"), ("good", "younger than 5 s"), ("warning", "younger than a minute"),
    ("bad", "older than a minute"), ("note", "paused"),
)  # fmt: skip


def shards(visit: Visit) -> Page:
    """Return the grid, and who holds or paused what."""
    look = visit.look()
    pauses, holders = _pauses(look), _holders(look)
    blocked = visit.blocked
    squares = [_square(look, each, pauses, holders) for each in look.shards]
    return Page(
        here="shards",
        title="Shards",
        lead=_lead(look, pauses),
        blocks=(
            Grid("All shards by the age of their oldest row", squares, _LEGEND),
            _paused(look, pauses, blocked),
            _held(look, blocked),
        ),
        as_of=look.at,
        again=look.is_old,
    )


def shard(visit: Visit) -> Page:
    """Return one shard with its oldest rows."""
    number = int(visit.path["shard"])
    look = visit.look()
    state = next((each for each in look.shards if each.shard == number), None)
    if state is None:
        raise not_found(f"There is no shard {number}: they go from 0 to 63.")
    pause, holder = _pauses(look).get(number), _holders(look).get(number)
    with visit.database.connection() as connection:
        rows = operations.oldest_rows(connection, number, OLDEST_ROWS)
    verb = "resume" if state.paused_at else "pause"
    button = Button(f"{verb.title()}…", to("change", verb, shards=number), blocked=visit.blocked)
    return Page(
        here="shards",
        title=f"Shard {number}",
        crumbs=(("Shards", to("shards")),),
        blocks=(
            Facts("State", tuple(_facts(look, state, pause, holder)), (button,)),
            rows_table("Oldest rows", rows, "Nothing waits in this shard."),
        ),
        as_of=look.at,
        again=look.is_old,
    )


def _facts(
    look: Look, state: ShardState, pause: Pause | None, holder: Session | None
) -> Iterator[tuple[str, Cell]]:
    yield "Rows waiting", cells.count(rows_of(look.outlook.facts, [state.shard]))
    yield "Oldest", cells.age(state.oldest_age_seconds)
    yield "Paused", cells.moment(state.paused_at)
    if pause is not None:
        yield "Paused by", cells.text(pause.who or "plain SQL")
        yield "Reason", cells.text(pause.reason)
    yield "Held by", cells.text(_name(holder) if holder else None)
    if holder is not None:
        yield "Held since", cells.moment(holder.since)
    if state.isolated_until is not None:
        yield "Crash isolation", cells.text(f"small steps up to row {state.isolated_until}")


def _lead(look: Look, pauses: Mapping[int, Pause]) -> str:
    waiting = sum(each.oldest_age_seconds is not None for each in look.shards)
    told = f"Rows wait in {waiting} of {len(look.shards)} shards"
    return f"{told}; {len(pauses)} paused." if pauses else f"{told}; none is paused."


def _square(
    look: Look,
    state: ShardState,
    pauses: Mapping[int, Pause],
    holders: Mapping[int, Session],
) -> Square:
    rows = rows_of(look.outlook.facts, [state.shard])
    age = state.oldest_age_seconds
    told = [f"shard {state.shard}: {rows:,} waiting"]
    told += [f"the oldest for {cells.lasting(age)}"] if age is not None else []
    pause, holder = pauses.get(state.shard), holders.get(state.shard)
    if state.paused_at:
        told.append(f"paused by {(pause and pause.who) or 'plain SQL'}")
    if holder:
        told.append(f"held by {_name(holder)}")
    foreign = holder is not None and not holder.is_relay
    mark = "‖" if state.paused_at else "!" if foreign else "·" if holder else ""
    tone = "note" if state.paused_at else _tone(age)
    return Square(state.shard, rows, tone, mark, "; ".join(told), to("shards", state.shard))


def _tone(age: float | None) -> Tone:
    if age is None:
        return "muted"
    if age < SOON_SECONDS:
        return "good"
    return "warning" if age < LATE_SECONDS else "bad"


def _paused(look: Look, pauses: Mapping[int, Pause], blocked: str) -> Table:
    buttons = [Button("Pause all…", to("change", "pause", shards="all"), blocked=blocked)]
    if pauses:
        resume = to("change", "resume", shards="paused")
        buttons.insert(0, Button("Resume all…", resume, "good", blocked))
    return Table(
        "Paused shards",
        ("Shard", "Since", "By", "Reason", "Rows"),
        [
            (
                cells.link(number, to("shards", number)),
                cells.moment(pause.paused_at),
                cells.text(pause.who or "plain SQL"),
                cells.text(pause.reason),
                cells.count(rows_of(look.outlook.facts, [number])),
            )
            for number, pause in sorted(pauses.items())
        ],
        "No shard is paused.",
        buttons,
    )


def _held(look: Look, blocked: str) -> Table:
    sessions = look.outlook.facts.shard_locks or ()
    return Table(
        "Holders",
        ("Session", "User", "Since", "For", "Shards", "Action"),
        [
            (
                cells.text(_name(each), "" if each.is_relay else "warning"),
                cells.text(each.user_name),
                cells.moment(each.since),
                cells.age(each.seconds),
                cells.text(", ".join(map(str, each.shards))),
                cells.NOTHING
                if each.is_relay or blocked
                else cells.link("End…", to("change", "end", pid=each.pid)),
            )
            for each in sessions
        ],
        "Nobody holds a shard at this moment.",
        note="Relays hold a shard for the time of a lease; anybody else keeps them away from it.",
    )


def _name(session: Session) -> str:
    return f"{session.application or 'no application name'} (pid {session.pid})"


def _pauses(look: Look) -> dict[int, Pause]:
    return {each.shard: each for each in look.outlook.facts.paused or ()}


def _holders(look: Look) -> dict[int, Session]:
    return {shard: each for each in look.outlook.facts.shard_locks or () for shard in each.shards}
