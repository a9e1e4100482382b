"""Diagnosis of outbox, relay and broker; each fault comes with its remedy."""

from collections.abc import Iterator
from typing import Final

from relay.database.session import Connection
from relay.operations import preflight
from relay.operations.doctor import database
from relay.operations.findings import Finding, Outcome, skipped
from relay.settings import Settings

_STREAM: Final = ("rights on topics", "size limits", "seq")
SUBJECTS: Final = (*preflight.SUBJECTS, *database.SUBJECTS, *_STREAM)


def diagnose(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """Yield the findings of the preflight, then of each deeper check whose ground is sound."""
    outcomes: dict[str, Outcome] = {}
    for finding in preflight.examine(connection, settings):
        outcomes[finding.subject] = finding.outcome
        yield finding
    if outcomes["schema"] != "ok":
        yield from skipped("without the outbox tables", *database.SUBJECTS, *_STREAM)
        return
    for finding in database.examine(connection):
        outcomes[finding.subject] = finding.outcome
        yield finding
    if outcomes["rights"] != "ok":
        yield from skipped("without the rights of a relay", *_STREAM)
    elif outcomes["broker"] != "ok":
        yield from skipped("without a broker", *_STREAM)
    else:
        # Slow to import, and not needed while streaming is off.
        from relay.operations.doctor import stream  # noqa: PLC0415

        yield from stream.examine(connection, settings.kafka, settings.relay.max_message_bytes)
