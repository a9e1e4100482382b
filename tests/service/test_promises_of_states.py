"""The second table of docs/writers.md: each promise of snapshots, with each kind of writer."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pytest

from relay import Message, Outbox
from relay.errors import UntrackedWriteError
from tests.service.states import KINDS, TABLES, Opener, Things
from tests.service.writers_page import assert_documented
from tests.support.postgres import Database
from tests.support.service import Stored


@dataclass(frozen=True)
class Trial:
    """One kind of writer, in a database whose tables are empty."""

    database: Database
    stored: Stored
    name: str
    opener: Opener

    @asynccontextmanager
    async def begin(self, *, streaming: bool = True) -> AsyncIterator[Things]:
        outbox = Outbox(streaming=streaming)
        try:
            async with self.opener(self.database, outbox) as now:
                yield now
        finally:
            outbox.close()

    def rows(self) -> list[dict[str, Any]]:
        """Return the things as they are committed, less what must not be published."""
        query = "SELECT to_jsonb(t) - 'secret' - 'beats' FROM things AS t ORDER BY id"
        with self.database.connect() as connection:
            return [row for (row,) in connection.execute(query)]

    def told(self) -> list[tuple[str, int, bool]]:
        return [
            (row["name"], row["payload"].get("id"), "deleted" in row["payload"])
            for row in self.stored.outbox()
        ]


async def the_row(trial: Trial) -> None:
    async with trial.begin() as now:
        await now.add(1)
    assert trial.stored.payloads("Thing") == trial.rows()
    async with trial.begin() as now:
        await now.grow(1)
    assert trial.stored.payloads("Thing")[1:] == trial.rows()
    assert (trial.rows()[0]["size"], trial.rows()[0]["stamp"]) == (8, "by a trigger")


async def one_each(trial: Trial) -> None:
    async with trial.begin() as now:
        await now.add(1)
        await now.change(1, name="a")
        await now.change(1, name="b")
    assert trial.stored.payloads("Thing") == trial.rows()


async def deleted(trial: Trial) -> None:
    async with trial.begin() as now:
        await now.add(1)
    (row,) = trial.rows()
    async with trial.begin() as now:
        await now.delete(1)
    assert trial.stored.payloads("Thing")[1:] == [{**row, "deleted": True}]


async def unchanged(trial: Trial) -> None:
    async with trial.begin() as now:
        await now.add(1)
    async with trial.begin() as now:
        await now.change(1, beats=5)
        await now.change(1, name="new")
    assert trial.told() == [("Thing", 1, False)]


async def no_secret(trial: Trial) -> None:
    async with trial.begin() as now:
        await now.add(1)
        await now.change(1, secret="hunter3", name="known")
    assert "hunter" not in trial.stored.shown()
    assert trial.told()


async def no_secret_within(trial: Trial) -> None:
    async with trial.begin() as now:
        await now.add(1)
        await now.change(1, name="password: hunter2")
    assert "hunter" not in trial.stored.shown()


async def rolled_back(trial: Trial) -> None:
    async def transaction() -> None:
        async with trial.begin() as now:
            await now.add(1)
            raise LookupError

    with pytest.raises(LookupError):
        await transaction()
    assert trial.told() == []


async def savepoint(trial: Trial) -> None:
    async def inner(now: Things) -> None:
        async with now.savepoint():
            await now.change(1, name="phantom")
            await now.add(2)
            raise LookupError

    async with trial.begin() as now:
        await now.add(1)
        with pytest.raises(LookupError):
            await inner(now)
    assert trial.stored.payloads("Thing") == trial.rows()


async def silent(trial: Trial) -> None:
    async with trial.begin(streaming=False) as now:
        await now.add(1)
        await now.change(1, name="a")
    assert (trial.told(), len(trial.rows())) == ([], 1)


async def with_the_deleted(trial: Trial) -> None:
    async with trial.begin() as now:
        await now.add(1)
        await now.add_part(5, 1)
    async with trial.begin() as now:
        await now.delete(1)
    assert sorted(trial.told()[2:]) == [("Part", 5, True), ("Thing", 1, True)]


async def never_missed(trial: Trial) -> None:
    async with trial.begin() as now:
        await now.add(1)
    try:
        async with trial.begin() as now:
            await now.bulk()
    except UntrackedWriteError:
        assert trial.rows()[0]["name"] == "new"
    else:
        assert trial.stored.payloads("Thing")[1:] == trial.rows()


async def states_first(trial: Trial) -> None:
    async with trial.begin() as now:
        await now.emit(Message("Told", {}))
        await now.add(1)
    assert trial.stored.names() == ["Thing", "Told"]


async def came_and_went(trial: Trial) -> None:
    async with trial.begin() as now:
        await now.add(1)
        await now.delete(1)
    assert trial.told() == []


async def another_key(trial: Trial) -> None:
    async with trial.begin() as now:
        await now.add(1)
        await now.add_part(5, 1)
    async with trial.begin() as now:
        await now.change(1, id=2)
    assert sorted(trial.told()[2:]) == [("Part", 5, False), ("Thing", 1, True), ("Thing", 2, False)]
    assert trial.stored.payloads("Part")[-1] == {"id": 5, "thing_id": 2}


async def other_programs(trial: Trial) -> None:
    async with trial.begin():
        with trial.database.connect() as other:
            other.execute("INSERT INTO things (id, name) VALUES (1, 'theirs')")
    assert trial.told() == [("Thing", 1, False)]


PROMISES: Final[dict[str, Callable[[Trial], Awaitable[None]]]] = {
    "the row as it is committed: defaults, expressions and triggers of the database": the_row,
    "one snapshot of an object that was changed several times": one_each,
    "of a deleted row the last state": deleted,
    "nothing where no published column changed": unchanged,
    "a secret column is left out": no_secret,
    "secrets within a text are redacted": no_secret_within,
    "no snapshot of what was rolled back": rolled_back,
    "no snapshot of what a savepoint rolled back": savepoint,
    "no snapshot while streaming is off": silent,
    "rows that ON DELETE CASCADE takes along": with_the_deleted,
    "a statement over many rows: seen or refused": never_missed,
    "states before events, also of an event that was emitted first": states_first,
    "nothing of an object that came and went in one transaction": came_and_went,
    "another primary key, and the rows that follow it": another_key,
    "changes of other programs": other_programs,
}


@pytest.fixture
def things(database: Database) -> Database:
    with database.connect() as connection:
        connection.execute(TABLES)
    return database


@pytest.mark.early
@pytest.mark.parametrize("promise", PROMISES)
async def test_snapshots_are_as_the_page_says(
    promise: str, things: Database, stored: Stored
) -> None:
    for kind, openers in KINDS.items():
        for name, opener in openers.items():
            with things.connect() as owner:
                owner.execute("DELETE FROM things; DELETE FROM outbox")
            trial = Trial(things, stored, name, opener)
            await assert_documented(promise, kind, partial(PROMISES[promise], trial))
