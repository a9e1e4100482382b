"""Transactions of our own, for events that must outlive the caller's."""

import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from relay.service.kinds import async_writer_for, kinds_in_use, writer_for
from relay.service.writer import AsyncSource, Source


@contextmanager
def begun(source: object) -> Iterator[Any]:
    """Yield a target in a transaction of its own, which commits at the end.

    *source* is an engine, a pool, or a function that returns a new connection.

    Raises:
        TypeError: it is none of these.
    """
    _refuse_target(source)
    found: object = source
    matching = _matching(found)
    if matching is None and callable(source):
        found = source()
        matching = _matching(found)
    if matching is None:
        raise TypeError(
            "emit_now() takes an engine, a pool or a function that returns a new connection, not "
            f"{type(found).__name__}; what is asynchronous goes to `await emit_now_async(...)`"
        )
    with matching.begin(found) as target:
        yield target


@asynccontextmanager
async def begun_async(source: object) -> AsyncIterator[Any]:
    """Yield an asynchronous target in a transaction of its own, which commits at the end.

    Raises:
        TypeError: *source* is no asynchronous engine or pool, nor a function that connects.
    """
    _refuse_target(source)
    found: object = source
    matching = _async_matching(found)
    if matching is None and callable(source):
        found = source()
        if inspect.isawaitable(found):
            found = await found
        matching = _async_matching(found)
    if matching is None:
        raise TypeError(
            "emit_now_async() takes an asynchronous engine, a pool or a function that returns a "
            f"new connection, not {type(found).__name__}; use emit_now()"
        )
    async with matching.begin(found) as target:
        yield target


def _refuse_target(source: object) -> None:
    """Refuse what has a transaction already: the event would vanish with it."""
    if writer_for(source) is not None or async_writer_for(source) is not None:
        raise TypeError(
            f"emit_now() takes an engine or a pool, not {type(source).__name__}: the event is "
            "written in a transaction of its own; emit() writes in that of the caller"
        )


def _matching(source: object) -> Source | None:
    sources = (each for kind in kinds_in_use() for each in kind.sources)
    return next((each for each in sources if each.accepts(source)), None)


def _async_matching(source: object) -> AsyncSource | None:
    sources = (each for kind in kinds_in_use() for each in kind.async_sources)
    return next((each for each in sources if each.accepts(source)), None)
