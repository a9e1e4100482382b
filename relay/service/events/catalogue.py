"""Catalogues of events: those that a module defines, and those that a YAML file lists.

A file holds a list: ``name``, ``message`` with {property} placeholders, ``event_type`` (cluster,
host or infra_env), ``severity`` and ``properties`` (name to type); ``category``, ``remedy`` and
``details`` where wanted, with the meaning that they have for `Event`.
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import new_class
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StrictBool, StrictInt, StrictStr, ValidationError

from relay.errors import EventDefinitionError
from relay.formats.keys import OWNERS
from relay.service.events.definition import EventOptions, Scope
from relay.service.events.event import Event, definition_of
from relay.service.events.severity import Severity

log = logging.getLogger(__name__)

_NULLABLE_UUID: Final = UUID | None

TYPES: Final[Mapping[str, object]] = {
    "UUID": UUID,
    "UUID_PTR": _NULLABLE_UUID,
    "nullable UUID": _NULLABLE_UUID,
    "string": StrictStr,
    "integer": StrictInt,
    "int": StrictInt,
    "int64": StrictInt,
    "boolean": StrictBool,
    "bool": StrictBool,
}
"""Types of properties by the names that a file may use for them."""


class _Entry(BaseModel):
    """One event of a file."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str
    message: str
    event_type: Scope
    severity: Severity
    properties: dict[str, str] | None = None
    category: str = "user"
    remedy: str | None = None
    details: list[str] = []


def load_catalogue(
    path: str | Path, *, module: str | None = None, strict: bool = False
) -> dict[str, type[Event]]:
    """Return the event classes that a YAML file lists, by the names of the events.

    With *module*, usually ``__name__``, they count as defined there. A file that breaks rules of
    severity is loaded with one warning that names the events; *strict* refuses it.

    Raises:
        EventDefinitionError: the file cannot be read, or an event cannot work; names every fault.
    """
    classes: dict[str, type[Event]] = {}
    faults: list[str] = []
    for position, raw in enumerate(_entries(Path(path)), start=1):
        try:
            entry = _Entry.model_validate(raw)
            if entry.name in classes:
                faults.append(f"{entry.name}: the name is there twice")
            classes[entry.name] = _event_class(entry, module or __name__, strict=strict)
        except ValidationError as error:
            name = raw.get("name") if isinstance(raw, dict) else None
            told = "; ".join(f"{_place(fault['loc'])}: {fault['msg']}" for fault in error.errors())
            faults.append(f"{name or f'entry {position}'}: {told}")
        except EventDefinitionError as error:
            faults.append(str(error))
    if faults:
        listed = "".join(f"\n  - {fault}" for fault in faults)
        raise EventDefinitionError(f"{path}: these events cannot work:{listed}")
    _warn(path, classes)
    return classes


def events_of(module: str) -> list[type[Event]]:
    """Return the event classes that the imported *module* and its submodules define."""
    return [
        event
        for event in dict.fromkeys(_derived(Event))
        if event.definition and f"{event.__module__}.".startswith(f"{module}.")
    ]


def own_fields(event: type[Event]) -> dict[str, str]:
    """Return the fields that the class adds, and the ids that it requires, with their types."""
    return {
        name: _type_name(field.annotation)
        for name, field in event.model_fields.items()
        if name not in Event.model_fields or field.is_required()
    }


def _entries(path: Path) -> list[object]:
    # Only a service with a file needs it.
    import yaml  # noqa: PLC0415

    try:
        entries = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise EventDefinitionError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise EventDefinitionError(f"{path}: no valid YAML: {error}") from None
    if not isinstance(entries, list):
        raise EventDefinitionError(f"{path}: it must hold a list of events")
    return entries


def _event_class(entry: _Entry, module: str, *, strict: bool) -> type[Event]:
    options = EventOptions(
        name=entry.name,
        message=entry.message,
        severity=entry.severity,
        scope=entry.event_type,
        category=entry.category,
        details=entry.details,
        lenient=not strict,
    )
    if entry.remedy:
        options["remedy"] = entry.remedy
    body = {"__module__": module, "__annotations__": _annotations(entry)}
    title = "".join(part.capitalize() for part in entry.name.split("_"))
    return new_class(title, (Event,), dict(options), lambda namespace: namespace.update(body))


def _annotations(entry: _Entry) -> dict[str, object]:
    properties = entry.properties or {}
    if unknown := sorted(set(properties.values()) - TYPES.keys()):
        raise EventDefinitionError(
            f"{entry.name}: unknown types {', '.join(unknown)}; they are {', '.join(TYPES)}"
        )
    types = {name: TYPES[kind] for name, kind in properties.items()}
    for owner in types.keys() & set(OWNERS):
        if types[owner] not in {UUID, _NULLABLE_UUID}:
            raise EventDefinitionError(f"{entry.name}: {owner} must be a UUID, nullable or not")
    # A nullable id is what the base class has already.
    return {n: kind for n, kind in types.items() if n not in OWNERS or kind is UUID}


def _derived(event: type[Event]) -> Iterator[type[Event]]:
    for child in event.__subclasses__():
        yield child
        yield from _derived(child)


def _place(parts: tuple[int | str, ...]) -> str:
    return ".".join(map(str, parts))


def _type_name(annotation: object) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _warn(path: str | Path, classes: Mapping[str, type[Event]]) -> None:
    broken = [name for name, event in classes.items() if definition_of(event).broken_rules]
    if broken:
        log.warning(
            "%s: %d of %d events break a rule of their severity (%s); `relay events %s` names them",
            path, len(broken), len(classes), ", ".join(broken), path,
        )  # fmt: skip
