"""Catalogue of the events that a service defines."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from relay.errors import EventDefinitionError
from relay.service.events.catalogue import events_of, load_catalogue, own_fields
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


def catalogue(sources: Sequence[str]) -> list[CatalogueEntry]:
    """Return the events of *sources*, modules and YAML files, sorted by name.

    Raises:
        EventDefinitionError: a source is missing or defines no event, or two events share a name.
    """
    entries: dict[str, CatalogueEntry] = {}
    for event in (event for source in sources for event in _defined_in(source)):
        entry = _entry(event)
        if entries.setdefault(entry.name, entry) != entry:
            raise EventDefinitionError(f"two events have the name {entry.name}: rename one")
    return [entries[name] for name in sorted(entries)]


def _defined_in(source: str) -> Iterator[type[Event]]:
    found = (
        list(load_catalogue(source).values())
        if Path(source).suffix in YAML_SUFFIXES
        else _defined_in_module(source)
    )
    if not found:
        raise EventDefinitionError(f"{source} defines no event: add a subclass of Event")
    yield from found


def _defined_in_module(name: str) -> list[type[Event]]:
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        raise EventDefinitionError(
            f"the module {name} cannot be imported, because {error.name} is missing: give the name "
            "as Python imports it, such as myservice.events"
        ) from None
    return events_of(name)


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
