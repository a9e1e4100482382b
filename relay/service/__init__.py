"""The room of the service: events and snapshots, written in its own transaction."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relay.formats.message import Message
    from relay.service.events.catalogue import load_catalogue
    from relay.service.events.definition import Scope
    from relay.service.events.event import Event
    from relay.service.events.severity import Severity
    from relay.service.outbox import Outbox
    from relay.service.redaction.errors import describe_error
    from relay.service.redaction.redactor import Redactor

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

_HOMES = {
    "Event": "relay.service.events.event",
    "Message": "relay.formats.message",
    "Outbox": "relay.service.outbox",
    "Redactor": "relay.service.redaction.redactor",
    "Scope": "relay.service.events.definition",
    "Severity": "relay.service.events.severity",
    "describe_error": "relay.service.redaction.errors",
    "load_catalogue": "relay.service.events.catalogue",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: the relay itself never needs SQLAlchemy."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
