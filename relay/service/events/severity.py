"""Severity, and what it obliges an author to. docs/events.md tells when to use which."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

MAX_INFO_CHARACTERS = 120
"""An info message is a milestone to be read at a glance; counted with its placeholders."""


class Severity(StrEnum):
    """Weight of an event for the user who reads it."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


def broken_rules(
    severity: Severity, message: str, remedy: str | None, details: Sequence[str]
) -> Iterator[str]:
    """Yield what an event of this severity lacks, as advice to its author."""
    if severity in {Severity.ERROR, Severity.CRITICAL}:
        if not (remedy or "").strip():
            yield f"a severity of {severity} needs a remedy: what the user might do (remedy=…)"
        if not details:
            yield (
                f"a severity of {severity} needs details: "
                "the fields that hold what is needed to debug it (details=…)"
            )
    if severity is Severity.INFO and len(message) > MAX_INFO_CHARACTERS:
        yield (
            f"an info message of {len(message)} characters is too long: say the milestone in "
            f"{MAX_INFO_CHARACTERS}, and leave the rest to the fields"
        )
