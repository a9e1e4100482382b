"""Findings: the answers of `relay check` and `relay doctor`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "warning", "failed", "unknown", "skipped"]


@dataclass(frozen=True)
class Finding:
    """Result of one check. A failure has the exit code that stands for it.

    *code* is stable, for programs; *command* is what to type to mend it. Unknown is a check that
    could not be made; skipped one that has no meaning here.
    """

    subject: str
    outcome: Outcome
    detail: str
    exit_code: int = 0
    code: str = ""
    command: str | None = None
    rows: int | None = None


def skipped(reason: str, *subjects: str) -> Iterator[Finding]:
    """Return a finding for each of *subjects*, which were not checked for *reason*."""
    return (Finding(subject, "skipped", f"not checked {reason}") for subject in subjects)


def unknown(reason: str, *subjects: str) -> Iterator[Finding]:
    """Return a finding for each of *subjects*, which could not be checked for *reason*."""
    return (Finding(subject, "unknown", f"not checked: {reason}") for subject in subjects)


def exit_code(found: Sequence[Finding], *, strict: bool = False) -> int:
    """Return the code of the first failure; else 1 for anything but ok where *strict*; else 0."""
    failed = next((finding.exit_code for finding in found if finding.outcome == "failed"), 0)
    doubtful = any(finding.outcome in {"warning", "unknown"} for finding in found)
    return failed or int(strict and doubtful)
