"""Properties of a catalogue's events: types by the names that files use, and names of any kind."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AwareDatetime, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from relay.formats.keys import OWNERS
from relay.service.events.event import BASE_FIELDS, RESERVED_FIELDS, Event
from relay.service.events.severity import Severity

TYPES: Final[Mapping[str, Any]] = {
    "UUID": UUID,
    "string": StrictStr,
    "integer": StrictInt,
    "int": StrictInt,
    "int32": StrictInt,
    "int64": StrictInt,
    "number": StrictInt | StrictFloat,
    "float": StrictInt | StrictFloat,
    "float64": StrictInt | StrictFloat,
    "boolean": StrictBool,
    "bool": StrictBool,
    "date-time": AwareDatetime,
    "array": list[Any],
    "object": dict[str, Any],
}
"""Types of properties. With _PTR behind it, or "nullable " before it, a value may be missing."""

_BASE_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(OWNERS, ("UUID",)),
    "request_id": ("string",),
    "event_time": ("date-time", "string"),
}
_RENAMED: Final = "p_"


def type_faults(properties: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each property whose type cannot work, with the reason."""
    for name, written in properties.items():
        kind, _ = _kind(written)
        if kind not in TYPES:
            yield name, f"unknown type {written}; the types are {', '.join(TYPES)}, each with _PTR"
        elif name in _BASE_TYPES and kind not in _BASE_TYPES[name]:
            yield name, f"{name} must be a {_BASE_TYPES[name][0]}, nullable or not"


def annotations(properties: Mapping[str, str]) -> dict[str, object]:
    """Return the annotations of a class with these *properties*.

    What the base class has already is left out, but for an id that must be set. A name with another
    use in Python becomes an alias: the event is made, stored and published under it all the same.
    """
    return {
        _field_name(name): _annotation(name, *_kind(written))
        for name, written in properties.items()
        if name not in BASE_FIELDS or (name in OWNERS and not _kind(written)[1])
    }


def _kind(written: str) -> tuple[str, bool]:
    """Return the name of the type, and True for one that may be missing."""
    kind = written.removesuffix("_PTR").removeprefix("nullable ")
    return kind, kind != written


def _annotation(name: str, kind: str, nullable: bool) -> object:  # noqa: FBT001 - of _kind
    # A severity that is known at run time only.
    found: Any = Severity if (name, kind) == ("severity", "string") else TYPES[kind]
    alias = None if _field_name(name) == name else name
    if nullable:
        return Annotated[found | None, Field(None, alias=alias)]
    return Annotated[found, Field(alias=alias)]


def _field_name(name: str) -> str:
    if name in OWNERS:
        return name
    plain = name.isidentifier() and not name.startswith(("_", "model_", _RENAMED))
    if plain and name not in RESERVED_FIELDS and not hasattr(Event, name):
        return name
    # Those that begin so are renamed, too: then no two have one name.
    return _RENAMED + name
