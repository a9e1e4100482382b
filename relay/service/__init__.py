"""What a service imports: it writes events and snapshots in its own transaction."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relay.service.catalogue import load_catalogue
    from relay.service.definition import Scope
    from relay.service.events import Event
    from relay.service.message import Message
    from relay.service.outbox import Outbox
    from relay.service.redaction import Redactor
    from relay.service.severity import Severity

__all__ = ["Event", "Message", "Outbox", "Redactor", "Scope", "Severity", "load_catalogue"]

_HOMES = {
    "Event": "events",
    "Message": "message",
    "Outbox": "outbox",
    "Redactor": "redaction",
    "Scope": "definition",
    "Severity": "severity",
    "load_catalogue": "catalogue",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: the relay itself never needs SQLAlchemy."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
