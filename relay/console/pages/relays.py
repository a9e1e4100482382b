"""Relays: what each says of itself."""

from collections.abc import Iterator

from relay.console import cells
from relay.console.content import Cell, Page, Table
from relay.console.visit import Visit
from relay.operations.outlook.facts import Relay


def relays(visit: Visit) -> Page:
    """Return the page."""
    look = visit.look()
    facts = look.outlook.facts
    # Those that live first.
    known = sorted(facts.relays or (), key=lambda relay: not relay.alive)
    alive = len(facts.streaming)
    lead = f"{alive} {'relay is' if alive == 1 else 'relays are'} alive and relaying."
    flag = facts.flag
    if flag is not None and not flag.streaming:
        lead += " The database has event streaming off."
    return Page(
        here="relays",
        title="Relays",
        lead=lead,
        tone="good" if alive else "bad",
        blocks=(
            Table(
                "Relays of the last hour",
                ("Name", "State", "Host", "Version", "Started", "Last sign", "Wake-up",
                 "Shards", "Rate", "Published", "Parked"),
                [_row(relay) for relay in known],
                "No relay has been here within the last hour.",
            ),
            Table(
                "On hold",
                ("Topic", "Partition", "Why", "Since", "Next try", "Relay"),
                [cells_ for relay in known if relay.alive for cells_ in _holds(relay)],
                "No topic is on hold.",
            ),
            Table(
                "Errors of brokers",
                ("Broker", "Error", "At", "Relay"),
                [cells_ for relay in known if relay.alive for cells_ in _errors(relay)],
                "No relay reports an error of a broker.",
            ),
        ),
        as_of=look.at,
        again=look.is_old,
    )  # fmt: skip


def _row(relay: Relay) -> tuple[Cell, ...]:
    return (
        cells.code(f"{relay.name}"),
        _state(relay),
        cells.text(f"{relay.host}, pid {relay.pid}"),
        cells.text(relay.version),
        cells.moment(relay.started_at),
        cells.moment(relay.seen_at),
        cells.text(relay.wake_up),
        cells.count(relay.leased_shards),
        cells.rate(relay.rate),
        cells.count(relay.published),
        cells.count(relay.parked, tone="warning" if relay.parked else ""),
    )


def _state(relay: Relay) -> Cell:
    if relay.ended_at:
        late = ", drain timed out" if relay.drain_timed_out else ""
        return cells.badge(f"ended{late}", "warning" if late else "muted")
    if not relay.alive:
        return cells.badge(f"silent for {cells.lasting(relay.silent_seconds)}", "bad")
    return cells.badge("relaying", "good") if relay.streaming else cells.badge("off", "note")


def _holds(relay: Relay) -> Iterator[tuple[Cell, ...]]:
    for hold in relay.holds:
        yield (
            cells.code(hold.get("topic")),
            cells.text("all" if hold.get("partition") is None else hold["partition"]),
            cells.text(hold.get("why")),
            cells.moment(hold.get("since")),
            cells.moment(hold.get("next_try_at")),
            cells.code(relay.name),
        )


def _errors(relay: Relay) -> Iterator[tuple[Cell, ...]]:
    for error in relay.broker_errors:
        yield (
            cells.code(error.get("address")),
            cells.text(error.get("text"), "bad"),
            cells.moment(error.get("at")),
            cells.code(relay.name),
        )
