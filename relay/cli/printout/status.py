from collections.abc import Iterable, Iterator

from relay.cli.printout.summary import count, relay_line, summary, topics
from relay.cli.printout.tables import Line, Table, print_table
from relay.cli.printout.terminal import age, console, moment, plain
from relay.operations.outlook import Outlook
from relay.operations.status import Holder, Key, ParkedRow, Shard, Status


def print_status(
    status: Status, outlook: Outlook, *, shards: bool = False, all_shards: bool = False
) -> None:
    """Print one screen, and the lists that were asked for: shards, keys, parked rows."""
    out = console()
    for line in summary(status, outlook, out.width):
        out.print(line, soft_wrap=True)
    listed = [shard for shard in status.shards if all_shards or (shards and _is_notable(shard))]
    for title, table in lists(listed, status.keys, status.newest_parked):
        if table.lines:
            print_table(table, title)
    for note in status.notes:
        out.print(plain(f"Note: {note}"), style="yellow")


def lists(
    shards: Iterable[Shard], keys: Iterable[Key], parked: Iterable[ParkedRow]
) -> Iterator[tuple[str, Table]]:
    """Yield title and table of each list."""
    yield "Shards", shard_table(shards)
    yield "Keys with pending rows", key_table(keys)
    yield "Parked rows, newest first", parked_table(parked)


def shard_table(shards: Iterable[Shard]) -> Table:
    """Return a line for each shard."""
    headings = ("shard", "pending", "oldest", "state", "held by", "since")
    table = Table(headings, right=frozenset(headings[:3]))
    for shard in shards:
        cells = (
            str(shard.shard), count(shard.pending), age(shard.oldest_age_seconds), _state(shard),
            _holder(shard.holder), moment(shard.holder.since) if shard.holder else "-",
        )  # fmt: skip
        table.lines.append(Line(cells, style="yellow" if shard.paused_at else ""))
    return table


def key_table(keys: Iterable[Key]) -> Table:
    """Return a line for each key."""
    table = Table(("shard", "pending", "oldest", "key"), right=frozenset({"shard", "pending"}))
    for key in keys:
        cells = (str(key.shard), count(key.pending), age(key.oldest_age_seconds), key.key)
        table.lines.append(Line(cells))
    return table


def parked_table(rows: Iterable[ParkedRow]) -> Table:
    """Return a line for each parked row, its error under it."""
    table = Table(("id", "parked at", "attempts", "name", "topic", "key", "error"))
    for row in rows:
        topic, key = row.topic or "(default)", row.key or "-"
        cells = (
            str(row.id), moment(row.parked_at), str(row.attempts), row.name, topic, key,
            row.last_error or "-",
        )  # fmt: skip
        table.lines.append(Line(cells, style="red"))
    return table


def relay_table(outlook: Outlook) -> Table:
    """Return a line for each relay, what it cannot write or reach under it."""
    table = Table(("relays",))
    for relay in outlook.facts.relays or ():
        done = f"{relay.published:,} published, {relay.parked:,} parked"
        under = [f"{relay.version}, {relay.wake_up}, {done}"]
        for hold in relay.holds:
            partition = "" if hold["partition"] is None else f" [{hold['partition']}]"
            under.append(f"on hold: {hold['topic']}{partition}: {hold.get('why')}")
        under += [f"PostgreSQL: {relay.fault}"] if relay.fault else []
        under += [f"{error.get('address')}: {error.get('text')}" for error in relay.broker_errors]
        table.lines.append(Line((relay_line(relay),), under))
    return table


def topic_table(outlook: Outlook) -> Table:
    """Return a line for each topic that rows wait for."""
    return Table(("topics",), [Line((line,)) for line in topics(outlook.facts)])


def _is_notable(shard: Shard) -> bool:
    return bool(shard.pending or shard.paused_at or shard.holder or shard.isolated_until)


def _state(shard: Shard) -> str:
    states = []
    if shard.paused_at:
        states.append(f"paused since {moment(shard.paused_at)}")
    if shard.isolated_until is not None:
        states.append(f"isolated up to row {shard.isolated_until}")
    return ", ".join(states) or "-"


def _holder(holder: Holder | None) -> str:
    if holder is None:
        return "-"
    address = f" from {holder.client_address}" if holder.client_address else ""
    return f"{holder.application_name or 'no name'}, pid {holder.pid}{address}"
