"""Rows of a tracked class, read with plain columns and matched with keys by the database.

An object in memory may hold columns that another transaction has changed since it was loaded. And
only the database knows which texts, numbers or times are one key.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    FromClause,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.orm import Mapper

from relay.service.insert import array_text
from relay.service.sqlalchemy.columns import columns_of, family_of, identity_of, key_places
from relay.service.writer import State

Identity: TypeAlias = tuple[Any, ...]

READ_ROWS: Final = 1000
"""Keys of one query, so that no statement grows without bounds."""


class Found(NamedTuple):
    """What the database has under one of the keys that it was asked for.

    *same_as* is the position of the first key that means the same row; *identity* the key as the
    database writes it; *state* None where there is no such row.
    """

    same_as: int
    identity: Identity
    state: State | None


class Rows:
    """The rows of a mapped class and of those derived from it, with the attributes *needed*."""

    def __init__(self, mapper: Mapper[Any], needed: Mapping[Mapper[Any], Collection[str]]) -> None:
        self.mapper = mapper
        columns = columns_of(mapper)
        self.identity_columns: Mapping[str, Column[Any]] = {
            name: columns[name] for name in identity_of(mapper)
        }
        places: dict[Column[Any], int] = {}
        self._attributes = {
            member: {
                name: places.setdefault(chosen, len(places))
                for name, chosen in columns_of(member).items()
                if name in needed[member] or name in self.identity_columns
            }
            for member in family_of(mapper)
        }
        self._chosen: list[ColumnElement[Any]] = [
            chosen.label(f"c{place}") for chosen, place in places.items()
        ]
        self.key_places = key_places(mapper)
        """Columns that hold a part of the primary key, in any of the tables, and its place."""
        self.attributes = tuple(columns)
        self._kind = mapper.polymorphic_on if len(self._attributes) > 1 else None
        if self._kind is not None:
            self._chosen.append(self._kind.label("kind"))
        self._source = _joined(mapper)
        self._all = select(*self._chosen).select_from(self._source)
        self._keys = [
            column(f"key_{number}", part.type)
            for number, part in enumerate(self.identity_columns.values())
        ]
        wanted = _wanted(self._keys)
        matches = and_(
            *(
                part == key
                for part, key in zip(self.identity_columns.values(), wanted.c, strict=False)
            )
        )
        self._some = self._reading(wanted, matches)
        self._locking: Select[Any] = (
            select(literal_column("1"))
            .select_from(wanted.join(mapper.persist_selectable, matches))
            .order_by(*self.identity_columns.values())
        )
        root = _root(mapper)
        self._root: Select[Any] = (
            select(literal_column("1"))
            .select_from(
                wanted.join(
                    root,
                    and_(
                        *(
                            part == wanted.c[f"key_{self.key_places[part]}"]
                            for part in root.primary_key.columns
                        )
                    ),
                )
            )
            .order_by(*root.primary_key.columns)
            .with_for_update(of=root, key_share=True)
        )

    @property
    def source(self) -> FromClause:
        """The tables of a row."""
        return self._source

    @property
    def has_several_tables(self) -> bool:
        """True where no single lock covers a row."""
        return len({table for member in self._attributes for table in member.tables}) > 1

    def read(self, connection: Connection, identities: Sequence[Identity]) -> list[Found]:
        """Return what there is now under each of *identities*, in their order."""
        found: list[Found] = []
        for start, query in self._cut(connection, identities):
            for _, same_as, is_there, *values in connection.execute(self._some, query):
                identity, state = values[: len(self._keys)], values[len(self._keys) :]
                found.append(
                    Found(
                        start + same_as - 1,
                        tuple(identity),
                        self._state(state) if is_there else None,
                    )
                )
        return found

    def lock(
        self, connection: Connection, identities: Sequence[Identity], *, share: bool = False
    ) -> None:
        """Lock the rows of *identities* until the transaction ends; *share*: against changes."""
        for _, query in self._cut(connection, identities):
            connection.execute(self._locking.with_for_update(read=share), query)

    def lock_root(self, connection: Connection, identities: Sequence[Identity]) -> None:
        """Lock the rows of *identities* in the first of their tables, which stands for them all."""
        for _, query in self._cut(connection, identities):
            connection.execute(self._root, query)

    def find(
        self, connection: Connection, joined: FromClause, condition: ColumnElement[bool]
    ) -> list[State]:
        """Return the rows that *joined*, which has their tables, yields, and lock them."""
        query = (
            select(*self._chosen)
            .select_from(joined)
            .where(condition)
            .order_by(*self.identity_columns.values())
            .with_for_update(of=list(self.mapper.tables))
        )
        return [self._state(list(row)) for row in connection.execute(query)]

    def pages(self, connection: Connection, rows: int) -> Iterator[Sequence[State]]:
        """Yield all rows in the order of their primary keys, *rows* at a time."""
        columns = tuple(self.identity_columns.values())
        query = self._all.order_by(*columns).limit(rows)
        page = query
        while states := [self._state(list(row)) for row in connection.execute(page)]:
            yield states
            if len(states) < rows:
                return
            page = query.where(tuple_(*columns) > tuple_(*self.identity(states[-1])))

    def moved(self, identity: Identity, values: Mapping[Column[Any], Any]) -> Identity:
        """Return *identity* after its columns got these *values*."""
        parts = list(identity)
        for column_, value in values.items():
            if column_ in self.key_places:
                parts[self.key_places[column_]] = value
        return tuple(parts)

    def identity(self, state: State) -> Identity:
        """Return the primary key of a row."""
        return tuple(state[name] for name in self.identity_columns)

    def _state(self, values: Sequence[Any]) -> State:
        member = self.mapper
        if self._kind is not None:
            member = self.mapper.polymorphic_map.get(values[-1], member)
        places = self._attributes.get(member) or self._attributes[self.mapper]
        return {name: values[place] for name, place in places.items()}

    def _reading(self, wanted: FromClause, matches: ColumnElement[bool]) -> Select[Any]:
        position = wanted.c["position"]
        keys = [wanted.c[key.name] for key in self._keys]
        return (
            select(
                position,
                func.min(position).over(partition_by=keys),
                next(iter(self.identity_columns.values())).is_not(None).label("is_there"),
                *keys,
                *self._chosen,
            )
            .select_from(wanted.outerjoin(self._source, matches))
            .order_by(position)
        )

    def _cut(
        self, connection: Connection, identities: Sequence[Identity]
    ) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the parameters of each query, and the number of keys before it."""
        columns = tuple(self.identity_columns.values())
        for start in range(0, len(identities), READ_ROWS):
            parts = zip(*identities[start : start + READ_ROWS], strict=True)
            yield (
                start,
                {
                    f"key_{number}": _texts(columns[number], values, connection.dialect)
                    for number, values in enumerate(parts)
                },
            )


def _wanted(keys: Sequence[ColumnElement[Any]]) -> FromClause:
    """Return the keys that are asked for, with their positions from 1.

    They travel as texts, which PostgreSQL reads as the column's type: it does the comparing.
    """
    arrays = [
        cast(cast(bindparam(f"key_{number}", type_=Text()), ARRAY(Text())), ARRAY(key.type))
        for number, key in enumerate(keys)
    ]
    return (
        func.unnest(*arrays)
        .table_valued(*keys, with_ordinality="position", name="wanted")
        .render_derived()
    )


def _texts(part: Column[Any], values: Sequence[Any], dialect: Dialect) -> str:
    process = part.type.dialect_impl(dialect).bind_processor(dialect)
    processed = values if process is None else map(process, values)
    return array_text([_text(value) for value in processed])


def _text(value: object) -> str | None:
    match value:
        case None:
            return None
        case bytes() | bytearray() | memoryview():
            return rf"\x{bytes(value).hex()}"
        case _:
            return str(value)


def _joined(mapper: Mapper[Any]) -> FromClause:
    """Return the tables of *mapper*, with those of the classes derived from it where they apply."""
    joined: FromClause = mapper.persist_selectable
    known: set[FromClause] = set(mapper.tables)
    for member in family_of(mapper):
        if member.local_table not in known and member.inherit_condition is not None:
            joined = joined.outerjoin(member.local_table, member.inherit_condition)
            known.add(member.local_table)
    return joined


def _root(mapper: Mapper[Any]) -> Table:
    table = mapper.base_mapper.local_table
    assert isinstance(table, Table)  # noqa: S101 - a class without a table of its own is refused
    return table
