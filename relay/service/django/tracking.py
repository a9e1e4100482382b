from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final
from uuid import UUID

import psycopg
from django.db import connections, router, transaction
from django.db.models import Model
from django.db.models.signals import post_save, pre_delete, pre_save

from relay.errors import EventDefinitionError
from relay.service.composer import Composer
from relay.service.django.connection import (
    ConnectionWriter,
    advice_of,
    require_transaction,
    write,
)
from relay.service.django.guard import Guard
from relay.service.django.tracked import Tracked, tracked
from relay.service.records import OutboxRecord, batch_of
from relay.service.replay import LOCK_TIMEOUT, StatePage, is_about
from relay.service.writer import State, TrackOptions

_BEFORE: Final = "_outbox_before"
"""Attribute of an object that is being saved: its rows before."""


class Models:
    """The models that an outbox tracks: each save and delete is one snapshot, written at once.

    Within the transaction of the change, while the row is locked by it; so it follows savepoints,
    and the last snapshot of an object is its state at the commit.
    """

    def __init__(self, composer: Composer) -> None:
        self._composer = composer
        self._guard = Guard()
        self._tracked: dict[Any, Tracked] = {}

    def accepts(self, entity: object) -> bool:
        """Tell whether *entity* is a model of Django."""
        return isinstance(entity, type) and issubclass(entity, Model)

    def track(self, entity: type, options: TrackOptions) -> None:
        """Publish a snapshot of each object of *entity* that is saved or deleted.

        Raises:
            EventDefinitionError: that cannot work.
        """
        if entity in self._tracked:
            raise EventDefinitionError(f"{entity.__name__} is tracked already")
        self._tracked[entity] = tracked(entity, options, self._composer)
        self._guard.protect(entity)
        if self._composer.streaming and len(self._tracked) == 1:
            pre_save.connect(self._saving)
            post_save.connect(self._saved)
            pre_delete.connect(self._deleting)

    def tracks(self, entity: object) -> bool:
        """Tell whether *entity* is tracked."""
        return entity in self._tracked

    def mark(
        self, target: object, entity: type, identities: Collection[object], *, replayed: bool
    ) -> None:
        """Publish these rows now, in the transaction of the connection *target*."""
        if not ConnectionWriter().accepts(target):
            raise TypeError(
                "this takes a connection of Django, such as django.db.connection, not "
                f"{type(target).__name__}"
            )
        if self._composer.streaming:
            require_transaction(target)
            records = self._current(target, self._tracked[entity], identities, replayed=replayed)
            write(target, batch_of((), records, self._composer.schema))

    def untracked(self) -> AbstractContextManager[None]:
        """Let bulk writes of tracked models pass, in this thread or task."""
        return self._guard.opened()

    def pages(
        self,
        connection: psycopg.Connection[Any],  # noqa: ARG002 - Django reads through its own
        cluster: UUID | None,
        rows: int,
    ) -> Iterator[StatePage]:
        """Yield the current states of *cluster*, or of all, about *rows* at a time.

        Through the database that Django's router has for writes of the model.
        """
        for known in self._tracked.values():
            alias = router.db_for_write(known.model)
            for keys in known.pages(alias, rows):
                chosen = self._about(known, alias, keys, cluster)
                publish = partial(self._publish, known, alias, chosen)
                yield StatePage(known.name, len(chosen), publish)

    def close(self) -> None:
        """Stop tracking."""
        pre_save.disconnect(self._saving)
        post_save.disconnect(self._saved)
        pre_delete.disconnect(self._deleting)
        self._tracked.clear()
        self._guard.close()

    def _publish(self, known: Tracked, alias: str, keys: Collection[object]) -> None:
        with transaction.atomic(using=alias):
            with connections[alias].cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            self.mark(connections[alias], known.model, keys, replayed=True)

    @staticmethod
    def _about(
        known: Tracked, alias: str, keys: Collection[object], cluster: UUID | None
    ) -> list[object]:
        if cluster is None:
            return list(keys)
        with transaction.atomic(using=alias):
            states = known.read(alias, keys)
        return [key for key, state in states.items() if is_about(known.snapshot(state), cluster)]

    @staticmethod
    def _current(
        target: Any,  # noqa: ANN401 - Django has no types
        known: Tracked,
        keys: Collection[object],
        *,
        replayed: bool,
    ) -> Iterator[OutboxRecord]:
        keys = [known.model._meta.pk.to_python(key) for key in keys]
        states = known.read(target.alias, keys)
        for key in dict.fromkeys(keys):
            if key in states:
                record = known.snapshot(states[key])
                yield record._replace(replayed="true") if replayed else record
            elif not replayed:
                yield known.deleted_snapshot(key)

    def _known(self, sender: Any) -> Iterator[Tracked]:  # noqa: ANN401 - Django has no types
        """Yield the tracked models whose rows are written with one of *sender*.

        They are *sender*'s parents and itself, and the models that have it for a parent.
        """
        saved = sender._meta.concrete_model
        for entity, known in self._tracked.items():
            if entity in sender.__mro__ or saved in entity._meta.get_parent_list():
                yield known

    def _saving(
        self,
        sender: type,
        instance: Any,  # noqa: ANN401 - Django has no types
        using: str,
        update_fields: Collection[str] | None = None,
        **_: object,
    ) -> None:
        """Note the published columns before the change, and lock the row."""
        for known in self._known(sender):
            # Before the change: outside a transaction it would stand without its snapshot.
            require_transaction(connections[using])
            if known.concerns(update_fields):
                row = known.row_of(using, instance)
                vars(instance).setdefault(_BEFORE, {})[known] = row

    def _saved(
        self,
        sender: type,
        instance: Any,  # noqa: ANN401 - Django has no types
        using: str,
        **_: object,
    ) -> None:
        before = vars(instance).pop(_BEFORE, {})
        for known in self._known(sender):
            if known in before:
                # The row, not the object: that may hold expressions, or columns since changed.
                row = known.row_of(using, instance)
                if row is not None and known.differs(row, before[known]):
                    self._write(using, known, [row])

    def _deleting(
        self,
        sender: Any,  # noqa: ANN401 - Django has no types
        instance: Any,  # noqa: ANN401
        using: str,
        **_: object,
    ) -> None:
        # Of several tables, each has a signal of its own.
        if known := self._tracked.get(sender._meta.concrete_model):
            # Locks the row, so that this is its last state.
            states = known.read(using, [instance.pk])
            self._write(using, known, states.values(), deleted=True)

    def _write(
        self, using: str, known: Tracked, states: Collection[State], *, deleted: bool = False
    ) -> None:
        if not states:
            return
        connection = connections[using]
        records = [known.snapshot(state, deleted=deleted) for state in states]
        write(connection, batch_of((), records, self._composer.schema))
        advice = advice_of(connection)
        for state, record in zip(states, records, strict=True):
            advice.state(known.model, state[known.model._meta.pk.attname], record)
