"""What ails an outbox and its relays, and what to do about each fault."""

from collections.abc import Iterator

from relay.operations import preflight
from relay.operations.preflight import Finding, Outcome
from relay.settings import load

_DATABASE = ("rights", "statistics", "plan", "vacuum", "xmin", "clock", "sequence")
_STREAM = ("rights on topics", "size limits", "seq")


def diagnose() -> Iterator[Finding]:
    """Look at what `relay check` looks at, and then deeper, as far as that is sound.

    Raises:
        DatabaseUnavailableError: the database went away in between.
    """
    outcomes: dict[str, Outcome] = {}
    for finding in preflight.findings():
        outcomes[finding.subject] = finding.outcome
        yield finding
    if outcomes.get("schema") != "ok":
        yield from preflight.skipped("without the outbox tables", *_DATABASE, *_STREAM)
        return
    settings = load(database=True, stream=True, relay=True)
    from relay.operations.doctor import database  # noqa: PLC0415

    for finding in database.examine(settings.database):
        outcomes[finding.subject] = finding.outcome
        yield finding
    if outcomes["rights"] != "ok":
        yield from preflight.skipped("without the rights of a relay", *_STREAM)
    elif outcomes.get("broker") == "ok":
        from relay.operations.doctor import stream  # noqa: PLC0415

        yield from stream.examine(settings)
    else:
        yield from preflight.skipped("without a broker", *_STREAM)
