"""How PostgreSQL finds the relay's rows when all that it goes by speaks for the wrong plan."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any, Final, LiteralString

import pytest

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres import queries
from relay.daemon.rows import Delivered
from relay.settings import SHARDS
from tests.daemon.conftest import LEASE_SHARDS, MakeStore
from tests.support.eventually import eventually
from tests.support.outbox import Outbox
from tests.support.postgres import Database

ROWS = 20_000
PARKED = 10
LIMIT = 1_000
PER_SHARD = 10
NO_WATERMARKS = [0] * SHARDS
HIGHEST = [2**63 - 1] * SHARDS
# An index looks dearer than the whole table.
ILL_ADVICE: Final = {"random_page_cost": "1000000", "jit": "on"}

# Each statement with its parameters, the indexes that it goes by, and the rows that it may visit.
STATEMENTS: Final[dict[str, tuple[str, dict[str, Any], set[str], int]]] = {
    "claim": (
        queries.CLAIM,
        {
            "watermarks": NO_WATERMARKS,
            "resume": NO_WATERMARKS,
            "only": None,
            "epoch": "",
            "drawn": 0,
            "last": 0,
            "shards": LEASE_SHARDS,
        },
        {"outbox_pending"},
        SHARDS,
    ),
    "read": (
        queries.READ,
        {
            "shards": list(range(LEASE_SHARDS)),
            "after": [0] * LEASE_SHARDS,
            "resume": [0] * LEASE_SHARDS,
            "upto": 2**63 - 1,
            "rows_per_shard": 100,
            "inline_bytes": 8192,
            "readable_bytes": 1_000_000,
        },
        {"outbox_pending"},
        100 * LEASE_SHARDS,
    ),
    "below": (
        queries.BELOW.replace("= %(epoch)s", "<> %(epoch)s"),
        {"epoch": "", "watermarks": HIGHEST, "resume": HIGHEST, "limit": 1},
        {"outbox_pending"},
        SHARDS,
    ),
    "firsts": (
        queries.FIRSTS,
        {"watermarks": NO_WATERMARKS, "resume": NO_WATERMARKS},
        {"outbox_pending"},
        SHARDS,
    ),
    "backlog": (
        queries.BACKLOG,
        {"watermarks": NO_WATERMARKS, "resume": NO_WATERMARKS, "limit": PER_SHARD},
        {"outbox_pending"},
        PER_SHARD * SHARDS,
    ),
    "measure": (queries.MEASURE, {"limit": LIMIT}, {"outbox_parked"}, PARKED),
}


@pytest.fixture
def ill_advised(database: Database, outbox: Outbox) -> Outbox:
    """Many rows, with the statistics of an empty table, where connections begin ill-advised."""
    for setting, value in ILL_ADVICE.items():
        outbox.connection.execute(
            f"ALTER DATABASE {database.name} SET {setting} = {value}".encode()
        )
    outbox.connection.execute("ALTER TABLE outbox SET (autovacuum_enabled = off)")
    outbox.connection.execute("ANALYZE outbox")
    outbox.fill(ROWS, keys=2_000)
    outbox.connection.execute(
        "INSERT INTO outbox (name, payload, parked_at) "
        "SELECT 'parked', '{}', now() FROM generate_series(1, %s)",
        (PARKED,),
    )
    return outbox


def explained(
    database: Database, statement: str, parameters: dict[str, Any], *, resumed: bool = False
) -> tuple[dict[str, Any], str]:
    """Run *statement* as a lease does; return its plan, and the setting of jit."""
    filled = queries.with_exclusions(statement, resumed=resumed)
    with database.connect() as connection:
        connection.execute(
            queries.LEASE_SETTINGS,
            {"timeout_ms": "20000", "lock_timeout_ms": "5000", "application_name": "test"},
        )
        row = connection.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {filled}".encode(),
            {"topic": "topic", "partitioner": "murmur2", "beside": [], **parameters},
        ).fetchone()
        jit = connection.execute("SHOW jit").fetchone()
    assert row is not None
    assert jit is not None
    return row[0][0]["Plan"], jit[0]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def visits(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes that look at rows of the outbox."""
    return [node for node in nodes(plan) if node.get("Relation Name") == "outbox"]


def rows_visited(plan: dict[str, Any]) -> int:
    return sum(round(node["Actual Rows"] * node["Actual Loops"]) for node in visits(plan))


@pytest.mark.usefixtures("ill_advised")
def test_a_statement_goes_by_its_index_and_is_not_compiled(database: Database) -> None:
    # One after the other: to fill the tables takes the time of all of them.
    for (name, (statement, parameters, indexes, rows)), resumed in product(
        STATEMENTS.items(), (False, True)
    ):
        plan, jit = explained(database, statement, parameters, resumed=resumed)
        used = {node["Index Name"] for node in nodes(plan) if "Index Name" in node}
        assert "Seq Scan" not in {node["Node Type"] for node in visits(plan)}, name
        assert indexes <= used, name
        assert "outbox_pkey" not in used, name
        assert 0 < rows_visited(plan) <= rows, name
        # Not every server has the compiler: its absence from the plan would prove nothing.
        assert jit == "off", name


@pytest.mark.usefixtures("ill_advised")
def test_payloads_are_not_copied_into_a_sort_or_a_window(database: Database) -> None:
    statement, parameters, _, _ = STATEMENTS["read"]
    plan, _ = explained(database, statement, parameters)
    kinds = {node["Node Type"] for node in nodes(plan)}
    assert "Index Scan" in kinds
    assert not kinds & {"Sort", "Incremental Sort", "WindowAgg"}


def fill_misled(outbox: Outbox, deletion: LiteralString) -> None:
    """Insert many rows, with the statistics of a moment when nearly all rows were dead."""
    outbox.connection.execute("ALTER TABLE outbox SET (autovacuum_enabled = off)")
    outbox.fill(ROWS, keys=2_000)
    outbox.connection.execute(deletion)
    outbox.connection.execute("ANALYZE outbox")
    outbox.fill(ROWS, keys=2_000)


@pytest.fixture(params=["DELETE FROM outbox", "DELETE FROM outbox WHERE shard <> 5"])
def misled(outbox: Outbox, request: pytest.FixtureRequest) -> None:
    """Many rows, with the statistics of a moment when nearly all rows were dead."""
    fill_misled(outbox, request.param)


@pytest.mark.usefixtures("misled")
def test_no_statement_walks_through_the_rows_of_other_shards(database: Database) -> None:
    # Of parked rows, which `measure` looks at, there are none.
    statements = [each for each in STATEMENTS.items() if each[0] != "measure"]
    for (name, (statement, parameters, _, rows)), resumed in product(statements, (False, True)):
        plan, _ = explained(database, statement, parameters, resumed=resumed)
        used = {node["Index Name"] for node in visits(plan)}
        assert used <= {"outbox_pending", "outbox_parked"}, name
        assert sum(node.get("Rows Removed by Filter", 0) for node in visits(plan)) == 0, name
        assert 0 < rows_visited(plan) <= rows, name


@pytest.mark.parametrize("advice", ["ill_advised", "misled"])
def test_settling_looks_at_no_row_but_those_that_it_settles(
    advice: str, request: pytest.FixtureRequest, outbox: Outbox, database: Database
) -> None:
    if advice == "misled":
        fill_misled(outbox, "DELETE FROM outbox")
    else:
        request.getfixturevalue(advice)
    found = outbox.connection.execute(
        "SELECT id, event_id::text FROM outbox WHERE parked_at IS NULL LIMIT %s", (LIMIT,)
    ).fetchall()
    ids, event_ids = [id_ for id_, _ in found], [event_id for _, event_id in found]
    parameters = {
        "ids": ids, "event_ids": event_ids, "errors": json.dumps(dict.fromkeys(ids, "why")),
        "shards": list(range(SHARDS)),
    }  # fmt: skip
    for statement in (
        queries.LOCKED, queries.PARK, queries.DELETE_FREE, queries.NOTE_UNSETTLED,
    ):  # fmt: skip
        plan, _ = explained(database, statement, parameters)
        looks = [node for node in visits(plan) if "Scan" in node["Node Type"]]
        assert {node["Index Name"] for node in looks} == {"outbox_pkey"}, statement
        removed = sum(node.get("Rows Removed by Filter", 0) for node in looks)
        assert rows_visited({"Plans": looks, "Node Type": ""}) <= 3 * LIMIT, statement
        assert removed == 0, statement


def scans(outbox: Outbox) -> tuple[int, int]:
    """How often the outbox was read as a whole, and how often its claim index was used."""
    row = outbox.connection.execute(
        "SELECT t.seq_scan, i.idx_scan FROM pg_stat_user_tables AS t "
        "JOIN pg_stat_user_indexes AS i USING (relid) WHERE i.indexrelname = 'outbox_pending'"
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_no_step_of_the_relay_reads_the_whole_outbox(
    ill_advised: Outbox, make_store: MakeStore
) -> None:
    store = make_store()
    wholes, probes = scans(ill_advised)
    store.refresh_watermarks(Exclusions())
    store._survey.measure(Exclusions())  # noqa: SLF001
    with store.lease(Exclusions()) as lease:
        assert lease is not None
        lease.settle([Delivered(rows) for rows in lease.chunks()])
    # Connections report what they did when they end.
    store.close()
    eventually(lambda: scans(ill_advised)[1] > probes)
    assert scans(ill_advised)[0] == wholes
