"""Findings: the answers of `relay check` and `relay doctor`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class Finding:
    """Result of one check. A failure has the exit code that stands for it."""

    subject: str
    outcome: Outcome
    detail: str
    exit_code: int = 0


def skipped(reason: str, *subjects: str) -> Iterator[Finding]:
    """Return a finding for each of *subjects*, which were not checked for *reason*."""
    return (Finding(subject, "skipped", f"not checked {reason}") for subject in subjects)


def exit_code(found: Sequence[Finding], *, strict: bool = False) -> int:
    """Return the code of the first failure; 1 for a warning where *strict*; else 0."""
    failed = next((finding.exit_code for finding in found if finding.outcome == "failed"), 0)
    warned = any(finding.outcome == "warning" for finding in found)
    return failed or int(strict and warned)
