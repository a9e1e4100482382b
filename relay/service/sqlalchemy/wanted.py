"""Keys that are asked for, as a table of a query.

They travel as texts, which PostgreSQL reads as the column's type: it does the comparing.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Dialect,
    FromClause,
    Text,
    bindparam,
    cast,
    column,
    func,
)

from relay.service.insert import array_text


def wanted(columns: Sequence[Column[Any]]) -> FromClause:
    """Return the keys that are asked for: key_0, key_1, …, and their position from 1."""
    keys: list[ColumnElement[Any]] = [
        column(f"key_{number}", part.type) for number, part in enumerate(columns)
    ]
    arrays = [
        cast(cast(bindparam(f"key_{number}", type_=Text()), ARRAY(Text())), ARRAY(part.type))
        for number, part in enumerate(columns)
    ]
    return (
        func.unnest(*arrays)
        .table_valued(*keys, with_ordinality="position", name="wanted")
        .render_derived()
    )


def one_wanted(columns: Iterable[Column[Any]]) -> Iterator[tuple[Column[Any], ColumnElement[Any]]]:
    """Yield each of *columns* with its part of the only key that is asked for."""
    for number, part in enumerate(columns):
        yield part, cast(cast(bindparam(f"key_{number}", type_=Text()), Text()), part.type)


def one_parameters(
    columns: Iterable[Column[Any]], identity: Sequence[Any], dialect: Dialect
) -> dict[str, str | None]:
    """Return the parameters of `one_wanted` for *identity*."""
    parts = zip(columns, identity, strict=True)
    return {
        f"key_{number}": _texts(column, [value], dialect)[0]
        for number, (column, value) in enumerate(parts)
    }


def parameters(
    columns: Sequence[Column[Any]], identities: Sequence[Sequence[Any]], dialect: Dialect
) -> dict[str, str]:
    """Return the parameters of `wanted` for *identities*."""
    parts = zip(*identities, strict=True)
    return {
        f"key_{number}": array_text(_texts(columns[number], values, dialect))
        for number, values in enumerate(parts)
    }


def _texts(part: Column[Any], values: Sequence[Any], dialect: Dialect) -> list[str | None]:
    process = part.type.dialect_impl(dialect).bind_processor(dialect)
    processed = values if process is None else map(process, values)
    return [_text(value) for value in processed]


def _text(value: object) -> str | None:
    match value:
        case None:
            return None
        case bytes() | bytearray() | memoryview():
            return rf"\x{bytes(value).hex()}"
        case psycopg.Binary(obj=wrapped):
            return _text(wrapped)
        case _:
            return str(value)
