"""Kinds of writers: each has a room of its own, imported when its library is in use.

A target of a library that is not imported yet cannot exist, so a service never pays for a library
that it does not use. A new kind is a new folder, and a line here.
"""

import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Final, TypeVar

from relay.service.writer import AsyncWriter, Kind, Writer

ROOMS: Final = {
    "sqlalchemy": "relay.service.sqlalchemy.kind",
    "psycopg": "relay.service.psycopg.kind",
    "asyncpg": "relay.service.asyncpg.kind",
    "django.db": "relay.service.django.kind",
}
"""Library to the module that holds its KIND."""

_Any = TypeVar("_Any", Writer, AsyncWriter)
_writers: dict[type, Writer] = {}
_async_writers: dict[type, AsyncWriter] = {}


def kinds_in_use() -> Iterator[Kind]:
    """Yield the kinds whose library is imported, each prepared."""
    for library, room in ROOMS.items():
        if sys.modules.get(library) is not None:
            kind: Kind = import_module(room).KIND
            kind.prepare()
            yield kind


def prepare() -> None:
    """Prepare the kinds in use, so that they hear of every session from its beginning."""
    for _ in kinds_in_use():
        pass


def writer_for(target: object) -> Writer | None:
    """Return the writer that accepts *target*; None where there is none."""
    writers = (writer for kind in kinds_in_use() for writer in kind.writers)
    return _found(target, _writers, writers)


def async_writer_for(target: object) -> AsyncWriter | None:
    """Return the asynchronous writer that accepts *target*; None where there is none."""
    writers = (writer for kind in kinds_in_use() for writer in kind.async_writers)
    return _found(target, _async_writers, writers)


def _found(target: object, known: dict[type, _Any], writers: Iterable[_Any]) -> _Any | None:
    # Remembered by type: an emit is too frequent to ask every kind.
    found = known.get(type(target))
    if found is None:
        found = next((writer for writer in writers if writer.accepts(target)), None)
        if found is not None:
            known[type(target)] = found
    return found
