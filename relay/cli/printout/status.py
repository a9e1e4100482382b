from collections.abc import Iterable, Iterator

from rich.table import Table
from rich.text import Text

from relay.cli.printout.terminal import age, console, moment, plain
from relay.operations.status import COUNT_LIMIT, Holder, Key, ParkedRow, Shard, Status


def print_status(status: Status, *, all_shards: bool = False) -> None:
    """Print the summary, then the shards, keys and parked rows where there are any."""
    out = console()
    out.print(_summary(status))
    shards = [shard for shard in status.shards if all_shards or _is_notable(shard)]
    for table in (_shards(shards), _keys(status.keys), _parked(status.newest_parked)):
        if table.row_count:
            out.print(table)
    for note in status.notes:
        out.print(plain(f"Note: {note}"), style="yellow")


def count(number: int | None, *, capped: bool = False) -> str:
    """Return *number* with separators; a plus sign where there may be more; "?" for unknown."""
    if number is None:
        return "?"
    return f"{COUNT_LIMIT:,}+" if capped else f"{number:,}"


def _summary(status: Status) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in _facts(status):
        table.add_row(Text(name, style="dim"), plain(value))
    return table


def _facts(status: Status) -> Iterator[tuple[str, str]]:
    held = [shard for shard in status.shards if shard.holder]
    paused = [shard for shard in status.shards if shard.paused_at]
    yield "database", status.database
    yield "schema", f"version {status.schema_version}"
    yield "streaming", "on" if status.streaming else "off (for triggers and outbox_emit())"
    yield "pending", count(status.pending, capped=status.pending_is_capped)
    yield "oldest", age(status.oldest_age_seconds)
    yield "parked", count(status.parked, capped=status.parked_is_capped)
    yield "shards", f"{len(status.shards)}: {len(held)} held by relays, {len(paused)} paused"


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
