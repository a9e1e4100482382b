"""Obstacles: what stands between rows that wait and Kafka, each with the command that mends it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from relay.operations.findings import Finding, Outcome
from relay.operations.outlook.facts import Facts, Session, Thresholds
from relay.operations.outlook.remedies import ended, for_hold, for_parked, psql
from relay.operations.outlook.wording import age, at, counted, listed
from relay.settings import SHARDS

_CREDENTIAL: Final = re.compile(r"(?i)authentication|sasl|credential")
# An encoding in which PostgreSQL does not know what characters its bytes are.
_WITHOUT_MEANING: Final = frozenset({"SQL_ASCII", "MULE_INTERNAL"})


def obstacles(facts: Facts, thresholds: Thresholds) -> Iterator[Finding]:
    """Yield a finding for each obstacle; those that keep rows waiting have failed."""
    yield from _no_relay(facts)
    yield from _failing(facts)
    yield from former_outboxes(facts.former)
    yield from _flag(facts)
    yield from _paused(facts)
    yield from _locked_shards(facts, thresholds)
    yield from _locks(facts)
    yield from _holds(facts)
    yield from _brokers(facts)
    yield from _writers(facts)
    yield from _unsettled(facts)
    yield from _parked(facts)
    yield from _defects(facts)


def _found(
    code: str, detail: str, command: str, *, rows: int | None = None, fails: bool = False,
    subject: str = "",
) -> Finding:  # fmt: skip
    outcome: Outcome = "failed" if fails else "warning"
    return Finding(
        subject or code.replace("-", " "), outcome, detail, int(fails), code, command, rows
    )


def _no_relay(facts: Facts) -> Iterator[Finding]:
    if facts.relays is None or facts.streaming:
        return
    told = "No relay has been here within the last hour"
    if facts.relays:
        last = max(facts.relays, key=lambda relay: relay.seen_at)
        off = "" if last.streaming else ", with ENABLE_EVENT_STREAMING off"
        ended = "ended" if last.ended_at else "gave its last sign of life"
        told = f"The last relay, {last.name} (pid {last.pid}{off}), {ended} "
        told += f"{age(last.silent_seconds)} ago"
        if last.alive:
            told = f"The only relays are off: {last.name} (pid {last.pid}) idles, told so by "
            told += "ENABLE_EVENT_STREAMING"
    pending = facts.pending or 0
    detail = f"{told}; {counted(pending)} {'waits' if pending == 1 else 'wait'} for one"
    yield _found("no-relay", detail, "relay run", rows=pending, fails=pending > 0)


def _failing(facts: Facts) -> Iterator[Finding]:
    faults: dict[str, list[str]] = defaultdict(list)
    for relay in facts.streaming:
        if relay.fault:
            faults[relay.fault].append(f"{relay.name} (pid {relay.pid})")
    for fault, relays in faults.items():
        detail = (
            f"{fault.rstrip('.')}, says PostgreSQL to {listed(relays)}: what it refuses does not "
            "go on. Run this with the settings of that relay: it names rights and tables"
        )
        fails = bool(facts.pending) or facts.pending is None
        yield _found("relay-fails", detail, "relay doctor", rows=facts.pending, fails=fails)


def former_outboxes(tables: Sequence[tuple[str, int]] | None) -> Iterator[Finding]:
    """Yield a finding for each table that was the outbox, with its rows."""
    for table, rows in tables or ():
        detail = (
            f"{table} was the outbox before another table took its name, and no relay reads it; "
            f"it has about {counted(rows)}. What waits there goes back with its id: in order "
            "among themselves, but behind newer rows that are out. Drop the table then"
        )
        columns = (
            "id, event_id, topic, key, name, payload, metadata, headers, created_at, attempts, "
            "parked_at, last_error, replayed"
        )
        command = psql(
            # The name comes quoted from the catalogue.
            f"WITH moved AS (DELETE FROM {table} RETURNING *) INSERT INTO outbox ({columns}) "  # noqa: S608
            f"OVERRIDING SYSTEM VALUE SELECT {columns} FROM moved ORDER BY id; "
            # Or a writer would draw one of these ids some day.
            "SELECT setval(q.name, q.top) FROM (SELECT pg_get_serial_sequence('outbox', 'id') "
            "AS name, (SELECT max(id) FROM outbox) AS top) AS q WHERE q.top > nextval(q.name)"
        )
        yield _found("left-behind", detail, command, rows=rows, fails=True)


def _flag(facts: Facts) -> Iterator[Finding]:
    if facts.flag is None:
        return
    off = [relay for relay in facts.alive if not relay.streaming]
    flag = facts.flag
    by = f", set by {flag.by} at {at(flag.at)}" if flag.by else ""
    if facts.streaming and not flag.streaming:
        names = listed(relay.name for relay in facts.streaming)
        detail = (
            f"off in the database{by}, and on at {names}: triggers and outbox_emit() write nothing "
            "until the next sample of a relay that is on"
        )
        yield _found("flag", detail, "relay status", fails=True)
    elif facts.streaming and off:
        names, others = (listed(r.name for r in group) for group in (facts.streaming, off))
        detail = (
            f"on at {names}, off at {others}; the database has it on{by}. Give all relays of this "
            "outbox the same ENABLE_EVENT_STREAMING, and restart those that differ"
        )
        yield _found("flag", detail, "ENABLE_EVENT_STREAMING=true relay run")


def _paused(facts: Facts) -> Iterator[Finding]:
    groups: dict[tuple[str | None, str | None], list[int]] = defaultdict(list)
    since: dict[int, Any] = {}
    for pause in facts.paused or ():
        groups[pause.who, pause.reason].append(pause.shard)
        since[pause.shard] = pause.paused_at
    for (who, reason), shards in groups.items():
        waiting = rows_of(facts, shards)
        by = f" by {who}: “{reason}”" if who else " by plain SQL, so nobody noted who and why"
        everything = len(shards) == SHARDS
        which = f"all {SHARDS} shards" if everything else f"shard {_numbers(shards)}"
        first = at(min(since[shard] for shard in shards))
        detail = f"{which} paused since {first}{by}; {counted(waiting)} in them"
        chosen = "--all" if everything else " ".join(f"--shard {shard}" for shard in shards)
        command = f'relay resume {chosen} --reason "REASON"'
        yield _found("shards-paused", detail, command, rows=waiting, fails=bool(waiting))


def _locked_shards(facts: Facts, thresholds: Thresholds) -> Iterator[Finding]:
    for session in facts.shard_locks or ():
        waiting = rows_of(facts, session.shards)
        which = f"shard {_numbers(session.shards)}"
        if not session.is_relay:
            detail = (
                f"{which} locked by a session that is no relay: {who(session)}; "
                f"{counted(waiting)} in them"
            )
            yield _found(
                "shards-locked",
                detail,
                ended(session.pid, session.since),
                rows=waiting,
                fails=bool(waiting),
            )
        elif (session.seconds or 0) > thresholds.lease:
            detail = f"{which} leased for {age(session.seconds)}: {who(session)} hangs"
            yield _found(
                "lease-hangs",
                detail,
                ended(session.pid, session.since),
                rows=waiting,
                fails=bool(waiting),
            )


def _locks(facts: Facts) -> Iterator[Finding]:
    told: set[int] = set()
    fails = bool(facts.pending) or facts.pending is None
    for session in facts.table_locks or ():
        told.add(session.pid)
        detail = f"{listed(session.tables)} locked against relays by {who(session)}"
        yield _found("table-locked", detail, ended(session.pid, session.since), fails=fails)
    for session in facts.blockers or ():
        if session.pid not in told and not session.is_relay:
            pids = listed(map(str, session.blocked))
            detail = f"relays (pid {pids}) wait for a lock of {who(session)}"
            yield _found("relay-blocked", detail, ended(session.pid, session.since), fails=fails)


def _holds(facts: Facts) -> Iterator[Finding]:
    seen: set[tuple[str, int | None]] = set()
    for relay in facts.alive:
        for hold in relay.holds:
            topic, partition = hold["topic"], hold["partition"]
            if (topic, partition) in seen:
                continue
            seen.add((topic, partition))
            rows = held_rows(facts, topic, partition)
            place = topic if partition is None else f"{topic} [{partition}]"
            more = (
                f"{counted(rows)} {'waits' if rows == 1 else 'wait'} for it"
                if rows is not None
                else "its rows wait"
            )
            detail = f"{hold.get('why') or 'it cannot be written'}; {_times(hold)}{more}"
            code = "topic-on-hold" if partition is None else "partition-on-hold"
            command = for_hold(topic, str(hold.get("why", "")))
            yield _found(
                code, detail, command, rows=rows, fails=rows is None or rows > 0,
                subject=f"on hold: {place}",
            )  # fmt: skip


def _times(hold: Any) -> str:  # noqa: ANN401 - as JSON has it
    since, next_try = hold.get("since"), hold.get("next_try_at")
    if since is None or next_try is None:
        return ""
    return f"since {at(since)}, next try at {at(next_try)}; "


def _brokers(facts: Facts) -> Iterator[Finding]:
    errors: dict[str, str] = {}
    for relay in facts.alive:
        for error in relay.broker_errors:
            errors.setdefault(str(error.get("address") or "Kafka"), str(error.get("text", "")))
    flows = any(relay.rate > 0 for relay in facts.streaming)
    for address, text in errors.items():
        host, _, port = address.rpartition(":")
        command = f"nc -vz {host} {port}" if host else "relay check"
        code, next_step = "broker-away", "rows wait until it answers"
        if _CREDENTIAL.search(text):
            code, command = "broker-credential", "relay check"
            next_step = "rows wait. Correct the credential, and restart the relays, which read it"
        yield _found(
            code, f"{address}: {text}; {next_step}", command,
            rows=facts.pending, fails=bool(facts.pending) and not flows,
        )  # fmt: skip


def _writers(facts: Facts) -> Iterator[Finding]:
    for session in facts.writers or ():
        detail = (
            f"{who(session)} has written to the outbox and not committed: its rows are nobody's "
            "yet, and low watermarks stand still"
        )
        yield _found("open-writer", detail, ended(session.pid, session.since))


def _unsettled(facts: Facts) -> Iterator[Finding]:
    if facts.unsettled:
        detail = (
            f"{counted(len(facts.unsettled))}, the first with id {facts.unsettled[0]}, published "
            "and still there: a transaction has them locked, and relays delete them when it ends"
        )
        command = psql(
            "SELECT pid, application_name, xact_start FROM pg_stat_activity "
            "WHERE backend_xid IS NOT NULL ORDER BY xact_start"
        )
        yield _found("rows-locked", detail, command, rows=len(facts.unsettled))


def _parked(facts: Facts) -> Iterator[Finding]:
    for parked in facts.parked or ():
        reason = parked.reason or "no error noted"
        topic = parked.topic or facts.default_topic
        place = f" for {topic}" if topic else ""
        detail = f"{counted(parked.rows)}{place}, the first with id {parked.first_id}: {reason}"
        command = for_parked(parked.first_id, topic, reason)
        yield _found("rows-parked", detail, command, rows=parked.rows)


def _defects(facts: Facts) -> Iterator[Finding]:
    if facts.sequence and facts.sequence[0] > 1:
        cache, name = facts.sequence
        detail = (
            f"{name} has CACHE {cache}: sessions draw ids ahead, so their order is not that of "
            "commits, and low watermarks never rise"
        )
        command = psql(f"ALTER SEQUENCE {name} CACHE 1")
        yield _found("sequence-cache", detail, command, fails=True)
    if facts.encoding in _WITHOUT_MEANING:
        detail = (
            f"the database is in {facts.encoding}, in which bytes have no meaning: what is no "
            "UTF-8 is parked. Dump it, and restore it into a database in UTF8"
        )
        yield _found("encoding", detail, "createdb --encoding=UTF8 --template=template0 NAME")
    missed = sum(relay.missed for relay in facts.alive)
    if missed:
        detail = (
            f"{counted(missed)} came back below a low watermark, were found there and go out late: "
            "by COPY, setval() or a sequence cache"
        )
        yield _found("below-watermark", detail, "relay status", rows=missed)
    for relay in facts.relays or ():
        if relay.drain_timed_out and relay.ended_at:
            detail = (
                f"{relay.name} (pid {relay.pid}) ended at {at(relay.ended_at)} with a lease under "
                "way: some rows went out twice. Is Kafka slow, or the drain budget too small?"
            )
            yield _found("drain-timed-out", detail, "RELAY_DRAIN_BUDGET_SECONDS=30 relay run")


def rows_of(facts: Facts, shards: Iterable[int]) -> int:
    """Return the rows that wait in *shards*."""
    chosen = set(shards)
    return sum(waiting.rows for waiting in facts.backlog or () if waiting.shard in chosen)


def held_rows(facts: Facts, topic: str, partition: int | None) -> int | None:
    """Return the rows that wait for a topic, or a partition, on hold; None for unknown."""
    if partition is not None:
        return facts.held_rows.get((topic, partition))
    if facts.backlog is None:
        return None
    default = facts.default_topic
    return sum(waiting.rows for waiting in facts.backlog if (waiting.topic or default) == topic)


def who(session: Session) -> str:
    """Return pid, application and user, and the start of transaction and query."""
    name = session.application or "no application name"
    user = f", user {session.user_name}" if session.user_name else ""
    since = f", since {at(session.since)}" if session.since else ", since when is hidden"
    query = f", query of {at(session.query_start)}" if session.query_start else ""
    return f"pid {session.pid} ({name}{user}{since}{query})"


def _numbers(shards: Sequence[int]) -> str:
    shown = ", ".join(map(str, shards[:8]))
    return shown if len(shards) <= 8 else f"{shown} and {len(shards) - 8} more"  # noqa: PLR2004
