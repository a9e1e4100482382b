"""Now: is everything that waits on its way, and if not, what holds it?"""

from collections.abc import Callable, Iterator
from typing import Final

from relay.console import cells
from relay.console.content import Chart, Page, Tile, Tiles, Tone
from relay.console.pages.remedies import notice
from relay.console.visit import Visit
from relay.console.watch import Look
from relay.operations.outlook import Answer
from relay.operations.outlook.facts import COUNT_LIMIT
from relay.operations.samples import Sample

ANSWERS: Final[dict[Answer, Tone]] = {"yes": "good", "no": "bad", "unknown": "note"}


def now(visit: Visit) -> Page:
    """Return the page."""
    look = visit.look()
    outlook = look.outlook
    blocked = visit.blocked
    order = {"failed": 0, "unknown": 1, "warning": 2}
    findings = sorted(outlook.findings, key=lambda each: order.get(each.outcome, 3))
    return Page(
        here="now",
        title="Now",
        lead=outlook.sentence,
        tone=ANSWERS[outlook.answer],
        blocks=(
            Tiles(tuple(_tiles(look))),
            *(notice(finding, blocked) for finding in findings),
            *_chart(look),
        ),
        as_of=look.at,
        again=look.is_old,
    )


def _tiles(look: Look) -> Iterator[Tile]:
    outlook, facts = look.outlook, look.outlook.facts
    yield Tile(
        "Waiting", cells.count(outlook.pending, at_most=COUNT_LIMIT), "rows",
        _last(look, lambda sample: sample.pending),
    )  # fmt: skip
    yield Tile(
        "Oldest", cells.age(outlook.oldest_age_seconds), "of what could go",
        _last(look, lambda sample: sample.lag_seconds),
    )  # fmt: skip
    yield Tile(
        "Rate", cells.rate(outlook.rate), "published",
        _last(look, lambda sample: sample.rate),
    )  # fmt: skip
    yield Tile("Empty in", cells.age(outlook.empty_in_seconds), "of what flows")
    parked = outlook.parked
    yield Tile(
        "Parked", cells.count(parked, tone="warning" if parked else ""), "rows",
        _last(look, lambda sample: sample.parked),
    )  # fmt: skip
    paused = None if facts.paused is None else len(facts.paused)
    yield Tile("Paused", cells.count(paused, tone="warning" if paused else ""), "of 64 shards")
    alive = len(facts.streaming)
    yield Tile(
        "Relays", cells.count(alive, tone="" if alive else "bad"), "alive",
        _last(look, lambda sample: sample.relays),
    )  # fmt: skip


def _last(look: Look, value: Callable[[Sample], float | None]) -> tuple[float | None, ...]:
    return tuple(value(sample) for sample in look.samples)


def _chart(look: Look) -> Iterator[Chart]:
    if len(look.samples) > 1:
        yield Chart(
            "The last hour",
            [int(sample.at.timestamp()) for sample in look.samples],
            (
                ("rows waiting", _last(look, lambda sample: sample.pending)),
                ("rows published a second", _last(look, lambda sample: sample.rate)),
            ),
        )
