"""Names of event classes in this process: each belongs to one class, or consumers mix two up."""

import gc
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from relay.errors import EventDefinitionError

if TYPE_CHECKING:
    from relay.service.events.event import Event

_classes: "Final[WeakValueDictionary[str, type[Event]]]" = WeakValueDictionary()


def claim_name(name: str, event: "type[Event]") -> None:
    """Let *name* belong to the class *event*.

    Raises:
        EventDefinitionError: it belongs to another one that is still in use.
    """
    if _is_taken(name, event):
        # A class that nobody refers to any more may wait for the collector.
        gc.collect()
        if _is_taken(name, event):
            raise EventDefinitionError(
                f"{_place(event)}: {_place(_classes[name])} is called {name} on the stream, too, "
                'and no consumer could tell them apart; give one of them a name="…" of its own'
            )
    _classes[name] = event


def _is_taken(name: str, event: "type[Event]") -> bool:
    other = _classes.get(name)
    return other is not None and not _is_same(other, event)


def _is_same(one: "type[Event]", other: "type[Event]") -> bool:
    """Tell whether both are one class, of a module or a catalogue that was read twice."""
    if one.__qualname__ != other.__qualname__:
        return False
    return one.__module__ == other.__module__ or _content(one) == _content(other)


def _content(event: "type[Event]") -> tuple[object, ...]:
    fields = event.model_fields.items()
    return event.definition, {name: str(field.annotation) for name, field in fields}


def _place(event: "type[Event]") -> str:
    return f"{event.__module__}.{event.__qualname__}"
