"""Ids follow the buffer within a transaction, and the locks between transactions."""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from relay import Message, Outbox
from relay.service import insert
from tests.support.eventually import eventually
from tests.support.models import Host, HostStatusUpdated
from tests.support.postgres import Database
from tests.support.service import Stored

CLUSTER = uuid.UUID("0c1ab1e0-0000-4000-8000-000000000001")


def status_updated(old: str, new: str) -> HostStatusUpdated:
    return HostStatusUpdated(cluster_id=CLUSTER, host_name="h", old=old, new=new)


@pytest.mark.parametrize("chunk_bytes", [insert.CHUNK_BYTES, 1000])
def test_rows_keep_their_order(
    chunk_bytes: int,
    engine: Engine,
    outbox: Outbox,
    stored: Stored,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(insert, "CHUNK_BYTES", chunk_bytes)
    with Session(engine) as session, session.begin():
        for number in range(2000):
            outbox.emit(session, Message(f"m{number}", {"filler": "x" * (number % 97)}))
            if number % 3 == 0:
                outbox.emit(session, status_updated("a", str(number)))
    names = [name for name in stored.names() if name != "HostStatusUpdated"]
    assert names == [f"m{number}" for number in range(2000)]
    streamed = [payload["new"] for payload in stored.payloads("HostStatusUpdated")]
    assert streamed == [str(number) for number in range(0, 2000, 3)]
    assert [event["props"]["new"] for event in stored.events()] == streamed


def test_rows_larger_than_a_chunk(engine: Engine, outbox: Outbox, stored: Stored) -> None:
    filler = "x" * (insert.CHUNK_BYTES + 1)
    with Session(engine) as session, session.begin():
        for name in ("a", "b"):
            outbox.emit(session, Message(name, {"filler": filler}))
    assert stored.names() == ["a", "b"]
    assert [payload["filler"] for name in "ab" for payload in stored.payloads(name)] == [filler] * 2


def test_who_emits_first_and_changes_last_comes_last(
    engine: Engine, tracking: Outbox, stored: Stored
) -> None:
    with Session(engine) as setup, setup.begin():
        setup.add(host := Host(id=uuid.uuid4(), cluster_id=None))
        identity = host.id
    with Session(engine) as late, Session(engine) as early:
        tracking.emit(late, status_updated("installing", "installed"))
        tracking.emit(early, status_updated("known", "installing"))
        early.get_one(Host, identity).status = "installing"
        early.commit()
        late.get_one(Host, identity).status = "installed"
        late.commit()
    _, *following = stored.outbox()
    assert [row["payload"].get("new", row["payload"].get("status")) for row in following] == [
        "installing",
        "installing",
        "installed",
        "installed",
    ]


def test_id_order_is_lock_order_for_concurrent_transactions_on_one_host(
    engine: Engine, tracking: Outbox, stored: Stored
) -> None:
    with Session(engine) as setup, setup.begin():
        setup.add(host := Host(id=uuid.uuid4(), stage="0"))
        identity = host.id
    together = threading.Barrier(4)

    def progress() -> None:
        together.wait(timeout=60)
        for _ in range(25):
            with Session(engine) as session, session.begin():
                tracking.emit(session, Message("Before the lock", {}, key=str(identity)))
                host = session.get_one(Host, identity, with_for_update=True)
                host.stage = str(int(host.stage or 0) + 1)
                tracking.emit(session, Message("Step", {"stage": host.stage}, key=str(identity)))

    with ThreadPoolExecutor(4) as threads:
        for finished in [threads.submit(progress) for _ in range(4)]:
            finished.result(timeout=60)
    assert [int(host["stage"]) for host in stored.payloads("Host")] == list(range(101))
    assert [int(step["stage"]) for step in stored.payloads("Step")] == list(range(1, 101))


@pytest.mark.parametrize("by_default", [True, False])
def test_an_ordered_key_makes_the_second_writer_wait(
    by_default: bool,  # noqa: FBT001 - pytest gives it by name
    engine: Engine,
    make_outbox: Callable[..., Outbox],
    database: Database,
    stored: Stored,
) -> None:
    outbox = make_outbox(ordered=by_default)
    asked = None if by_default else True

    def second() -> None:
        with Session(engine) as session, session.begin():
            outbox.emit(session, Message("Second", {}, key="k"), ordered=asked)
            outbox.emit(session, Message("Another", {}, key="j"), ordered=asked)

    with ThreadPoolExecutor(1) as thread:
        with engine.begin() as connection:
            outbox.emit(connection, Message("First", {}, key="k"), ordered=asked)
            waiting = thread.submit(second)
            eventually(database.waiting)
            assert not waiting.done()
            outbox.emit(connection, Message("First again", {}, key="k"))
        waiting.result(timeout=10)
    assert stored.names() == ["First", "First again", "Second", "Another"]


def test_without_being_asked_nobody_waits(engine: Engine, outbox: Outbox, stored: Stored) -> None:
    with engine.begin() as first:
        outbox.emit(first, Message("First", {}, key="k"))
        with engine.begin() as second:
            outbox.emit(second, Message("Second", {}, key="k"))
    assert stored.names() == ["First", "Second"]
