"""Outlook: is everything that waits on its way? If not, what stands in its way?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from relay.database.session import Connection
from relay.operations.findings import Finding
from relay.operations.outlook.facts import Facts, Questions, Relay, Thresholds, former, gather
from relay.operations.outlook.obstacles import former_outboxes, obstacles
from relay.operations.outlook.wording import age, counted, listed

__all__ = ["Answer", "Facts", "Outlook", "Relay", "Thresholds", "left_behind", "look"]

Answer = Literal["yes", "no", "unknown"]
QUESTION: Final = "everything that waits is on its way"
# Without these nobody can tell where rows stand.
_VITAL: Final = ("relays", "backlog", "oldest rows")


@dataclass(frozen=True)
class Outlook:
    """Answer to the question, its sentence, and the facts and findings that it is made of.

    *rate* is in rows a second, over all living relays; *empty_in_seconds* is about the rows that
    nothing holds back, and null where none flows.
    """

    answer: Answer
    sentence: str
    pending: int | None
    parked: int | None
    oldest_age_seconds: float | None
    rate: float
    empty_in_seconds: float | None
    findings: Sequence[Finding]
    facts: Facts

    def finding(self) -> Finding:
        """Return the answer as a finding."""
        outcome: dict[Answer, Any] = {"yes": "ok", "no": "failed", "unknown": "unknown"}
        code = 1 if self.answer == "no" else 0
        return Finding(
            QUESTION, outcome[self.answer], self.sentence, code, "outlook", rows=self.pending
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the answer and what it stands on as plain values, for JSON."""
        shown = asdict(self)
        del shown["facts"], shown["findings"]
        return shown


def look(connection: Connection, thresholds: Thresholds | None = None) -> Outlook:
    """Return whether everything that waits is on its way, and every obstacle.

    Reads no payload and waits for no lock; what cannot be found out is unknown, and says why.
    """
    limits = thresholds or Thresholds()
    facts = gather(connection, limits)
    found = list(obstacles(facts, limits))
    oldest = max((facts.oldest or {}).values(), default=None)
    rate = sum(relay.rate for relay in facts.streaming)
    if not any(finding.outcome == "failed" for finding in found):
        found += _unexplained(facts, oldest, rate, limits)
    found += [
        Finding(what, "unknown", f"{why}. Look for locks, load and rights, then repeat", 0,
                "unknown")
        for what, why in facts.unknown.items()
    ]  # fmt: skip
    pending, flowing = facts.pending, facts.flowing
    parked = None if facts.parked is None else sum(each.rows for each in facts.parked)
    answer = _answer(facts, found)
    return Outlook(
        answer=answer,
        sentence=_sentence(answer, facts, found, oldest, rate),
        pending=pending,
        parked=parked,
        oldest_age_seconds=oldest,
        rate=rate,
        empty_in_seconds=flowing / rate if flowing and rate > 0 else None,
        findings=found,
        facts=facts,
    )


def left_behind(connection: Connection) -> list[Finding]:
    """Return a finding for each table that was the outbox, whatever else may be wrong."""
    return list(former_outboxes(former(Questions(connection))))


def _unexplained(
    facts: Facts, oldest: float | None, rate: float, limits: Thresholds
) -> list[Finding]:
    if oldest is None or oldest <= limits.lag or facts.unknown:
        return []
    if rate > 0:
        detail = (
            f"the oldest row has waited for {age(oldest)}, and {rate:,.0f} rows a second go out: "
            "more is written than relayed. Add relays, or give them more CPU"
        )
        return [Finding("lag", "warning", detail, 0, "lag", "relay status", facts.pending)]
    detail = (
        f"the oldest row has waited for {age(oldest)}, and no reason was found: relays live, and "
        "nothing stands in its way. Their logs may tell; a restart does no harm"
    )
    return [Finding("lag", "failed", detail, 1, "unexplained", "relay status", facts.pending)]


def _answer(facts: Facts, found: Sequence[Finding]) -> Answer:
    if any(finding.outcome == "failed" for finding in found):
        return "no"
    return "unknown" if any(what in facts.unknown for what in _VITAL) else "yes"


def _sentence(
    answer: Answer, facts: Facts, found: Sequence[Finding], oldest: float | None, rate: float
) -> str:
    relays = len(facts.streaming)
    alive = f"{relays} relay is alive" if relays == 1 else f"{relays} relays are alive"
    if answer == "unknown":
        return f"Unknown: {'; '.join(f'{what}: {why}' for what, why in facts.unknown.items())}."
    pending = facts.pending
    if answer == "yes" and not pending:
        return f"Yes: nothing waits, and {alive}."
    since = f", the oldest that could go for {age(oldest)}" if oldest is not None else ""
    rows = "an unknown number of rows" if pending is None else counted(pending)
    waits = f"{rows} {'waits' if pending == 1 else 'wait'}{since}"
    if answer == "yes":
        return f"Yes: {waits}; {alive}, and {rate:,.0f} rows a second go out."
    reasons = dict.fromkeys(each.subject for each in found if each.outcome == "failed")
    return f"No: {waits}; in the way: {listed(reasons)}."
