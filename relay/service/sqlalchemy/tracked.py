"""Tracked classes: what is published of them, how it is keyed, and how it is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, ForeignKeyConstraint, Table
from sqlalchemy.orm import Mapper

from relay.errors import EventDefinitionError, PayloadError
from relay.formats.keys import OWNERS, first_set
from relay.formats.message import Message
from relay.service.composer import Composer
from relay.service.records import OutboxRecord
from relay.service.sqlalchemy.columns import (
    columns_of,
    family_of,
    identity_of,
    kinds_of,
    mapper_of,
    published_fields,
)
from relay.service.sqlalchemy.rows import Identity, Rows
from relay.service.writer import KeyRule, State, TrackOptions

CHANGING: Final = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})
"""Actions of a foreign key by which the database changes the row that refers."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The form of a class's snapshots: their name, their *fields*, their key and their topic."""

    name: str
    fields: tuple[str, ...]
    key: KeyRule
    topic: str | None
    converters: Mapping[str, Callable[[Any], object]]

    def payload(self, state: State) -> dict[str, object]:
        """Return what is published of *state*, converted."""
        return {
            name: value
            if (value := state[name]) is None or name not in self.converters
            else self.converters[name](value)
            for name in self.fields
            if name in state
        }


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """A mapped class whose changes are published, each transaction's as one snapshot."""

    mapper: Mapper[Any]
    form: Snapshot
    rows: Rows
    relevant: frozenset[Column[Any]]
    following: tuple[ForeignKeyConstraint, ...]
    """Foreign keys that hand a changed value on to this row (ON UPDATE)."""
    composer: Composer

    def shows(self, columns: frozenset[Column[Any]]) -> bool:
        """Tell whether a change of these *columns* can change a snapshot or its key."""
        return not self.relevant.isdisjoint(columns)

    @property
    def tables(self) -> frozenset[Table]:
        """The tables of the class and of those derived from it."""
        members = family_of(self.mapper)
        return frozenset(
            table for member in members for table in member.tables if isinstance(table, Table)
        )

    def snapshot(self, state: State) -> OutboxRecord:
        """Return the record of a row that exists."""
        return self._record(state, self.form.payload(state))

    def deleted_snapshot(self, identity: Identity, state: State | None) -> OutboxRecord:
        """Return the record of a row that was deleted; *state* is the last one known of it."""
        known = state or dict.fromkeys(self.rows.attributes) | dict(
            zip(self.rows.identity_columns, identity, strict=True)
        )
        return self._record(known, self.form.payload(known) | {"deleted": True})

    def _record(self, state: State, payload: State) -> OutboxRecord:
        form = self.form
        message = Message(form.name, payload, key=form.key(state), topic=form.topic)
        try:
            return self.composer.snapshot(message)
        except PayloadError as error:
            title = self.mapper.class_.__name__
            raise PayloadError(
                f"{title}: {error}. The transaction cannot commit so; publish another form of the "
                f"column: track({title}, json={{…: a function of its value}})."
            ) from None


def tracked(entity: type, options: TrackOptions, composer: Composer) -> Tracked:
    """Return how the mapped class *entity* is published.

    Raises:
        EventDefinitionError: a field is unknown, secret, or of a type that JSON does not know; or
            the format of the stream does not take such snapshots.
    """
    mapper = mapper_of(entity)
    family = family_of(mapper)
    name = composer.format.snapshot_name(entity.__name__, options.name)
    fields = {member: published_fields(member, family, options) for member in family}
    keys = {member: _key_fields(member, options.key) for member in family}
    composer.format.check_snapshot(name, fields[mapper], keyed=options.key is not None)
    needed = {member: {*fields[member], *keys[member]} for member in family}
    return Tracked(
        mapper,
        Snapshot(
            name,
            tuple(dict.fromkeys(field for member in family for field in fields[member])),
            options.key if callable(options.key) else _first_of(keys[mapper]),
            options.topic,
            options.json,
        ),
        Rows(mapper, needed),
        frozenset(
            column
            for member in family
            for attribute in member.column_attrs
            if attribute.key in needed[member]
            for column in attribute.columns
            if isinstance(column, Column)
        )
        | _discriminators(mapper),
        tuple(
            constraint
            for table in mapper.tables
            if isinstance(table, Table)
            for constraint in table.foreign_key_constraints
            if (constraint.onupdate or "").upper() in CHANGING
        ),
        composer,
    )


def _discriminators(mapper: Mapper[Any]) -> frozenset[Column[Any]]:
    """Return the column by which a row becomes one of *mapper*, or is none any more."""
    kind = mapper.polymorphic_on if kinds_of(mapper) is not None else None
    return frozenset({kind}) if isinstance(kind, Column) else frozenset()


def _key_fields(mapper: Mapper[Any], key: KeyRule | str | None) -> tuple[str, ...]:
    """Return the attributes that the key may come from."""
    columns = columns_of(mapper)
    if callable(key):
        # A function may look at any column.
        return tuple(columns)
    if key is not None and key not in columns:
        raise EventDefinitionError(f"{mapper.class_.__name__} has no column {key}")
    return (key,) if key else (*OWNERS, *identity_of(mapper))


def _first_of(fields: tuple[str, ...]) -> KeyRule:
    return lambda state: first_set(state, fields)
