"""Topics: what waits for each, what goes out to it, and what relays know of it."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relay.operations.outlook.facts import Facts

_REFUSED: Final = re.compile(r"(?i)authori[sz]ation|not authori[sz]ed")


@dataclass(frozen=True)
class TopicState:
    """Topic that rows wait for, or that relays write; *name* is empty where no relay tells it.

    *waiting* and *rate* (rows a second) are of all shards and living relays. *max_bytes*: the
    largest message that every one of them sends. What no relay knows is null.
    """

    name: str
    is_default: bool
    waiting: int
    published: int
    rate: float | None
    max_bytes: int | None
    holds: Sequence[Mapping[str, Any]] = ()

    @property
    def refused(self) -> bool:
        """True where Kafka says that relays may not write it."""
        return any(_REFUSED.search(str(hold.get("why"))) for hold in self.holds)


def topics(facts: Facts) -> list[TopicState]:
    """Return the topics, first those that most rows wait for."""
    default = facts.default_topic
    waiting: Counter[str] = Counter()
    for each in facts.backlog or ():
        waiting[each.topic or default] += each.rows
    holds = {(hold["topic"], hold["partition"]): hold for r in facts.alive for hold in r.holds}
    told = [topic for relay in facts.alive for topic in relay.topics]
    names = {default, *waiting, *(name for name, _ in holds), *(topic["topic"] for topic in told)}
    found = [
        _state(
            name, default, waiting[name],
            [topic for topic in told if topic["topic"] == name],
            [hold for (held, _), hold in holds.items() if held == name],
        )
        for name in names
    ]  # fmt: skip
    return sorted(found, key=lambda each: (-each.waiting, -(each.rate or 0), each.name))


def _state(
    name: str,
    default: str,
    waiting: int,
    told: Sequence[Mapping[str, Any]],
    holds: Sequence[Mapping[str, Any]],
) -> TopicState:
    return TopicState(
        name=name,
        is_default=name == default,
        waiting=waiting,
        published=sum(_known(told, "published")),
        rate=sum(_known(told, "rate")) if told else None,
        max_bytes=min(_known(told, "max_bytes"), default=None),
        holds=holds,
    )


def _known(told: Iterable[Mapping[str, Any]], what: str) -> list[Any]:
    return [topic[what] for topic in told if topic.get(what) is not None]
