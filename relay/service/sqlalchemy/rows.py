"""Rows of a tracked class, read with plain columns and matched with keys by the database.

An object in memory may hold columns that another transaction has changed since it was loaded. And
only the database knows which texts, numbers or times are one key.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Table,
    and_,
    func,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import Mapper

from relay.errors import SchemaError
from relay.service.sqlalchemy.columns import (
    columns_of,
    family_of,
    identity_of,
    key_places,
    kinds_of,
    root_of,
)
from relay.service.sqlalchemy.wanted import one_parameters, one_wanted, parameters, wanted
from relay.service.writer import State

Identity: TypeAlias = tuple[Any, ...]

READ_ROWS: Final = 1000
"""Keys of one query, so that no statement grows without bounds."""


class Found(NamedTuple):
    """Row that the database has under one of the keys that it was asked for.

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
        self.attributes = tuple(columns)
        self.identity_columns: Mapping[str, Column[Any]] = {
            name: columns[name] for name in identity_of(mapper)
        }
        self.key_places = key_places(mapper)
        """Columns that hold a part of the primary key, in any of the tables, and its place."""
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
        self._kind = mapper.polymorphic_on if len(self._attributes) > 1 else None
        if self._kind is not None:
            self._chosen.append(self._kind.label("kind"))
        self._kinds = kinds_of(mapper)
        self._ours = _kind_is_one(mapper, self._kinds)
        self._source = _joined(mapper)
        self._all = select(*self._chosen).select_from(self._source).where(self._ours)
        self._wanted = wanted(tuple(self.identity_columns.values()))
        self._some = self._reading()
        self._one = self._all.where(
            and_(*(column == key for column, key in one_wanted(self.identity_columns.values())))
        )
        self._locking = self._locking_of(mapper.persist_selectable, self.identity_columns.values())
        root = _root(mapper)
        self._root = self._locking_of(root, root.primary_key.columns).with_for_update(
            of=root, key_share=True
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
        self._require_postgresql(connection)
        # The usual case, in half the time.
        if len(identities) == 1 and (only := self._read_one(connection, identities[0])):
            return [only]
        found: list[Found] = []
        for start, query in self._cut(connection, identities):
            for _, same_as, is_there, *values in connection.execute(self._some, query):
                parts = len(self.identity_columns)
                identity, state = values[:parts], values[parts:]
                found.append(
                    Found(
                        start + same_as - 1,
                        tuple(identity),
                        self._state(state) if is_there else None,
                    )
                )
        return found

    def _read_one(self, connection: Connection, identity: Identity) -> Found | None:
        """Return the row of the only key that is asked for; None where there is none."""
        columns = self.identity_columns.values()
        keys = one_parameters(columns, identity, connection.dialect)
        row = connection.execute(self._one, keys).first()
        if row is None:
            return None
        state = self._state(list(row))
        return Found(0, self.identity(state), state)

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
            .where(condition, self._ours)
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

    def changes_kind(self, values: Mapping[Column[Any], Any]) -> bool:
        """Tell whether a row that gets these *values* is none of ours any more."""
        kind = self.mapper.polymorphic_on
        if self._kinds is None or not isinstance(kind, Column):
            return False
        return kind in values and values[kind] not in self._kinds

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

    def _reading(self) -> Select[Any]:
        position = self._wanted.c["position"]
        columns = tuple(self.identity_columns.values())
        keys = [self._key(column) for column in columns]
        return (
            select(
                position,
                func.min(position).over(partition_by=keys),
                columns[0].is_not(None).label("is_there"),
                *keys,
                *self._chosen,
            )
            .select_from(
                self._wanted.outerjoin(self._source, and_(self._matches(columns), self._ours))
            )
            .order_by(position)
        )

    def _locking_of(self, source: FromClause, columns: Iterable[Column[Any]]) -> Select[Any]:
        """Return the query for rows of *source*, in the order of *columns*: so all lock them."""
        columns = tuple(columns)
        return (
            select(literal_column("1"))
            .select_from(self._wanted.join(source, self._matches(columns)))
            .order_by(*columns)
        )

    def _matches(self, columns: Iterable[Column[Any]]) -> ColumnElement[bool]:
        return and_(*(column == self._key(column) for column in columns))

    def _key(self, column: Column[Any]) -> ColumnElement[Any]:
        return self._wanted.c[f"key_{self.key_places[column]}"]

    def _cut(
        self, connection: Connection, identities: Sequence[Identity]
    ) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the parameters of each query, and the number of keys before it."""
        self._require_postgresql(connection)
        columns = tuple(self.identity_columns.values())
        for start in range(0, len(identities), READ_ROWS):
            part = identities[start : start + READ_ROWS]
            yield start, parameters(columns, part, connection.dialect)

    def _require_postgresql(self, connection: Connection) -> None:
        if connection.dialect.name != "postgresql":
            raise SchemaError(
                f"snapshots of {self.mapper.class_.__name__} need PostgreSQL, and this connection "
                f"is one of {connection.dialect.name}; docs/testing.md says what a test can do"
            )


def _joined(mapper: Mapper[Any]) -> FromClause:
    """Return the tables of *mapper*, with those of the classes derived from it where they apply."""
    joined: FromClause = mapper.persist_selectable
    known: set[FromClause] = set(mapper.tables)
    for member in family_of(mapper):
        if member.local_table not in known and member.inherit_condition is not None:
            joined = joined.outerjoin(member.local_table, member.inherit_condition)
            known.add(member.local_table)
    return joined


def _kind_is_one(mapper: Mapper[Any], kinds: Collection[Any] | None) -> ColumnElement[bool]:
    """Return the condition that a row of the tables of *mapper* is one of these *kinds*."""
    if kinds is None or mapper.polymorphic_on is None:
        return true()
    return mapper.polymorphic_on.in_(kinds)


def _root(mapper: Mapper[Any]) -> Table:
    table = root_of(mapper).local_table
    assert isinstance(table, Table)  # noqa: S101 - a class without a table of its own is refused
    return table
