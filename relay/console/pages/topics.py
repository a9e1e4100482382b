"""Topics: what waits for each, what holds it, and its limit and rights as the doctor found them."""

from collections import Counter
from collections.abc import Iterable, Iterator

from relay.console import cells
from relay.console.content import Cell, Page, Table, Tone
from relay.console.links import to
from relay.console.pages.remedies import TONES
from relay.console.row_table import DEFAULT_TOPIC
from relay.console.selecting import NONE
from relay.console.visit import Visit
from relay.operations.findings import Finding


def topics(visit: Visit) -> Page:
    """Return the page."""
    look = visit.watch.latest()
    facts = look.outlook.facts
    default = facts.default_topic
    waiting: Counter[str | None] = Counter()
    for each in facts.backlog or ():
        waiting[each.topic] += each.rows
    holds = {(hold["topic"], hold["partition"]): hold for r in facts.alive for hold in r.holds}
    held = {topic for topic, _ in holds}
    diagnosis = visit.doctor.latest()
    table = _Topics(default, held, diagnosis.findings if diagnosis else (), visit.blocked)
    names = {None, *waiting, *(held - {default})}
    ordered = sorted(names, key=lambda name: (-waiting[name], name or ""))
    return Page(
        here="topics",
        title="Topics",
        lead=f"Rows wait for {len(waiting)} topics; {len(held)} on hold.",
        tone="bad" if held else "",
        blocks=(
            Table(
                "Topics that rows wait for",
                ("Topic", "Waiting", "State", "Size limit", "Rights", "Action"),
                [tuple(table.row(name, waiting[name])) for name in ordered],
                "",
                note="Limits and rights are asked of the broker by the doctor.",
            ),
            Table(
                "On hold",
                ("Topic", "Partition", "Why", "Since", "Next try"),
                [
                    (
                        cells.code(topic),
                        cells.text("all" if partition is None else partition),
                        cells.text(hold.get("why")),
                        cells.moment(hold.get("since")),
                        cells.moment(hold.get("next_try_at")),
                    )
                    for (topic, partition), hold in holds.items()
                ],
                "Nothing is on hold.",
            ),
        ),
        as_of=look.at,
    )


class _Topics:
    """Rows of the table; a topic of None is the relay's default."""

    def __init__(
        self, default: str, held: set[str], findings: Iterable[Finding], blocked: str
    ) -> None:
        self._default = default
        self._held = held
        self._findings = {finding.subject: finding for finding in findings}
        self._blocked = blocked

    def row(self, topic: str | None, waiting: int) -> Iterator[Cell]:
        name = self._default if topic is None else topic
        yield cells.code(f"{name} {DEFAULT_TOPIC}".strip() if topic is None else name)
        yield cells.count(waiting)
        if name in self._held:
            yield cells.badge("on hold", "bad")
        else:
            yield cells.badge("flows", "good") if waiting else cells.badge("idle", "muted")
        yield self._found(f"size limit of {name}")
        yield self._found(f"rights on {name}")
        path = to("change", "redirect", topic=NONE if topic is None else topic)
        usable = waiting and not self._blocked
        yield cells.link("Redirect…", path) if usable else cells.NOTHING

    def _found(self, subject: str) -> Cell:
        finding = self._findings.get(subject)
        if finding is None:
            return cells.NOTHING
        tone: Tone = "" if finding.outcome == "ok" else TONES[finding.outcome]
        return cells.text(finding.detail, tone)
