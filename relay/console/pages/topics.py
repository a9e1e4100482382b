"""Topics: what waits for each and goes out, what holds it, its limit and its rights."""

from collections.abc import Iterator, Mapping

from relay.console import cells
from relay.console.content import Cell, Page, Table, Tone
from relay.console.links import to
from relay.console.pages.remedies import TONES
from relay.console.row_table import DEFAULT_TOPIC
from relay.console.selecting import NONE
from relay.console.visit import Visit
from relay.operations.findings import Finding
from relay.operations.outlook.topics import TopicState
from relay.operations.outlook.topics import topics as states


def topics(visit: Visit) -> Page:
    """Return the page."""
    look = visit.look()
    found = states(look.outlook.facts)
    held = [topic for topic in found if topic.holds]
    waited = sum(topic.waiting > 0 for topic in found)
    diagnosis = visit.doctor.latest()
    findings = {each.subject: each for each in diagnosis.findings} if diagnosis else {}
    blocked = visit.blocked
    return Page(
        here="topics",
        title="Topics",
        lead=f"Rows wait for {waited} topics; {len(held)} on hold.",
        tone="bad" if held else "",
        blocks=(
            Table(
                "Topics that relays write, or that rows wait for",
                ("Topic", "Waiting", "Rate", "State", "Size limit", "Rights", "Action"),
                [tuple(_row(topic, findings, blocked)) for topic in found],
                "",
                note="Rates are those of the last signs of life. Limits and rights: as the doctor "
                "found them, else as relays did.",
            ),
            Table(
                "On hold",
                ("Topic", "Partition", "Why", "Since", "Next try"),
                [row for topic in held for row in _holds(topic)],
                "Nothing is on hold.",
            ),
        ),
        as_of=look.at,
        again=look.is_old,
    )


def _row(topic: TopicState, findings: Mapping[str, Finding], blocked: str) -> Iterator[Cell]:
    yield cells.code(f"{topic.name} {DEFAULT_TOPIC}".strip() if topic.is_default else topic.name)
    yield cells.count(topic.waiting)
    yield cells.rate(topic.rate)
    if topic.holds:
        yield cells.badge("on hold", "bad")
    else:
        is_busy = topic.waiting or topic.rate
        yield cells.badge("flows", "good") if is_busy else cells.badge("idle", "muted")
    yield _found(findings.get(f"size limit of {topic.name}")) or _limit(topic)
    yield _found(findings.get(f"rights on {topic.name}")) or _rights(topic)
    path = to("change", "redirect", topic=topic.name or NONE)
    usable = topic.waiting and not blocked
    yield cells.link("Redirect…", path) if usable else cells.NOTHING


def _found(finding: Finding | None) -> Cell | None:
    if finding is None or finding.outcome in {"unknown", "skipped"}:
        return None
    tone: Tone = "" if finding.outcome == "ok" else TONES[finding.outcome]
    return cells.text(finding.detail, tone)


def _limit(topic: TopicState) -> Cell:
    return cells.text(f"{topic.max_bytes:,} bytes" if topic.max_bytes is not None else None)


def _rights(topic: TopicState) -> Cell:
    if topic.refused:
        return cells.text("Kafka refuses the relays", "bad")
    if topic.published:
        return cells.text("relays write it")
    return cells.text("relays see it" if topic.max_bytes is not None else None)


def _holds(topic: TopicState) -> Iterator[tuple[Cell, ...]]:
    for hold in topic.holds:
        yield (
            cells.code(topic.name),
            cells.text("all" if hold["partition"] is None else hold["partition"]),
            cells.text(hold.get("why")),
            cells.moment(hold.get("since")),
            cells.moment(hold.get("next_try_at")),
        )
