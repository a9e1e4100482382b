from collections.abc import Callable, Mapping
from typing import Final

from relay.console.changes.change import Prepared
from relay.console.changes.rows import discard, redirect, requeue
from relay.console.changes.sessions import end
from relay.console.changes.shards import pause, resume
from relay.console.visit import Visit

VERBS: Final[Mapping[str, Callable[[Visit], Prepared]]] = {
    "requeue": requeue,
    "discard": discard,
    "redirect": redirect,
    "pause": pause,
    "resume": resume,
    "end": end,
}
"""All changes, by the last part of their path."""
