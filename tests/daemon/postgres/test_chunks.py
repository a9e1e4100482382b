"""How a lease reads: chunks in id order and of a bounded size, each payload whole."""

import json
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres import queries
from relay.daemon.rows import Row
from relay.database.connection import BoundedConnection
from tests.daemon.conftest import MakeStore
from tests.support.outbox import Outbox

NOTHING_HELD = Exclusions()
SIZES = [10, 8_192, 8_193, 20_000, 300_000, 50, 8_193, 100, 2_000_000, 9_000] * 4
CHUNK_BYTES = 400_000
# Of a value as PostgreSQL stores it.
HEADER_BYTES = 4


@pytest.fixture
def written(outbox: Outbox) -> list[str]:
    """The payloads of rows small and large, of several keys."""
    payloads = [json.dumps({"x": "ä" * ((size - 8) // 2)}, ensure_ascii=False) for size in SIZES]
    for number, payload in enumerate(payloads):
        outbox.emit("Row", payload, key=f"key-{number % 7}")
    return payloads


def chunks(make_store: MakeStore, **settings: int) -> list[Sequence[Row]]:
    """What one lease reads; its watermarks say that all rows are decided."""
    store = make_store(**settings)
    store.refresh_watermarks(NOTHING_HELD)
    with store.lease(NOTHING_HELD) as lease:
        assert lease is not None
        return list(lease.chunks())


def test_payloads_small_and_large_come_whole(written: list[str], make_store: MakeStore) -> None:
    read = {row.id: row for rows in chunks(make_store) for row in rows}
    assert [read[id_].payload for id_ in sorted(read)] == written
    for id_, text in zip(sorted(read), written, strict=True):
        assert 0 <= read[id_].size - len(text.encode() + b"Rowkey-0") <= HEADER_BYTES


def test_all_that_is_read_counts_and_large_metadata_comes_whole(
    outbox: Outbox, make_store: MakeStore
) -> None:
    metadata, headers = (json.dumps({name: "x" * 10_000}) for name in ("versions", "traceparent"))
    outbox.connection.execute(
        "INSERT INTO outbox (name, payload, key, metadata, headers)"
        " VALUES ('Row', '{}', 'k', %s, %s)",
        (metadata, headers),
    )
    [[row]] = chunks(make_store)
    assert (row.payload, row.metadata, row.headers) == ("{}", metadata, headers)
    assert 0 <= row.size - len("{}Rowk" + metadata + headers) <= 3 * HEADER_BYTES


def test_a_replay_is_told_by_a_header(outbox: Outbox, make_store: MakeStore) -> None:
    outbox.connection.execute(
        "INSERT INTO outbox (name, payload, headers, replayed) VALUES"
        " ('Row', '{}', NULL, true), ('Row', %(large)s, '{\"a\": \"b\"}', true),"
        " ('Row', '{}', '{\"a\":  \"b\"}', false)",
        {"large": json.dumps({"x": "x" * 10_000})},
    )
    rows = sorted(row for found in chunks(make_store) for row in found)
    assert [json.loads(row.headers or "{}") for row in rows] == [
        {"replay": "true"},
        {"a": "b", "replay": "true"},
        {"a": "b"},
    ]
    assert rows[2].headers == '{"a":  "b"}'


def test_a_chunk_ends_with_the_row_that_fills_it(written: list[str], make_store: MakeStore) -> None:
    found = chunks(make_store, chunk_bytes=CHUNK_BYTES)
    assert sorted(row.id for rows in found for row in rows) == list(range(1, len(written) + 1))
    for rows in found:
        assert [row.id for row in rows] == sorted(row.id for row in rows)
        assert sum(row.size for row in rows[:-1]) < CHUNK_BYTES


def test_of_a_row_that_nobody_can_send_only_the_size_is_read(
    outbox: Outbox, make_store: MakeStore
) -> None:
    huge = json.dumps({"x": "x" * 3_000_000})
    with outbox.as_version_1() as connection:
        connection.execute(
            "INSERT INTO outbox (key, name, payload) VALUES ('a', 'small', '{}'),"
            " ('b', 'huge', %(huge)s), ('c', repeat('n', 2000000), '{}'),"
            " (repeat('k', 2000000), 'key', '{}'), ('d', 'large', %(large)s),"
            " ('e', 'huge', %(huge)s)",
            {"huge": huge, "large": json.dumps({"x": "x" * 900_000})},
        )
    store = make_store(lease_bytes=2_000_000, lease_shards=64)
    with store.lease(NOTHING_HELD, sendable_bytes=1_000_000) as lease:
        assert lease is not None
        rows = sorted(row for found in lease.chunks() for row in found)
    # All at once, since what is not read fills no lease.
    assert [(row.key, len(row.name), len(row.payload or "")) for row in rows] == [
        ("a", 5, 2), ("b", 4, 0), ("c", 255, 0), (None, 3, 0), ("d", 5, 900_009), ("e", 4, 0),
    ]  # fmt: skip
    assert rows[1].size == len(huge + "b" + "huge")
    assert rows[3].size > 2_000_000


def test_a_large_row_that_somebody_deletes_meanwhile_is_left_out(
    written: list[str], outbox: Outbox, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = SIZES.index(300_000) + 1
    execute = BoundedConnection.execute

    def after_the_deletion(
        self: BoundedConnection,
        query: str,
        *rest: Any,  # noqa: ANN401
        **named: Any,  # noqa: ANN401
    ) -> psycopg.Cursor[Any]:
        if query == queries.LARGE:
            outbox.connection.execute("DELETE FROM outbox WHERE id = %s", (gone,))
        return execute(self, query, *rest, **named)

    monkeypatch.setattr(BoundedConnection, "execute", after_the_deletion)
    read = {row.id for rows in chunks(make_store) for row in rows}
    assert read == set(range(1, len(written) + 1)) - {gone}
