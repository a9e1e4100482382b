"""Columns of a mapped class, by attribute, and which of them may be published."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ARRAY, Column, Table, inspect
from sqlalchemy.orm import Mapper

from relay.errors import EventDefinitionError
from relay.service.sqlalchemy.types import type_fault
from relay.service.writer import TrackOptions


def mapper_of(entity: type) -> Mapper[Any]:
    """Return the mapper of a mapped class.

    Raises:
        EventDefinitionError: it is no mapped class, or its rows cannot be locked or found.
    """
    mapper: object = inspect(entity, raiseerr=False)
    if not isinstance(mapper, Mapper):
        raise EventDefinitionError(f"{entity!r} is no mapped class; track a SQLAlchemy class")
    if not isinstance(root_of(mapper).local_table, Table):
        raise EventDefinitionError(
            f"{entity.__name__} is mapped to a join or a query, of which no single row can be "
            "locked: track the classes of its tables, or let triggers take the snapshots"
        )
    if any(isinstance(column.type, ARRAY) for column in mapper.primary_key):
        raise EventDefinitionError(
            f"{entity.__name__} has an array in its primary key: let a trigger take its snapshots"
        )
    return mapper


def columns_of(mapper: Mapper[Any]) -> dict[str, Column[Any]]:
    """Return the columns of *mapper* by attribute; expressions are no state and left out."""
    columns = {attribute.key: attribute.columns[0] for attribute in mapper.column_attrs}
    return {name: column for name, column in columns.items() if isinstance(column, Column)}


def family_of(mapper: Mapper[Any]) -> tuple[Mapper[Any], ...]:
    """Return *mapper* and those of the classes derived from it that share its tables."""
    root = root_of(mapper)
    return tuple(member for member in mapper.self_and_descendants if root_of(member) is root)


def kinds_of(mapper: Mapper[Any]) -> frozenset[Any] | None:
    """Return the polymorphic identities of *mapper* and of those derived from it.

    None where all rows of its tables are of these.
    """
    if not mapper.single or mapper.polymorphic_on is None:
        return None
    family = family_of(mapper)
    return frozenset(kind for kind, member in mapper.polymorphic_map.items() if member in family)


def root_of(mapper: Mapper[Any]) -> Mapper[Any]:
    """Return the mapper of the first table of a row: itself, or one that it is derived from."""
    # A concrete class has rows of its own, in a table of its own.
    while mapper.inherits is not None and not mapper.concrete:
        mapper = mapper.inherits
    return mapper


def identity_of(mapper: Mapper[Any]) -> tuple[str, ...]:
    """Return the attributes of the primary key."""
    return tuple(mapper.get_property_by_column(column).key for column in mapper.primary_key)


def key_places(mapper: Mapper[Any]) -> dict[Column[Any], int]:
    """Return the columns that hold a part of the primary key, in any table, and its place."""
    # Tables of one class share their key by the condition of the join.
    same: Mapping[Any, Iterable[Any]] = mapper.base_mapper._equivalent_columns  # noqa: SLF001
    places: dict[Column[Any], int] = {}
    for place, column in enumerate(mapper.primary_key):
        waiting = [column]
        while waiting:
            found = waiting.pop()
            if isinstance(found, Column) and found not in places:
                places[found] = place
                waiting += same.get(found, ())
    return places


def published_fields(
    mapper: Mapper[Any], family: Iterable[Mapper[Any]], options: TrackOptions
) -> tuple[str, ...]:
    """Return the attributes of *mapper* to publish, the primary key first.

    Raises:
        EventDefinitionError: one is unknown, secret, or of a type that JSON does not know.
    """
    title, fields, exclude = mapper.class_.__name__, options.fields, frozenset(options.exclude)
    columns = columns_of(mapper)
    known = {name for member in family for name in columns_of(member)}
    if unknown := sorted({*(fields or ()), *exclude, *options.json} - known):
        raise EventDefinitionError(f"{title} has no columns {', '.join(unknown)}")
    wished = [name for name in fields or () if name in columns]
    if secret := [name for name in wished if columns[name].info.get("secret")]:
        raise EventDefinitionError(f"{title}: {', '.join(secret)} is marked secret; leave it out")
    chosen = columns if fields is None else (*identity_of(mapper), *wished)
    published = [
        name
        for name in dict.fromkeys(chosen)
        if name not in exclude and not columns[name].info.get("secret")
    ]
    for name in published:
        if name not in options.json and (fault := type_fault(columns[name].type)):
            raise EventDefinitionError(
                f"{title}.{name} {fault}; or convert it: track({title}, json={{{name!r}: str}}), "
                "with a function of the value; or name it in exclude"
            )
    return tuple(published)
