"""Guard of tracked models: what sends no signals is refused, never missed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from typing import Any, Final

from django.core.exceptions import FieldDoesNotExist
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

    def check(self, written: set[Any], method: str, *, only_new: bool) -> None:
        """Refuse a bulk write of the tables of the models *written*; *only_new*: of new rows.

        Raises:
            UntrackedWriteError: a tracked model has one of them, its parents' included.
        """
        if self._is_open.get():
            return
        for model in self._models:
            parents = () if only_new else model._meta.get_parent_list()
            if written.isdisjoint({model, *parents}):
                continue
            raise UntrackedWriteError(
                f"{method}() writes {model.__name__} without signals, and its snapshots would "
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
        written = _written(queryset.model, name, args, kwargs)
        only_new = name == "bulk_create" and not (kwargs.get("update_conflicts") or args[3:])
        for guard in tuple(_guards):
            guard.check(written, name.lstrip("_"), only_new=only_new)
        return method(queryset, *args, **kwargs)

    return write


def _written(
    model: Any,  # noqa: ANN401 - Django has no types
    method: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> set[Any]:
    """Return the models whose own tables a bulk write changes."""
    match method, args:
        case "update", _:
            names: Iterable[str] = kwargs
        case "bulk_update", (_, fields, *_):
            names = fields
        case "update_batch", (_, values, *_):
            names = values
        case _:
            return {model._meta.concrete_model}
    try:
        return {model._meta.get_field(name).model._meta.concrete_model for name in names}
    except FieldDoesNotExist:
        # Django refuses it, or it is the primary key by another name.
        return {model._meta.concrete_model}
