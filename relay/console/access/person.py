from collections.abc import Iterable
from dataclasses import dataclass

from relay.settings import ConsoleSettings
from relay.settings.console import EVERYBODY


@dataclass(frozen=True)
class Person:
    """Somebody who reads the console, and what else the person may do."""

    name: str
    acts: bool = False
    sees_payloads: bool = False


def person_of(name: str, groups: Iterable[str], settings: ConsoleSettings) -> Person | None:
    """Return the person with these groups; None where they may not even look."""
    member = {*groups, EVERYBODY}
    acts = not member.isdisjoint(settings.operator_groups)
    if not acts and member.isdisjoint(settings.reader_groups):
        return None
    return Person(name, acts, not member.isdisjoint(settings.payload_groups))
