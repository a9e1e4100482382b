from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from rich.table import Table
from rich.text import Text

from relay.cli.printout.terminal import age, console, moment, plain
from relay.operations.outlook import Answer, Facts, Outlook, Relay
from relay.operations.status import COUNT_LIMIT, Holder, Key, ParkedRow, Shard, Status

_STYLES: Final[dict[Answer, str]] = {"yes": "green", "no": "bold red", "unknown": "yellow"}
# In the grid, the first that is true of a shard.
_LEGEND: Final = ". empty  o waiting  R held by a relay  P paused  L locked by another  I isolated"
_TOPICS: Final = 8


def print_status(
    status: Status, outlook: Outlook, *, shards: bool = False, all_shards: bool = False
) -> None:
    """Print one screen: the answer, totals, relays, topics, the grid of shards, parked reasons.

    The lists of shards, keys and parked rows come after it where they were asked for.
    """
    out = console()
    out.print(plain(outlook.sentence), style=_STYLES[outlook.answer])
    out.print(_summary(status, outlook))
    listed = [shard for shard in status.shards if all_shards or (shards and _is_notable(shard))]
    for table in (_shards(listed), _keys(status.keys), _parked(status.newest_parked)):
        if table.row_count:
            out.print(table)
    for note in status.notes:
        out.print(plain(f"Note: {note}"), style="yellow")


def count(number: int | None, *, capped: bool = False) -> str:
    """Return *number* with separators; ≥ where there may be more; "?" for unknown."""
    if number is None:
        return "?"
    return f"≥ {COUNT_LIMIT:,}" if capped else f"{number:,}"


def _summary(status: Status, outlook: Outlook) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in _facts(status, outlook):
        table.add_row(Text(name, style="dim"), plain(value))
    return table


def _facts(status: Status, outlook: Outlook) -> Iterator[tuple[str, str]]:
    streaming = "on" if status.streaming else "off (for triggers and outbox_emit())"
    yield "database", f"{status.database}, version {status.schema_version}, streaming {streaming}"
    pending = count(status.pending, capped=status.pending_is_capped)
    left = f", empty in {age(outlook.empty_in_seconds)}" if outlook.empty_in_seconds else ""
    yield "pending", f"{pending}, {outlook.rate:,.0f} rows/s go out{left}"
    yield "oldest", age(status.oldest_age_seconds)
    yield from _headed("relays", map(_relay, outlook.facts.relays or ()))
    yield from _headed("topics", _topics(outlook.facts))
    cells = "".join(_cell(shard, outlook.facts) for shard in status.shards)
    yield from _headed("shards", [cells[:32], cells[32:], _LEGEND])
    yield "parked", count(status.parked, capped=status.parked_is_capped)
    yield from (("", f"{count(each.rows)}: {each.reason}") for each in outlook.facts.parked or ())


def _headed(name: str, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines):
        yield ("" if number else name), line


def _relay(relay: Relay) -> str:
    told = "" if relay.streaming else ", off"
    lives = f"alive{told}" if relay.alive else "ended" if relay.ended_at else "dead"
    return (
        f"{relay.name} (pid {relay.pid}) {lives}, seen {age(relay.silent_seconds)} ago: "
        f"{relay.rate:,.0f} rows/s, {relay.published:,} published, {relay.parked:,} parked, "
        f"{relay.leased_shards} shards held"
    )


def _topics(facts: Facts) -> Iterator[str]:
    held = {hold["topic"] for relay in facts.alive for hold in relay.holds}
    rows: Counter[str] = Counter()
    for waiting in facts.backlog or ():
        rows[waiting.topic or facts.default_topic or "(default)"] += waiting.rows
    for topic, number in rows.most_common(_TOPICS):
        yield f"{topic}: {number:,}{' (on hold)' if topic in held else ''}"
    if len(rows) > _TOPICS:
        yield f"and {len(rows) - _TOPICS} more"


def _cell(shard: Shard, facts: Facts) -> str:
    locked = {each: session for session in facts.shard_locks or () for each in session.shards}.get(
        shard.shard
    )
    if shard.paused_at:
        return "P"
    if locked is not None:
        return "R" if locked.is_relay else "L"
    if shard.isolated_until is not None:
        return "I"
    return "o" if shard.pending else "."


def _is_notable(shard: Shard) -> bool:
    return bool(shard.pending or shard.paused_at or shard.holder or shard.isolated_until)


def _shards(shards: Iterable[Shard]) -> Table:
    table = Table(title="Shards", title_justify="left")
    table.add_column("shard", justify="right")
    table.add_column("pending", justify="right")
    table.add_column("oldest", justify="right")
    for heading in ("state", "held by", "since"):
        table.add_column(heading)
    for shard in shards:
        table.add_row(
            str(shard.shard),
            count(shard.pending),
            age(shard.oldest_age_seconds),
            _state(shard),
            _holder(shard.holder),
            moment(shard.holder.since) if shard.holder else "-",
        )
    return table


def _state(shard: Shard) -> str:
    states = []
    if shard.paused_at:
        states.append(f"paused since {moment(shard.paused_at)}")
    if shard.isolated_until is not None:
        states.append(f"isolated up to row {shard.isolated_until}")
    return ", ".join(states) or "-"


def _holder(holder: Holder | None) -> Text:
    if holder is None:
        return plain(None)
    address = f" from {holder.client_address}" if holder.client_address else ""
    return plain(f"{holder.application_name or 'no name'}, pid {holder.pid}{address}")


def _keys(keys: Iterable[Key]) -> Table:
    table = Table(title="Keys with pending rows", title_justify="left")
    table.add_column("key")
    for heading in ("shard", "pending", "oldest"):
        table.add_column(heading, justify="right")
    for key in keys:
        table.add_row(
            plain(key.key), str(key.shard), count(key.pending), age(key.oldest_age_seconds)
        )
    return table


def _parked(rows: Iterable[ParkedRow]) -> Table:
    table = Table(title="Parked rows, newest first", title_justify="left")
    for heading in ("id", "parked at", "name", "topic", "key", "attempts", "error"):
        table.add_column(heading)
    for row in rows:
        table.add_row(
            str(row.id),
            moment(row.parked_at),
            plain(row.name),
            plain(row.topic or "(default)"),
            plain(row.key),
            str(row.attempts),
            plain(row.last_error),
        )
    return table
