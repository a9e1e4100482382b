"""Diagnosis of outbox, relay and broker; each fault comes with its remedy."""

from collections.abc import Iterator
from typing import Final

from relay.database import schema
from relay.database.session import Connection
from relay.errors import SchemaError
from relay.operations import outlook, preflight
from relay.operations.doctor import database
from relay.operations.findings import Finding, Outcome, skipped, unknown
from relay.operations.outlook import Thresholds
from relay.settings import Settings

_ADDRESSES: Final = "advertised addresses"
_STREAM: Final = ("rights on topics", "size limits", "seq")
SUBJECTS: Final = (
    outlook.QUESTION, *preflight.SUBJECTS, *database.SUBJECTS, _ADDRESSES, *_STREAM,
)  # fmt: skip


def diagnose(
    connection: Connection, settings: Settings, thresholds: Thresholds | None = None
) -> Iterator[Finding]:
    """Yield the answer to the question, what stands in the way, and then what each check found."""
    try:
        schema.verify(connection)
    except SchemaError:
        yield from unknown("the outbox tables do not fit, see below", outlook.QUESTION)
        yield from outlook.left_behind(connection)
    else:
        found = outlook.look(connection, thresholds)
        yield found.finding()
        yield from found.findings
    outcomes: dict[str, Outcome] = {}
    for finding in preflight.examine(connection, settings):
        outcomes[finding.subject] = finding.outcome
        yield finding
    if outcomes["schema"] != "ok":
        yield from unknown("the outbox tables do not fit", *database.SUBJECTS)
    else:
        for finding in database.examine(connection, thresholds):
            outcomes[finding.subject] = finding.outcome
            yield finding
    if outcomes["broker"] == "skipped":
        yield from skipped("while ENABLE_EVENT_STREAMING is off", _ADDRESSES, *_STREAM)
    elif outcomes["broker"] != "ok":
        yield from unknown("no broker answered", _ADDRESSES, *_STREAM)
    else:
        yield from _broker(connection, settings, may_look=outcomes.get("rights") == "ok")


def _broker(connection: Connection, settings: Settings, *, may_look: bool) -> Iterator[Finding]:
    # Slow to import, and not needed while streaming is off.
    from relay.operations.doctor import brokers, stream  # noqa: PLC0415

    yield from brokers.examine(settings.kafka)
    if may_look:
        yield from stream.examine(connection, settings.kafka, settings.relay.max_message_bytes)
    else:
        yield from unknown("this user lacks the rights of a relay", *_STREAM)
