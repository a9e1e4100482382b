"""The events of a service, for people and programs."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

from rich.table import Table

from relay.cli.printout.terminal import console, plain
from relay.errors import EventDefinitionError
from relay.service.events.catalogue import events_of, load_catalogue, own_fields
from relay.service.events.event import Event, definition_of

YAML_SUFFIXES = frozenset({".yaml", ".yml"})
HEADINGS = ("name", "severity", "scope", "message", "fields")


@dataclass(frozen=True)
class CatalogueEntry:
    """What a reader of the documentation wants to know of one event."""

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

    def cells(self) -> tuple[str, ...]:
        """Return what stands under the HEADINGS."""
        fields = ", ".join(f"{name}: {kind}" for name, kind in self.fields.items())
        return self.name, self.severity, self.scope, self.template, fields


def catalogue(sources: Sequence[str]) -> list[CatalogueEntry]:
    """Return the events of *sources*, modules and YAML files, sorted by name.

    Raises:
        EventDefinitionError: a source is not there or defines no event, or two events share a name.
    """
    entries: dict[str, CatalogueEntry] = {}
    for event in (event for source in sources for event in _defined_in(source)):
        entry = _entry(event)
        if entries.setdefault(entry.name, entry) != entry:
            raise EventDefinitionError(f"two events have the name {entry.name}: rename one")
    return [entries[name] for name in sorted(entries)]


def print_catalogue(entries: Iterable[CatalogueEntry]) -> None:
    """Print a table with a line for each event."""
    table = Table(*HEADINGS)
    for entry in entries:
        table.add_row(*map(plain, entry.cells()))
    console().print(table)


def to_markdown(entries: Iterable[CatalogueEntry]) -> str:
    """Return a table in Markdown."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *(entry.cells() for entry in entries)]
    return "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in rows)


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("<", "&lt;").replace("\n", " ")


def _defined_in(source: str) -> Iterator[type[Event]]:
    found = (
        list(load_catalogue(source).values())
        if Path(source).suffix in YAML_SUFFIXES
        else _defined_in_module(source)
    )
    if not found:
        raise EventDefinitionError(f"{source} defines no event: a class with a base of Event")
    yield from found


def _defined_in_module(name: str) -> list[type[Event]]:
    # As `python -m` has it: an installed command does not look into the current folder by itself.
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        raise EventDefinitionError(
            f"the module {name} cannot be imported, because {error.name} is not there: give the "
            "name as Python imports it, such as myservice.events"
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
