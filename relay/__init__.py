"""Transactional outbox: from a PostgreSQL transaction to Kafka, in order per key."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relay.service import (
        Event,
        Message,
        Outbox,
        Redactor,
        Scope,
        Severity,
        describe_error,
        load_catalogue,
    )

__all__ = [
    "Event",
    "Message",
    "Outbox",
    "Redactor",
    "Scope",
    "Severity",
    "describe_error",
    "load_catalogue",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: the relay itself never needs SQLAlchemy."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not at the top: importing relay.daemon must stay light.
    from relay import service  # noqa: PLC0415

    return getattr(service, name)
