"""PostgreSQL as a relay needs it: rights, plan, vacuum, clock and sequence."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from psycopg import errors

from relay.daemon.postgres import queries as daemon
from relay.database.session import Connection, bounded
from relay.operations.findings import Finding
from relay.operations.queries import doctor as queries
from relay.settings import SHARDS

DEAD_ROWS: Final = 1_000_000
XMIN_SECONDS: Final = 3_600.0
XMIN_TRANSACTIONS: Final = 10_000_000
SKEW_SECONDS: Final = 1.0

_SETTINGS: Final = {"timeout_ms": "5000", "application_name": "relay doctor"}
_CLAIM: Final[Mapping[str, Any]] = {
    "only": None,
    "epoch": "",
    "drawn": 0,
    "watermarks": [0] * SHARDS,
    "last": 0,
    "shards": SHARDS,
}


def examine(connection: Connection) -> Iterator[Finding]:
    """Yield a finding about each of SUBJECTS, in transactions of their own."""
    for subject, question in _QUESTIONS.items():
        yield _asked(subject, question, connection)


def _asked(
    subject: str, question: Callable[[Connection], Finding], connection: Connection
) -> Finding:
    try:
        with bounded(connection):
            return question(connection)
    except errors.InsufficientPrivilege:
        return Finding(subject, "unknown", "not checked: this user lacks the rights of a relay")
    except errors.QueryCanceled:
        detail = "PostgreSQL did not answer in time. Look for locks and load, then repeat"
        return Finding(subject, "unknown", detail)


def _rights(connection: Connection) -> Finding:
    missing = [what for (what,) in connection.execute(queries.MISSING_RIGHTS)]
    user = connection.info.user
    if missing:
        advice = f"{user} lacks {'; '.join(missing)}: GRANT outbox_relay TO {user}, if it relays"
        return Finding("rights", "failed", advice, 2)
    return Finding("rights", "ok", f"{user} may do what a relay does")


def _statistics(connection: Connection) -> Finding:
    if _only(connection, queries.SEES_OTHERS):
        return Finding("statistics", "ok", "other users' transactions are visible")
    return Finding(
        "statistics",
        "warning",
        "other users' transactions are hidden, so the age of xmin in seconds is too low: GRANT "
        f"pg_read_all_stats TO {connection.info.user}",
    )


def _plan(connection: Connection) -> Finding:
    connection.execute(daemon.LEASE_SETTINGS, _SETTINGS)
    claim = daemon.with_exclusions(daemon.CLAIM, topics=False, partitions=False)
    explained = connection.execute(b"EXPLAIN (FORMAT JSON) " + claim.encode(), _CLAIM).fetchone()
    scans = [scan for scan in _scans(explained) if scan["Relation Name"] == "outbox"]
    if all(scan.get("Index Name") == "outbox_pending" for scan in scans):
        return Finding("plan", "ok", "the claim uses the index outbox_pending")
    used = ", ".join(scan["Node Type"] for scan in scans)
    return Finding(
        "plan",
        "failed",
        f"the claim cannot use the index outbox_pending ({used} instead): `relay migrate --again` "
        "creates it where it is missing, REINDEX INDEX CONCURRENTLY outbox_pending repairs it",
        1,
    )


def _scans(node: object) -> Iterator[dict[str, Any]]:
    """Yield every node of a plan that reads a table."""
    if isinstance(node, dict):
        if "Relation Name" in node:
            yield node
        for inner in node.values():
            yield from _scans(inner)
    elif isinstance(node, list | tuple):
        for inner in node:
            yield from _scans(inner)


def _vacuum(connection: Connection) -> Finding:
    row = connection.execute(queries.VACUUM).fetchone()
    assert row is not None  # noqa: S101 - the table is there
    is_on, options, dead_rows = row
    disabled = {"autovacuum_enabled=off", "autovacuum_enabled=false"} & set(options)
    if not is_on or disabled:
        advice = (
            "autovacuum is off: the table grows with each row that was ever written. Switch it on "
            "in postgresql.conf, and ALTER TABLE outbox RESET (autovacuum_enabled)"
        )
        return Finding("vacuum", "failed", advice, 1)
    if "autovacuum_vacuum_scale_factor=0" not in options:
        advice = "the table lacks its settings for autovacuum: `relay migrate --again` sets them"
        return Finding("vacuum", "warning", advice)
    if dead_rows > DEAD_ROWS:
        advice = f"{dead_rows:,} dead rows: see xmin below; if nothing is there, VACUUM outbox"
        return Finding("vacuum", "warning", advice)
    return Finding("vacuum", "ok", f"on, with {dead_rows:,} dead rows")


def _xmin(connection: Connection) -> Finding:
    measured = connection.execute(
        daemon.MEASURE, {"watermarks": [0] * SHARDS, "limit": 1}
    ).fetchone()
    assert measured is not None  # noqa: S101 - a SELECT without FROM has a row
    seconds, transactions = measured[-2:]
    held = f"{seconds:.0f} s and {transactions:,} transactions"
    if seconds > XMIN_SECONDS or transactions > XMIN_TRANSACTIONS:
        advice = (
            f"something has kept vacuum from its work for {held}: look for old transactions in "
            "pg_stat_activity, pg_prepared_xacts and pg_replication_slots, and end them"
        )
        return Finding("xmin", "warning", advice)
    return Finding("xmin", "ok", f"the oldest transaction is {held} old")


def _clock(connection: Connection) -> Finding:
    before = time.time()
    theirs = _only(connection, queries.CLOCK)
    after = time.time()
    skew = max(before - theirs, theirs - after, 0.0)
    if skew > SKEW_SECONDS:
        advice = (
            f"this machine and the database differ by {skew:.1f} s, and so does the measured time "
            "from written to acknowledged: let both follow a time server"
        )
        return Finding("clock", "warning", advice)
    return Finding("clock", "ok", "agrees with the database's to a second")


def _sequence(connection: Connection) -> Finding:
    row = connection.execute(queries.DRAWN).fetchone()
    assert row is not None  # noqa: S101 - a sequence is one row
    drawn, highest, name = row
    if drawn < highest:
        remedy = queries.ADVANCE.format(sequence=name, to=highest)
        advice = (
            f"outbox_id_seq is at {drawn}, behind row {highest}: new rows fail, or look older than "
            f"they are. Move it forward, as the owner: {remedy}"
        )
        return Finding("sequence", "failed", advice, 1)
    return Finding("sequence", "ok", f"at {drawn}, not behind any row")


def _only(connection: Connection, statement: str) -> Any:  # noqa: ANN401 - what the column holds
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM has a row
    return row[0]


_QUESTIONS: Final[Mapping[str, Callable[[Connection], Finding]]] = {
    "rights": _rights,
    "statistics": _statistics,
    "plan": _plan,
    "vacuum": _vacuum,
    "xmin": _xmin,
    "clock": _clock,
    "sequence": _sequence,
}
SUBJECTS: Final = tuple(_QUESTIONS)
