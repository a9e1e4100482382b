"""Menu: every screen with its path, in the order in which a person on call asks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from relay.console.content import Page
from relay.console.pages.change import change
from relay.console.pages.diagnosis import doctor
from relay.console.pages.events import events
from relay.console.pages.finding import find
from relay.console.pages.now import now
from relay.console.pages.parked import parked, parked_rows
from relay.console.pages.past import past
from relay.console.pages.relays import relays
from relay.console.pages.rows import row_page
from relay.console.pages.shards import shard, shards
from relay.console.pages.storage import storage
from relay.console.pages.topics import topics
from relay.console.visit import Visit

Build = Callable[[Visit], Page]


@dataclass(frozen=True)
class Screen:
    """Screen of the menu. *key* leads to it, after "g"."""

    here: str
    label: str
    path: str
    key: str
    build: Build


SCREENS: Final[Sequence[Screen]] = (
    Screen("now", "Now", "/", "n", now),
    Screen("shards", "Shards", "/shards", "s", shards),
    Screen("parked", "Parked", "/parked", "p", parked),
    Screen("topics", "Topics", "/topics", "t", topics),
    Screen("find", "Find", "/find", "f", find),
    Screen("events", "Events", "/events", "e", events),
    Screen("relays", "Relays", "/relays", "r", relays),
    Screen("database", "Database", "/database", "b", storage),
    Screen("history", "History", "/history", "h", past),
    Screen("doctor", "Doctor", "/doctor", "d", doctor),
)

DETAILS: Final[Sequence[tuple[str, Build]]] = (
    ("/shards/{shard:int}", shard),
    ("/parked/rows", parked_rows),
    ("/rows/{row:int}", row_page),
    ("/change/{verb}", change),
)
"""Screens that others lead to."""
