"""One screen of an outbox, for `relay status` and `relay top`: it fits 80 columns and 24 lines."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.text import Text

from relay.cli.printout.terminal import age, plain
from relay.operations.outlook import Answer, Facts, Outlook, Relay
from relay.operations.outlook.facts import COUNT_LIMIT
from relay.operations.outlook.wording import at
from relay.operations.status import Shard, Status

STYLES: Final[dict[Answer, str]] = {"yes": "green", "no": "bold red", "unknown": "yellow"}
# In the grid, the first that is true of a shard.
LEGEND: Final = ". empty  o waiting  R a relay's  P paused  L locked  I isolated"
_CELL_STYLES: Final = {"o": "green", "R": "bold green", "P": "yellow", "L": "bold red", "I": "red"}
_HEADING: Final = 10
_SENTENCE_LINES: Final = 3
_SHOWN: Final = {"relays": 3, "topics": 3, "parked": 2}


def summary(
    status: Status, outlook: Outlook, width: int, growth: float | None = None
) -> Iterator[Text]:
    """Yield the lines of the screen, none longer than *width*.

    *growth*: rows by which the backlog grew a second, where somebody looked twice.
    """
    sentence = plain(outlook.sentence).plain
    for line in textwrap.wrap(sentence, width, max_lines=_SENTENCE_LINES, placeholder=" …"):
        yield Text(line, style=STYLES[outlook.answer])
    for name, value in _lines(status, outlook, growth):
        yield Text.assemble((f"{name:<{_HEADING}}", "dim"), _fitting(value, width - _HEADING))


def count(number: int | None, *, capped: bool = False) -> str:
    """Return *number* with separators; ≥ where there may be more; "?" for unknown."""
    if number is None:
        return "?"
    return f"≥ {min(number, COUNT_LIMIT):,}" if capped else f"{number:,}"


def topics(facts: Facts) -> Iterator[str]:
    """Yield the rows that wait for each topic, and whether it is on hold."""
    held = {hold["topic"] for relay in facts.alive for hold in relay.holds}
    rows: Counter[str] = Counter()
    for waiting in facts.backlog or ():
        rows[waiting.topic or facts.default_topic or "(default)"] += waiting.rows
    capped = rows.total() >= COUNT_LIMIT
    for topic, number in rows.most_common():
        yield f"{count(number, capped=capped)}{' (on hold)' if topic in held else ''}: {topic}"


def relay_line(relay: Relay) -> str:
    """Return what a relay says of itself, in a line."""
    told = "" if relay.streaming else ", off"
    lives = f"alive{told}" if relay.alive else "ended" if relay.ended_at else "dead"
    return (
        f"{lives}, seen {age(relay.silent_seconds)} ago, {relay.rate:,.0f}/s, "
        f"{relay.leased_shards} shards: {relay.name} (pid {relay.pid})"
    )


def grid(shards: Sequence[Shard], facts: Facts) -> Text:
    """Return the state of each shard, a character each."""
    locks = {each: session for session in facts.shard_locks or () for each in session.shards}
    cells = Text()
    for shard in shards:
        session = locks.get(shard.shard)
        cell = "o" if shard.pending else "."
        if shard.isolated_until is not None:
            cell = "I"
        if session is not None:
            cell = "R" if session.is_relay else "L"
        if shard.paused_at:
            cell = "P"
        cells.append(cell, _CELL_STYLES.get(cell, ""))
    return cells


def _lines(
    status: Status, outlook: Outlook, growth: float | None
) -> Iterator[tuple[str, str | Text]]:
    facts = outlook.facts
    yield "database", f"{status.database}, version {status.schema_version}"
    yield "streaming", _flag(facts, on=status.streaming)
    yield "pending", _pending(status, outlook, growth)
    yield "oldest", age(status.oldest_age_seconds)
    relays = sorted(facts.relays or (), key=lambda relay: (not relay.alive, -relay.rate))
    totals = (
        f"{len(facts.streaming)} alive, {sum(r.published for r in facts.alive):,} published, "
        f"{sum(r.parked for r in facts.alive):,} parked"
    )
    yield "relays", totals
    yield from _some("", map(relay_line, relays), _SHOWN["relays"])
    yield from _some("topics", topics(facts), _SHOWN["topics"])
    yield "shards", grid(status.shards, facts)
    yield "", LEGEND
    yield "parked", count(status.parked, capped=status.parked_is_capped)
    reasons = (f"{count(p.rows, capped=status.parked_is_capped)}: {p.reason}"
               for p in facts.parked or ())  # fmt: skip
    yield from _some("", reasons, _SHOWN["parked"])


def _flag(facts: Facts, *, on: bool) -> str:
    switched = "on" if on else "off (for triggers and outbox_emit())"
    flag = facts.flag
    return f"{switched}, set by {flag.by} at {at(flag.at)}" if flag and flag.by else switched


def _pending(status: Status, outlook: Outlook, growth: float | None) -> str:
    pending = count(status.pending, capped=status.pending_is_capped)
    changed = "" if growth is None else f" ({growth:+,.0f}/s)"
    seconds = outlook.empty_in_seconds
    if growth is not None and status.pending:
        seconds = status.pending / -growth if growth < 0 else None
    least = "≥ " if status.pending_is_capped else ""
    left = f", empty in {least}{age(seconds)}" if seconds else ""
    return f"{pending}{changed}, {outlook.rate:,.0f} rows/s go out{left}"


def _some(name: str, lines: Iterable[str], shown: int) -> Iterator[tuple[str, str]]:
    every = list(lines)
    for number, line in enumerate(every[:shown]):
        yield ("" if number else name), line
    if len(every) > shown:
        yield "", f"and {len(every) - shown} more"


def _fitting(value: str | Text, width: int) -> Text:
    text = plain(value) if isinstance(value, str) else value
    text.truncate(width, overflow="ellipsis")
    return text
