from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from relay.console.access.person import Person
from relay.console.database import Database
from relay.console.doctor import Doctor
from relay.console.watch import Look, Watch
from relay.settings import Settings

# Of the largest bigint.
_DIGITS: Final = 19


@dataclass(frozen=True)
class Visit:
    """Request of a person for a page, and what pages are made of."""

    person: Person
    path: Mapping[str, str]
    query: Mapping[str, str]
    database: Database
    watch: Watch
    doctor: Doctor
    settings: Settings
    # A script or a terminal asks: it waits for what takes longer.
    waits: bool = False

    @property
    def patient(self) -> bool:
        """True where the answer may take its time."""
        return self.waits or self.given("patient") is not None

    def look(self) -> Look:
        """Return the latest look; an old one where the answer may not take its time."""
        return self.watch.latest(waits=self.patient)

    def given(self, name: str) -> str | None:
        """Return a query parameter; None where it is empty."""
        return self.query.get(name, "").strip() or None

    def number(self, name: str) -> int | None:
        """Return a query parameter that is an id; None where it is none."""
        text = self.given(name) or ""
        return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else None

    @property
    def blocked(self) -> str:
        """The reason why this person can change nothing here; empty where they can."""
        if not self.settings.console.actions:
            return "The console is read-only: RELAY_CONSOLE_ACTIONS is off."
        if not self.person.acts:
            return "You may look, and not act: you are in no group of operators."
        if not self.watch.latest().rights.act:
            return "The console's database user is no operator: grant it outbox_operator."
        return ""
