"""Menu: every screen with its path, in the order in which a person on call asks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from relay.console.content import Page
from relay.console.pages.diagnosis import doctor
from relay.console.pages.now import now
from relay.console.pages.relays import relays
from relay.console.pages.shards import shard, shards
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
    Screen("relays", "Relays", "/relays", "r", relays),
    Screen("doctor", "Doctor", "/doctor", "d", doctor),
)

DETAILS: Final[Sequence[tuple[str, Build]]] = (("/shards/{shard:int}", shard),)
"""Screens that others lead to."""
