"""Tables of `relay top`: narrow enough for 80 columns."""

from datetime import UTC, datetime

from relay.cli.printout.status import key_table, relay_table, topic_table
from relay.cli.printout.summary import count
from relay.cli.printout.tables import Line, Table
from relay.cli.printout.terminal import age
from relay.cli.top.looks import Look
from relay.operations.outlook.facts import Pause
from relay.operations.status import ParkedRow, Shard


def table(view: str, look: Look) -> Table:
    """Return the table of a view other than the first one."""
    match view:
        case "shards":
            return _shards(look)
        case "parked":
            return _parked(look)
        case "keys":
            return key_table(look.status.keys)
        case "topics":
            return topic_table(look.outlook)
    return relay_table(look.outlook)


def _shards(look: Look) -> Table:
    headings = ("shard", "pending", "oldest", "state")
    pauses = {pause.shard: pause for pause in look.outlook.facts.paused or ()}
    shown = Table(headings, right=frozenset(headings[:3]))
    for shard in look.status.shards:
        state = _state(shard, pauses.get(shard.shard))
        cells = (
            str(shard.shard), count(shard.pending), age(shard.oldest_age_seconds), state or "-"
        )  # fmt: skip
        shown.lines.append(Line(cells, style="yellow" if shard.paused_at else ""))
    return shown


def _state(shard: Shard, pause: Pause | None) -> str:
    states = []
    if shard.paused_at:
        by = f" by {pause.who}: {pause.reason}" if pause and pause.who else ""
        states.append(f"paused for {_for(shard.paused_at)}{by}")
    if shard.isolated_until is not None:
        states.append(f"isolated up to row {shard.isolated_until}")
    if holder := shard.holder:
        since = f" for {_for(holder.since)}" if holder.since else ""
        states.append(f"held by {holder.application_name or 'no name'}, pid {holder.pid}{since}")
    return "; ".join(states)


def _parked(look: Look) -> Table:
    default = look.outlook.facts.default_topic or "(default)"
    shown = Table(("id", "parked", "name", "topic", "key"), right=frozenset({"id", "parked"}))
    shown.lines.extend(_parked_line(row, default) for row in look.status.newest_parked)
    return shown


def _parked_line(row: ParkedRow, default: str) -> Line:
    ago = f"{_for(row.parked_at)} ago"
    return Line((str(row.id), ago, row.name, row.topic or default, row.key or "-"), style="red")


def _for(moment: datetime) -> str:
    return age(max(0.0, (datetime.now(UTC) - moment).total_seconds()))
