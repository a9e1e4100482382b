"""Snapshots: what is published of a tracked class, and how its rows become messages."""

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Column, ColumnElement, Connection, Select, bindparam, inspect, select, tuple_
from sqlalchemy.orm import Mapper
from sqlalchemy.types import DateTime, Interval, LargeBinary

from relay.errors import EventDefinitionError
from relay.formats import Format
from relay.formats.keys import OWNERS, first_set
from relay.formats.message import Message
from relay.service.message import outbox_row
from relay.service.records import OutboxRecord
from relay.service.redaction.redactor import Redactor

Identity: TypeAlias = tuple[Any, ...]
State: TypeAlias = Mapping[str, Any]
KeyRule: TypeAlias = Callable[[State], str | None]

REPLAYED = '{"replay": "true"}'
"""The headers of a replayed row; no writer may set this one."""

READ_ROWS = 1000
"""Rows of one read: far below the limit of 65,535 parameters."""


class Mark(NamedTuple):
    """A note that one row of a tracked class was changed in this transaction."""

    tracked: "Tracked"
    identity: Identity
    inserted: bool = False
    deleted: State | None = None
    replayed: bool = False


class Tracked:
    """A mapped class whose changes are published, each transaction's as one snapshot.

    *fields*: attributes to publish, beside the primary key; None means all columns but those
    marked ``info={"secret": True}`` and those in *exclude*. *key*: an attribute, or a function
    over the row; by default the first of cluster, infra-env, host and own id that is set.

    Raises:
        EventDefinitionError: a field is unknown, secret, or of a type that JSON does not know.
    """

    def __init__(  # noqa: PLR0913 - what can be said about a tracked class
        self,
        mapper: Mapper[Any],
        *,
        name: str,
        key: KeyRule | str | None,
        fields: Collection[str] | None,
        exclude: Collection[str],
        topic: str | None,
        form: Format,
        metadata: str,
        redactor: Redactor,
    ) -> None:
        self.mapper = mapper
        self.name = name
        self._topic = topic
        self._format = form
        self._metadata = metadata
        self._redactor = redactor
        self._columns = _columns(mapper)
        self.identity = tuple(
            mapper.get_property_by_column(column).key for column in mapper.primary_key
        )
        self.fields = self._published(fields, frozenset(exclude))
        self._key = self._key_rule(key)
        # A function may look at any column.
        needed = self._columns if callable(key) else {*self.fields, *self.identity, *OWNERS, key}
        self.rows = self._statement(needed)
        self._select = self.rows.where(self._is_one_of())

    def read(
        self, connection: Connection, identities: Sequence[Identity], *, share: bool = False
    ) -> dict[Identity, State]:
        """Return the rows of *identities* as they are now, by identity; missing ones are left out.

        Read with plain columns: an object in memory may hold columns that another transaction has
        changed since it was loaded. *share*: lock them FOR SHARE, so that they stay as they are.
        """
        query = self._select.with_for_update(read=True) if share else self._select
        found: dict[Identity, State] = {}
        for start in range(0, len(identities), READ_ROWS):
            part = identities[start : start + READ_ROWS]
            ids = part if len(self.identity) > 1 else [identity[0] for identity in part]
            for row in connection.execute(query, {"ids": ids}).mappings():
                found[comparable(row[name] for name in self.identity)] = dict(row)
        return found

    def find(self, connection: Connection, condition: ColumnElement[bool]) -> list[State]:
        """Return the rows for which *condition* holds, as they are now."""
        return [dict(row) for row in connection.execute(self.rows.where(condition)).mappings()]

    def identity_of(self, state: State) -> Identity:
        """Return the primary key of a row."""
        return tuple(state[name] for name in self.identity)

    @property
    def identity_columns(self) -> Mapping[str, Column[Any]]:
        """The columns of the primary key in every table of the class, by attribute."""
        return {name: self._columns[name] for name in self.identity}

    def snapshot(self, state: State) -> OutboxRecord:
        """Return the message of a row that exists."""
        return self._row(state, {name: state[name] for name in self.fields})

    def deleted_snapshot(self, identity: Identity, state: State | None) -> OutboxRecord:
        """Return the message of a row that was deleted; *state* is the last one known of it."""
        known = state or dict.fromkeys(self._columns) | dict(
            zip(self.identity, identity, strict=True)
        )
        return self._row(known, {name: known[name] for name in self.fields} | {"deleted": True})

    def _row(self, state: State, payload: State) -> OutboxRecord:
        message = Message(self.name, payload, key=self._key(state), topic=self._topic)
        return outbox_row(self._format.snapshot(message), self._metadata, self._redactor)

    def _published(
        self, fields: Collection[str] | None, exclude: frozenset[str]
    ) -> tuple[str, ...]:
        title = self.mapper.class_.__name__
        if unknown := sorted({*(fields or ()), *exclude} - self._columns.keys()):
            raise EventDefinitionError(f"{title} has no columns {', '.join(unknown)}")
        if secret := [name for name in fields or () if self._columns[name].info.get("secret")]:
            raise EventDefinitionError(
                f"{title}: {', '.join(secret)} is marked secret; leave it out"
            )
        chosen = self._columns if fields is None else (*self.identity, *fields)
        published = [
            name
            for name in dict.fromkeys(chosen)
            if name not in exclude and not self._columns[name].info.get("secret")
        ]
        for name in published:
            if fault := _type_fault(self._columns[name]):
                raise EventDefinitionError(f"{title}.{name} {fault}; or name it in exclude")
        return tuple(published)

    def _key_rule(self, key: KeyRule | str | None) -> KeyRule:
        if callable(key):
            return key
        if key is not None and key not in self._columns:
            raise EventDefinitionError(f"{self.mapper.class_.__name__} has no column {key}")
        candidates = (key,) if key else (*OWNERS, *self.identity)
        return lambda state: first_set(state, candidates)

    def _statement(self, needed: Container[str | None]) -> Select[Any]:
        columns = [column.label(name) for name, column in self._columns.items() if name in needed]
        return select(*columns).select_from(self.mapper.persist_selectable)

    def _is_one_of(self) -> ColumnElement[bool]:
        primary_key = [self._columns[name] for name in self.identity]
        target = primary_key[0] if len(primary_key) == 1 else tuple_(*primary_key)
        return target.in_(bindparam("ids", expanding=True))


def snapshots(
    marks: Iterable[Mark], connection_for: Callable[[Tracked], Connection]
) -> list[OutboxRecord]:
    """Return one row for each object that *marks* name, in the order of their first mark."""
    by_object: dict[tuple[Tracked, Identity], list[Mark]] = {}
    for mark in marks:
        by_object.setdefault((mark.tracked, comparable(mark.identity)), []).append(mark)
    identities: dict[Tracked, list[Identity]] = {}
    for (tracked, _), history in by_object.items():
        identities.setdefault(tracked, []).append(history[0].identity)
    # What this transaction changed is locked by that; what it only replays is not.
    shared = {mark.tracked for history in by_object.values() for mark in history if mark.replayed}
    states = {
        tracked: tracked.read(connection_for(tracked), wanted, share=tracked in shared)
        for tracked, wanted in identities.items()
    }
    rows: list[OutboxRecord] = []
    for (tracked, identity), history in by_object.items():
        replayed = all(mark.replayed for mark in history)
        if (state := states[tracked].get(identity)) is not None:
            row = tracked.snapshot(state)
            rows.append(row._replace(headers=REPLAYED) if replayed else row)
        # What came and went within one transaction was never there for anyone. And of what has
        # gone while a replay came to it, another transaction has told.
        elif not history[0].inserted and not replayed:
            last_known = next((mark.deleted for mark in reversed(history) if mark.deleted), None)
            rows.append(tracked.deleted_snapshot(history[0].identity, last_known))
    return rows


def comparable(identity: Iterable[object]) -> Identity:
    """Return *identity* in texts: an attribute may hold a UUID where its column returns a text."""
    return tuple(str(part) for part in identity)


def mapper_of(entity: type) -> Mapper[Any]:
    """Return the mapper of a mapped class.

    Raises:
        EventDefinitionError: it is no mapped class.
    """
    mapper: object = inspect(entity, raiseerr=False)
    if not isinstance(mapper, Mapper):
        raise EventDefinitionError(f"{entity!r} is no mapped class; track a SQLAlchemy class")
    return mapper


def _columns(mapper: Mapper[Any]) -> dict[str, Column[Any]]:
    """Return the columns of *mapper* by attribute; expressions are no state and left out."""
    columns = {attribute.key: attribute.columns[0] for attribute in mapper.column_attrs}
    return {name: column for name, column in columns.items() if isinstance(column, Column)}


def _type_fault(column: Column[Any]) -> str | None:
    match column.type:
        case DateTime(timezone=False):
            return "has no time zone, so its meaning is not known: use DateTime(timezone=True)"
        case LargeBinary() | Interval():
            return "has a type that JSON does not know: publish it in another column"
        case _:
            return None
