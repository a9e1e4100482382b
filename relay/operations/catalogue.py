"""Catalogue of the events that a service defines."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from relay.errors import EventDefinitionError
from relay.service.events.catalogue import (
    Catalogue,
    events_of,
    faults_of,
    own_fields,
    read_catalogue,
)
from relay.service.events.event import Event, definition_of

YAML_SUFFIXES: Final = frozenset({".yaml", ".yml"})


@dataclass(frozen=True)
class CatalogueEntry:
    """Event as a reader of the documentation sees it."""

    name: str
    severity: str
    category: str
    scope: str
    template: str
    fields: dict[str, str]
    details: tuple[str, ...]
    description: str | None
    broken_rules: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Listing:
    """Events sorted by name, and the faults of those that were left out."""

    entries: list[CatalogueEntry]
    faults: list[str]


def catalogue(sources: Sequence[str], *, keep_going: bool = False) -> Listing:
    """Return the events of *sources*, modules and YAML files.

    *keep_going*: without the entries of a file that cannot work.

    Raises:
        EventDefinitionError: a source is missing or defines no event, an entry cannot work, or two
            events share a name.
    """
    entries: dict[str, CatalogueEntry] = {}
    faults: list[str] = []
    for source in sources:
        found = _defined_in(source)
        if found.faults and not keep_going:
            raise EventDefinitionError(faults_of(source, found))
        faults.extend(f"{source}: {fault}" for fault in found.faults)
        for entry in map(_entry, found.events.values()):
            if entries.setdefault(entry.name, entry) != entry:
                raise EventDefinitionError(f"two events have the name {entry.name}: rename one")
    return Listing([entries[name] for name in sorted(entries)], faults)


def _defined_in(source: str) -> Catalogue:
    found = (
        read_catalogue(source)
        if Path(source).suffix in YAML_SUFFIXES
        else _defined_in_module(source)
    )
    if not (found.events or found.faults):
        raise EventDefinitionError(f"{source} defines no event: add a subclass of Event")
    return found


def _defined_in_module(name: str) -> Catalogue:
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        raise EventDefinitionError(
            f"the module {name} cannot be imported, because {error.name} is missing: give the name "
            "as Python imports it, such as myservice.events"
        ) from None
    return Catalogue({event.__qualname__: event for event in events_of(name)})


def _entry(event: type[Event]) -> CatalogueEntry:
    definition = definition_of(event)
    return CatalogueEntry(
        name=definition.name,
        severity=definition.severity.value,
        category=definition.category,
        scope=definition.scope.value,
        template=definition.template,
        fields=own_fields(event),
        details=definition.details,
        description=event.__dict__.get("__doc__"),
        broken_rules=definition.broken_rules,
    )
