"""Finding about xmin: whoever keeps vacuum from its work, by name."""

from collections.abc import Sequence

from relay.database.session import Connection, bounded
from relay.operations.findings import Finding
from relay.operations.outlook import Thresholds
from relay.operations.outlook.remedies import ended, psql
from relay.operations.outlook.wording import at
from relay.operations.pins import Pin, pins
from relay.operations.queries import doctor as queries


def xmin(connection: Connection, limits: Thresholds) -> Finding:
    """Return the finding about the oldest pins of xmin."""
    found = pins(connection)
    holding = [pin for pin in found if _is_old(pin, limits)]
    if holding:
        detail = (
            f"vacuum is kept from its work by {'; '.join(map(named, holding[:5]))}. End what "
            "nobody needs: a prepared transaction by ROLLBACK PREPARED once its coordinator forgot "
            "it, a slot by pg_drop_replication_slot() once its consumer is gone for good"
        )
        return Finding("xmin", "warning", detail, code="xmin-held", command=command(holding))
    with bounded(connection):
        sees_others = connection.execute(queries.SEES_OTHERS).fetchone()
    if not (sees_others and sees_others[0]):
        detail = f"not checked: other users' transactions are hidden from {connection.info.user}"
        return Finding("xmin", "unknown", detail)
    oldest = max((pin.seconds or 0.0 for pin in found), default=0.0)
    transactions = max((pin.transactions or 0 for pin in found), default=0)
    held = f"{oldest:.0f} s and {transactions:,} transactions"
    return Finding("xmin", "ok", f"the oldest transaction is {held} old")


def _is_old(pin: Pin, limits: Thresholds) -> bool:
    return (pin.seconds or 0) > limits.xmin or (pin.transactions or 0) > limits.xmin_transactions


def named(pin: Pin) -> str:
    """Return what pins xmin, in words."""
    behind = f"{pin.transactions:,} transactions ago" if pin.transactions is not None else ""
    since = f"since {at(pin.since)}" if pin.since else behind
    match pin.kind:
        case "prepared":
            return f"the prepared transaction {pin.name} of {pin.user_name}, {since}"
        case "slot":
            active = f"used by pid {pin.pid}" if pin.pid else "used by nobody"
            return f"the replication slot {pin.name}, {active}, {since}"
        case "standby":
            return f"the standby {pin.name or 'without a name'} (pid {pin.pid}), {behind}"
    query = f", query of {at(pin.query_start)}" if pin.query_start else ""
    name = pin.name or "no application name"
    return f"pid {pin.pid} ({name}, user {pin.user_name}, {since}{query})"


def command(holding: Sequence[Pin]) -> str:
    """Return the command that ends the oldest session, or else shows what to end by hand."""
    for pin in holding:
        if pin.kind == "session" and pin.pid is not None:
            return ended(pin.pid, pin.since)
    table = "pg_replication_slots" if holding[0].kind == "slot" else "pg_prepared_xacts"
    if holding[0].kind == "standby":
        table = "pg_stat_replication"
    return psql(f"TABLE {table}")
