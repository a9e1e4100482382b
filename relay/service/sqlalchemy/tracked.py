"""Tracked classes: what is published of them, how it is keyed, and how it is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column
from sqlalchemy.orm import Mapper

from relay.errors import EventDefinitionError
from relay.formats.keys import OWNERS, first_set
from relay.formats.message import Message
from relay.service.composer import Composer
from relay.service.records import OutboxRecord
from relay.service.sqlalchemy.columns import columns_of, identity_of, mapper_of, published_fields
from relay.service.sqlalchemy.rows import Identity, Rows
from relay.service.writer import KeyRule, State, TrackOptions


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The form of a class's snapshots: their name, their *fields*, their key and their topic."""

    name: str
    fields: tuple[str, ...]
    key: KeyRule
    topic: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """A mapped class whose changes are published, each transaction's as one snapshot."""

    mapper: Mapper[Any]
    form: Snapshot
    rows: Rows
    composer: Composer

    def snapshot(self, state: State) -> OutboxRecord:
        """Return the record of a row that exists."""
        return self._record(state, {name: state[name] for name in self.form.fields})

    def deleted_snapshot(self, identity: Identity, state: State | None) -> OutboxRecord:
        """Return the record of a row that was deleted; *state* is the last one known of it."""
        known = state or dict.fromkeys(self.rows.attributes) | dict(
            zip(self.rows.identity_columns, identity, strict=True)
        )
        fields = {name: known[name] for name in self.form.fields}
        return self._record(known, fields | {"deleted": True})

    def _record(self, state: State, payload: State) -> OutboxRecord:
        form = self.form
        return self.composer.snapshot(
            Message(form.name, payload, key=form.key(state), topic=form.topic)
        )


def tracked(entity: type, options: TrackOptions, composer: Composer) -> Tracked:
    """Return how the mapped class *entity* is published.

    Raises:
        EventDefinitionError: a field is unknown, secret, or of a type that JSON does not know; or
            the format of the stream does not take such snapshots.
    """
    mapper = mapper_of(entity)
    columns = columns_of(mapper)
    name = composer.format.snapshot_name(entity.__name__, options.name)
    fields = published_fields(mapper, columns, options)
    key, key_fields = _key_rule(mapper, columns, options.key)
    composer.format.check_snapshot(name, fields, keyed=options.key is not None)
    return Tracked(
        mapper,
        Snapshot(name, fields, key, options.topic),
        Rows(mapper, {*fields, *key_fields}),
        composer,
    )


def _key_rule(
    mapper: Mapper[Any], columns: Mapping[str, Column[Any]], key: KeyRule | str | None
) -> tuple[KeyRule, tuple[str, ...]]:
    """Return the rule, and the attributes that it looks at."""
    if callable(key):
        # A function may look at any column.
        return key, tuple(columns)
    if key is not None and key not in columns:
        raise EventDefinitionError(f"{mapper.class_.__name__} has no column {key}")
    candidates = (key,) if key else (*OWNERS, *identity_of(mapper))
    return lambda state: first_set(state, candidates), candidates
