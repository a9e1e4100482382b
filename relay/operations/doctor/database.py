"""PostgreSQL as a relay needs it: rights, plan, vacuum, disk, xmin, clock and sequence."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import psycopg
from psycopg import errors

from relay.daemon.postgres import queries as daemon
from relay.database.connection import explain
from relay.database.location import quoted
from relay.database.session import Connection, bounded
from relay.operations.doctor.xmin import xmin
from relay.operations.findings import Finding
from relay.operations.outlook import Thresholds
from relay.operations.outlook.remedies import psql
from relay.operations.outlook.wording import listed
from relay.operations.queries import doctor as queries
from relay.settings import SHARDS

Question = Callable[[Connection, Thresholds], Finding]

_SETTINGS: Final = {
    "timeout_ms": "5000",
    "lock_timeout_ms": "5000",
    "application_name": "relay doctor",
}
_CLAIM: Final[Mapping[str, Any]] = {
    "only": None,
    "epoch": "",
    "drawn": 0,
    "watermarks": [0] * SHARDS,
    "last": 0,
    "shards": SHARDS,
}


def examine(connection: Connection, thresholds: Thresholds | None = None) -> Iterator[Finding]:
    """Yield a finding about each of SUBJECTS, in transactions of their own."""
    for subject, question in _QUESTIONS.items():
        yield _asked(subject, question, connection, thresholds or Thresholds())


def _asked(subject: str, question: Question, connection: Connection, limits: Thresholds) -> Finding:
    try:
        with bounded(connection):
            return question(connection, limits)
    except errors.InsufficientPrivilege as error:
        detail = f"not checked: {explain(error)}. It takes the rights of a relay"
    except errors.QueryCanceled:
        detail = "PostgreSQL did not answer in time. Look for locks and load, then repeat"
    except psycopg.Error as error:
        if connection.closed:
            raise
        detail = f"not checked: {explain(error)}"
    return Finding(subject, "unknown", detail)


def _rights(connection: Connection, _: Thresholds) -> Finding:
    missing = [what for (what,) in connection.execute(queries.MISSING_RIGHTS)]
    user = connection.info.user
    if missing:
        grant = f"GRANT outbox_relay TO {quoted(user)}"
        advice = f"{user} lacks {'; '.join(missing)}: as the owner, {grant}, if it relays"
        return Finding("rights", "failed", advice, 2, "rights", psql(grant))
    return Finding("rights", "ok", f"{user} may do what a relay does")


def _table(connection: Connection, _: Thresholds) -> Finding:
    row = connection.execute(queries.TABLE).fetchone()
    assert row is not None  # noqa: S101 - the table is there
    is_table, is_logged, disabled, missing, in_the_way, without_row, is_shown = row
    again = "relay migrate --again"
    if not is_table:
        advice = "outbox is no ordinary table: relays delete rows by what only such a table has"
        return Finding("table", "failed", advice, 2, "table-kind")
    if not is_logged:
        remedy = "ALTER TABLE outbox SET LOGGED"
        advice = f"outbox is unlogged: a crash of the server empties it. As the owner: {remedy}"
        return Finding("table", "failed", advice, 1, "table-unlogged", psql(remedy))
    if missing or without_row or not is_shown:
        shards = f"the rows of {len(without_row)} shards, which nobody relays"
        what = listed(missing) or (shards if without_row else "the view outbox_overview of it")
        advice = f"outbox lacks {what}: it was swapped or restored in part. `{again}` mends it"
        return Finding("table", "failed", advice, 1, "table-parts", again)
    if disabled:
        remedy = "ALTER TABLE outbox ENABLE TRIGGER USER"
        advice = (
            f"disabled on outbox: {listed(disabled)}. Nothing checks rows, rings or counts "
            f"requeues. As the owner: {remedy}"
        )
        return Finding("table", "failed", advice, 1, "triggers-disabled", psql(remedy))
    if in_the_way:
        remedy = "; ".join(in_the_way)
        advice = (
            "a rule, trigger, foreign key or replica identity that is not the outbox's may keep "
            f"published rows from being deleted. As the owner: {remedy}"
        )
        return Finding("table", "failed", advice, 1, "deletion", psql(remedy))
    return Finding("table", "ok", "an ordinary table with its triggers")


def _policies(connection: Connection, _: Thresholds) -> Finding:
    bound = connection.execute(queries.BOUND_BY_POLICIES).fetchall()
    if not bound:
        return Finding("policies", "ok", "row-level security hides nothing from who may relay")
    users = ", ".join(user for user, _ in bound)
    tables = ", ".join(sorted({table for _, names in bound for table in names.split(", ")}))
    remedy = "; ".join(f"ALTER ROLE {user} BYPASSRLS" for user, _ in bound)
    advice = (
        f"row-level security of {tables} binds {users}: relays refuse to work so, since they would "
        f"pass over rows that are hidden from them. As a superuser: {remedy}"
    )
    return Finding("policies", "failed", advice, 2, "policies", psql(remedy))


def _statistics(connection: Connection, _: Thresholds) -> Finding:
    if _only(connection, queries.SEES_OTHERS):
        return Finding("statistics", "ok", "other users' transactions are visible")
    user = connection.info.user
    grant = f"GRANT pg_read_all_stats TO {quoted(user)}"
    detail = f"other users' transactions are hidden from {user}, and so is who holds up what"
    return Finding("statistics", "warning", detail, code="statistics", command=psql(grant))


def _plan(connection: Connection, _: Thresholds) -> Finding:
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
        "plan",
        "relay migrate --again",
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


def _vacuum(connection: Connection, limits: Thresholds) -> Finding:
    row = connection.execute(queries.VACUUM).fetchone()
    assert row is not None  # noqa: S101 - the table is there
    is_on, options, dead_rows = row
    disabled = {"autovacuum_enabled=off", "autovacuum_enabled=false"} & set(options)
    if not is_on or disabled:
        advice = (
            "autovacuum is off: the table grows with each row that was ever written. Switch it on "
            "in postgresql.conf, and ALTER TABLE outbox RESET (autovacuum_enabled)"
        )
        command = psql("ALTER TABLE outbox RESET (autovacuum_enabled)")
        return Finding("vacuum", "failed", advice, 1, "autovacuum-off", command)
    if "autovacuum_vacuum_scale_factor=0" not in options:
        advice = "the table lacks its settings for autovacuum: `relay migrate --again` sets them"
        return Finding(
            "vacuum", "warning", advice, code="vacuum-settings", command="relay migrate --again"
        )
    if dead_rows > limits.dead_rows:
        advice = f"{dead_rows:,} dead rows: end what holds xmin, see below; else vacuum is busy"
        command = psql("VACUUM outbox")
        return Finding("vacuum", "warning", advice, code="dead-rows", command=command)
    return Finding("vacuum", "ok", f"on, with {dead_rows:,} dead rows")


def _clock(connection: Connection, limits: Thresholds) -> Finding:
    before = time.time()
    theirs = _only(connection, queries.CLOCK)
    after = time.time()
    skew = max(before - theirs, theirs - after, 0.0)
    if skew > limits.clock_skew:
        advice = (
            f"this machine and the database differ by {skew:.1f} s, and so does the measured time "
            "from written to acknowledged: let both follow a time server"
        )
        return Finding("clock", "warning", advice, code="clock", command="timedatectl status")
    return Finding("clock", "ok", "agrees with the database's to a second")


def _sequence(connection: Connection, _: Thresholds) -> Finding:
    if _only(connection, queries.SEQUENCE_IS_MISSING):
        remedy = queries.IDENTITY.format(start=_only(connection, queries.HIGHEST) + 1)
        advice = (
            "outbox_id_seq is missing, by which relays know whether all is delivered: nothing is. "
            f"As the owner: {remedy}"
        )
        return Finding("sequence", "failed", advice, 1, "sequence-missing", psql(remedy))
    row = connection.execute(queries.DRAWN).fetchone()
    assert row is not None  # noqa: S101 - a sequence is one row
    drawn, highest, name, rises = row
    if not rises:
        remedy = queries.ONLY_RISE.format(sequence=name)
        advice = (
            "outbox_id_seq counts down, or begins again at its end: newer rows go out before older "
            f"ones of their key. As the owner: {remedy}"
        )
        return Finding("sequence", "failed", advice, 1, "sequence-falls", psql(remedy))
    if drawn < highest:
        remedy = queries.ADVANCE.format(sequence=name, to=highest)
        advice = (
            f"outbox_id_seq is at {drawn}, behind row {highest}: new rows fail, or look older than "
            f"they are. Move it forward, as the owner: {remedy}"
        )
        return Finding("sequence", "failed", advice, 1, "sequence-behind", psql(remedy))
    return Finding("sequence", "ok", f"at {drawn}, not behind any row")


def _disk(connection: Connection, _: Thresholds) -> Finding:
    found = connection.execute(queries.TABLESPACE).fetchone()
    if found is not None:
        connection.execute(queries.TEMP_TABLESPACE, {"tablespace": found[0]})
    try:
        # A savepoint: what was written is gone again, and nothing else is lost.
        with connection.transaction(force_rollback=True):
            connection.execute(queries.DISK)
    except errors.DiskFull as error:
        detail = (
            f"PostgreSQL cannot write ({explain(error).rpartition(': ')[2]}): writers fail, and "
            "with them the service. Give its volume more space; delete no file by hand"
        )
        command = psql("SELECT pg_size_pretty(pg_total_relation_size('outbox'))")
        return Finding("disk", "failed", detail, 1, "disk-full", command)
    return Finding("disk", "ok", "a megabyte could be written")


def _only(connection: Connection, statement: str) -> Any:  # noqa: ANN401 - what the column holds
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM has a row
    return row[0]


_QUESTIONS: Final[Mapping[str, Question]] = {
    "rights": _rights,
    "table": _table,
    "policies": _policies,
    "statistics": _statistics,
    "plan": _plan,
    "vacuum": _vacuum,
    "disk": _disk,
    "xmin": xmin,
    "clock": _clock,
    "sequence": _sequence,
}
SUBJECTS: Final = tuple(_QUESTIONS)
