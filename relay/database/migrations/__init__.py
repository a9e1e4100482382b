"""Changes of the tables between versions: NNNN_{pre,post}_name.sql, each applied once, in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources


class Phase(StrEnum):
    """Phase of a migration: before the programs of its version are rolled out, or after."""

    PRE = "pre"
    POST = "post"


@dataclass(frozen=True)
class Migration:
    """One file, applied in a transaction of its own."""

    number: int
    phase: Phase
    name: str
    sql: str


def load() -> tuple[Migration, ...]:
    """Return all migrations of this release, in order."""
    return tuple(sorted(_read(), key=lambda migration: migration.number))


def _read() -> Iterator[Migration]:
    for file in resources.files(__name__).iterdir():
        name, dot, suffix = file.name.rpartition(".")
        if (dot, suffix) == (".", "sql"):
            number, phase, _ = name.split("_", 2)
            yield Migration(int(number), Phase(phase), name, file.read_text(encoding="utf-8"))
