"""Catalogues of events: those that a module defines, and those that a YAML file lists.

A file holds a list, at its top or under `x-events`: ``name``, ``message`` with {property}
placeholders, ``event_type`` (cluster, host or infra_env), ``severity`` and ``properties`` (name to
type); ``category``, ``remedy`` and ``details`` where wanted, as `Event` has them. A property called
``severity`` is the severity of the event at run time.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType, UnionType, new_class
from typing import TYPE_CHECKING, Annotated, Final, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from relay.errors import EventDefinitionError
from relay.service.events.definition import EventOptions, Scope
from relay.service.events.event import Event, definition_of
from relay.service.events.properties import annotations, type_faults
from relay.service.events.severity import Severity

if TYPE_CHECKING:
    from relay.service.events.yaml_file import FileEntry

_NULL: Final = ("", "~", "null")

log = logging.getLogger(__name__)


class _Entry(BaseModel):
    """One event of a file."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1)
    message: str
    event_type: Scope
    severity: Severity
    properties: dict[str, str] = {}
    category: str = "user"
    remedy: str = ""
    details: list[str] = []

    @field_validator("properties", "remedy", "details", mode="before")
    @classmethod
    def _none(cls, value: object, info: ValidationInfo) -> object:
        """Take what YAML calls null for nothing; the file is read as texts."""
        return cls.model_fields[str(info.field_name)].default if value in _NULL else value


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Event classes of a file by the names of the events, and what is wrong with the others.

    Each of the *faults* begins with its line.
    """

    events: dict[str, type[Event]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def load_catalogue(
    path: str | Path, *, module: str | None = None, strict: bool = False, keep_going: bool = False
) -> dict[str, type[Event]]:
    """Return the event classes that a YAML file lists, by the names of the events.

    With *module*, usually ``__name__``, they count as defined there. A file that breaks rules of
    severity is loaded with one warning that names the events; *strict* refuses it. *keep_going*
    loads what can work, and logs each fault of the rest.

    Raises:
        EventDefinitionError: the file cannot be read, or an event cannot work; names every fault.
    """
    found = read_catalogue(path, module=module, strict=strict)
    if found.faults and not keep_going:
        raise EventDefinitionError(faults_of(path, found))
    for fault in found.faults:
        log.error("%s: this event is left out: %s", path, fault)
    _warn(path, found.events)
    return found.events


def read_catalogue(
    path: str | Path, *, module: str | None = None, strict: bool = False
) -> Catalogue:
    """Return the catalogue of a YAML file, with its faults.

    Raises:
        EventDefinitionError: the file cannot be read.
    """
    # Only a service with a file needs YAML.
    from relay.service.events.yaml_file import entries_of  # noqa: PLC0415

    found = Catalogue()
    lines: dict[str, int] = {}
    for position, entry in enumerate(entries_of(Path(path)), start=1):
        name = str(entry.value.get("name", "")) if isinstance(entry.value, dict) else ""
        faults = list(_double_faults(entry, lines.setdefault(name, entry.line()) if name else None))
        event = _event(entry, faults, module or __name__, strict=strict)
        if event and not faults:
            found.events[name] = event
        named = name or f"entry {position}"
        found.faults.extend(f"line {line}: {named}: {fault}" for line, fault in faults)
    return found


def faults_of(path: str | Path, catalogue: Catalogue) -> str:
    """Return a message that lists every fault of the *catalogue* in *path*."""
    listed = "".join(f"\n  - {fault}" for fault in catalogue.faults)
    return f"{path}: these events cannot work:{listed}"


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
        field.alias or name: _type_name(field.annotation)
        for name, field in event.model_fields.items()
        if name not in Event.model_fields or field.is_required()
    }


def _double_faults(entry: "FileEntry", first: int | None) -> Iterator[tuple[int, str]]:
    if first is not None and first != entry.line():
        yield entry.line(), f"the name is there twice, first in line {first}"
    for line, key in entry.doubled:
        yield line, f"{key} is there twice"


def _event(
    entry: "FileEntry", faults: list[tuple[int, str]], module: str, *, strict: bool
) -> type[Event] | None:
    """Return the class of an entry, or add what is wrong with it to *faults*."""
    if not isinstance(entry.value, dict):
        faults.append((entry.line(), "it must be an object, with a name, a message and so on"))
        return None
    try:
        checked = _Entry.model_validate(entry.value)
    except ValidationError as error:
        for wrong in error.errors():
            place = ".".join(map(str, wrong["loc"]))
            faults.append((entry.line(wrong["loc"]), f"{place}: {wrong['msg']}"))
        return None
    for name, fault in type_faults(checked.properties):
        faults.append((entry.line(("properties", name)), f"{name}: {fault}"))
    if faults:
        return None
    try:
        return _event_class(checked, module, strict=strict)
    except EventDefinitionError as error:
        faults.append((entry.line(), str(error).removeprefix(f"{checked.name}: ")))
        return None


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
    body = {"__module__": module, "__annotations__": annotations(entry.properties)}
    title = "".join(part.capitalize() for part in entry.name.split("_"))
    return new_class(title, (Event,), dict(options), lambda namespace: namespace.update(body))


def _derived(event: type[Event]) -> Iterator[type[Event]]:
    for child in event.__subclasses__():
        yield child
        yield from _derived(child)


def _type_name(annotation: object) -> str:
    if get_origin(annotation) is Annotated:
        return _type_name(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return " | ".join(map(_type_name, get_args(annotation)))
    if annotation is NoneType:
        return "None"
    # A generic type such as list[str] is no class.
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation.__name__
    return str(annotation)


def _warn(path: str | Path, classes: Mapping[str, type[Event]]) -> None:
    broken = [name for name, event in classes.items() if definition_of(event).broken_rules]
    if broken:
        log.warning(
            "%s: %d of %d events break a rule (%s); `relay events %s` names them",
            path, len(broken), len(classes), ", ".join(broken), path,
        )  # fmt: skip
