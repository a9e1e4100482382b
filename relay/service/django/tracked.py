"""Tracked models: what is published of them, and how it is read."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relay.errors import EventDefinitionError, PayloadError
from relay.formats.keys import OWNERS, first_set
from relay.formats.message import Message
from relay.service.composer import Composer
from relay.service.django.fields import field_fault
from relay.service.records import OutboxRecord
from relay.service.writer import KeyRule, State, TrackOptions


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """A model whose changes are published. *columns* are all that a row is read with."""

    model: Any
    name: str
    fields: tuple[str, ...]
    columns: tuple[str, ...]
    key: KeyRule
    topic: str | None
    converters: Mapping[str, Callable[[Any], object]]
    composer: Composer

    def read(self, alias: str, keys: Collection[object], lookup: str = "pk") -> dict[object, State]:
        """Return the rows whose *lookup* is one of *keys* as they are now, locked, by their own."""
        rows = self.model._base_manager.using(alias).filter(**{f"{lookup}__in": keys})
        found = rows.select_for_update().order_by("pk").values("pk", *self.columns)
        return {row["pk"]: row for row in found}

    def row_of(self, alias: str, instance: Any) -> State | None:  # noqa: ANN401
        """Return the row that is saved with *instance*, which may be of a parent or a child."""
        saved = instance._meta.concrete_model
        if issubclass(saved, self.model):
            lookup, key = "pk", _key_of(instance, self.model)
        else:
            lookup, key = f"{_path(self.model, saved)}__pk", instance.pk
        states = {} if key is None else self.read(alias, [key], lookup)
        return next(iter(states.values()), None)

    def concerns(self, update_fields: Collection[str] | None) -> bool:
        """Tell whether a save of these fields, or of all, can change what is published."""
        if update_fields is None:
            return True
        written = {self.model._meta.get_field(name).attname for name in update_fields}
        return not written.isdisjoint(self.fields)

    def differs(self, state: State, before: State | None) -> bool:
        """Tell whether a published column is not as it was."""
        return before is None or any(state[name] != before[name] for name in self.fields)

    def pages(self, alias: str, rows: int) -> Iterator[Sequence[object]]:
        """Yield all primary keys in their order, *rows* at a time."""
        everything = self.model._base_manager.using(alias).order_by("pk")
        page = everything
        while keys := list(page.values_list("pk", flat=True)[:rows]):
            yield keys
            page = everything.filter(pk__gt=keys[-1])

    def snapshot(self, state: State, *, deleted: bool = False) -> OutboxRecord:
        """Return the record of a row, or of the last state of one that was *deleted*."""
        payload: dict[str, object] = {
            name: value
            if (value := state[name]) is None or name not in self.converters
            else self.converters[name](value)
            for name in self.fields
        }
        if deleted:
            payload["deleted"] = True
        message = Message(self.name, payload, key=self.key(state), topic=self.topic)
        try:
            return self.composer.snapshot(message)
        except PayloadError as error:
            title = self.model.__name__
            raise PayloadError(
                f"{title}: {error}. The transaction cannot commit so; publish another form of the "
                f"column: track({title}, json={{…: a function of its value}})."
            ) from None

    def deleted_snapshot(self, key: object) -> OutboxRecord:
        """Return the record of a row that is not there, of which only its *key* is known."""
        identity = self.model._meta.pk.attname
        return self.snapshot({**dict.fromkeys(self.columns), identity: key}, deleted=True)


def tracked(model: Any, options: TrackOptions, composer: Composer) -> Tracked:  # noqa: ANN401
    """Return how *model* is published.

    Raises:
        EventDefinitionError: a field is unknown, or of a type that JSON does not know; or the
            format of the stream does not take such snapshots.
    """
    columns = {field.attname: field for field in model._meta.concrete_fields}
    fields = _published(model, columns, options)
    name = composer.format.snapshot_name(model.__name__, options.name)
    composer.format.check_snapshot(name, fields, keyed=options.key is not None)
    key = _key_rule(model, columns, options.key)
    return Tracked(model, name, fields, tuple(columns), key, options.topic, options.json, composer)


def _published(model: Any, columns: Mapping[str, Any], options: TrackOptions) -> tuple[str, ...]:  # noqa: ANN401
    title, identity = model.__name__, model._meta.pk.attname
    if model._meta.proxy or model._meta.abstract:
        raise EventDefinitionError(f"{title} has no table of its own; track the model that has it")
    if model._meta.pk.column is None:
        raise EventDefinitionError(
            f"{title} has a primary key of several columns: let a trigger take its snapshots "
            "(`relay triggers`)"
        )
    if by_database := sorted(name for name, field in columns.items() if _follows_database(field)):
        raise EventDefinitionError(
            f"{title}.{by_database[0]}: its on_delete is PostgreSQL's own, so that its rows go or "
            "change without a signal: use that of Django (models.CASCADE), or let a trigger take "
            "its snapshots (`relay triggers`)"
        )
    named = {*(options.fields or ()), *options.exclude, *options.json}
    if unknown := sorted(named - columns.keys()):
        raise EventDefinitionError(
            f"{title} has no columns {', '.join(unknown)}; they are {', '.join(columns)}"
        )
    chosen = columns if options.fields is None else (identity, *options.fields)
    published = [name for name in dict.fromkeys(chosen) if name not in frozenset(options.exclude)]
    for name in published:
        if name not in options.json and (fault := field_fault(columns[name])):
            raise EventDefinitionError(
                f"{title}.{name} {fault}; or convert it: track({title}, json={{{name!r}: str}}), "
                "with a function of the value; or name it in exclude"
            )
    return tuple(published)


def _key_rule(model: Any, columns: Mapping[str, Any], key: KeyRule | str | None) -> KeyRule:  # noqa: ANN401
    if callable(key):
        return key
    if key is not None and key not in columns:
        raise EventDefinitionError(f"{model.__name__} has no column {key}")
    candidates = (key,) if key else (*OWNERS, model._meta.pk.attname)
    return lambda state: first_set(state, candidates)


def _key_of(instance: Any, model: Any) -> object:  # noqa: ANN401 - Django has no types
    """Return the primary key of the row of *model*, a parent or itself, that *instance* has."""
    key = getattr(instance, model._meta.pk.attname)
    link = instance._meta.get_ancestor_link(model)
    # An object made with its link alone has not heard of it yet.
    return getattr(instance, link.attname) if key is None and link else key


def _path(model: Any, ancestor: Any) -> str:  # noqa: ANN401 - Django has no types
    """Return the lookup of the links that lead from *model* to its *ancestor*."""
    names, options = [], model._meta
    for parent in options.get_base_chain(ancestor):
        names.append(options.parents[parent].name)
        options = parent._meta
    return "__".join(names)


def _follows_database(field: Any) -> bool:  # noqa: ANN401 - Django has no types
    """Tell whether *field* has one of the on_delete of Django 6.1, such as models.DB_CASCADE."""
    on_delete = getattr(field.remote_field, "on_delete", None)
    return hasattr(on_delete, "on_delete_sql")
