"""Guard of tracked models: what sends no signals is refused, never missed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from typing import Any, Final

from django.db.models.query import QuerySet
from django.db.models.sql import UpdateQuery

from relay.errors import UntrackedWriteError

_BULK: Final = ("update", "bulk_create", "bulk_update", "_raw_delete")
"""Methods of querysets that write without signals; those with an `a` before call these."""

_guards: Final[set["Guard"]] = set()


class Guard:
    """The tracked models of one outbox."""

    def __init__(self) -> None:
        self._models: set[Any] = set()
        self._is_open: ContextVar[bool] = ContextVar("outbox_untracked", default=False)

    def protect(self, model: Any) -> None:  # noqa: ANN401 - Django has no types
        """Refuse bulk writes of *model* from now on."""
        _watch()
        _guards.add(self)
        self._models.add(model)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Let bulk writes pass, in this thread or task."""
        token = self._is_open.set(True)
        try:
            yield
        finally:
            self._is_open.reset(token)

    def check(self, model: Any, method: str) -> None:  # noqa: ANN401 - Django has no types
        """Refuse a bulk write of *model*, or of one that shares its table.

        Raises:
            UntrackedWriteError: it is tracked.
        """
        concrete = model._meta.concrete_model
        if concrete in self._models and not self._is_open.get():
            raise UntrackedWriteError(
                f"{method}() writes {concrete.__name__} without signals, and its snapshots would "
                "be missed: save the objects one by one; or write inside `with "
                "outbox.untracked():` and call outbox.snapshot() with their primary keys."
            )

    def close(self) -> None:
        """Let everything pass from now on."""
        _guards.discard(self)


@cache
def _watch() -> None:
    """Begin to ask the guards before each bulk write, once in a process."""
    for name in _BULK:
        setattr(QuerySet, name, _guarded(name, getattr(QuerySet, name)))
    # By which a deletion writes what refers to the object, where on_delete is SET of a function.
    UpdateQuery.update_batch = _guarded("update_batch", UpdateQuery.update_batch)


def _guarded(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def write(queryset: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Django has no types
        for guard in tuple(_guards):
            guard.check(queryset.model, name.lstrip("_"))
        return method(queryset, *args, **kwargs)

    return write
