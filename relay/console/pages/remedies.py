"""Remedies: the buttons that belong to a finding."""

import re
from collections.abc import Iterator
from typing import Final

from relay.console.content import Button, Notice, Tone
from relay.console.links import to
from relay.operations.findings import Finding, Outcome

TONES: Final[dict[Outcome, Tone]] = {
    "ok": "good", "warning": "warning", "failed": "bad", "unknown": "note", "skipped": "muted",
}  # fmt: skip

_PID: Final = re.compile(r"pid = (\d+)")
_SESSIONS: Final = frozenset(
    {"shards-locked", "lease-hangs", "table-locked", "relay-blocked", "open-writer", "xmin-held"}
)
_HELD: Final = "on hold: "


def notice(finding: Finding, blocked: str) -> Notice:
    """Return *finding* with its buttons; *blocked* says why nothing can be changed."""
    return Notice(
        TONES[finding.outcome],
        finding.subject,
        finding.detail,
        finding.command or "",
        tuple(_buttons(finding, blocked)),
    )


def _buttons(finding: Finding, blocked: str) -> Iterator[Button]:
    match finding.code:
        case "shards-paused":
            yield Button("Resume…", to("change", "resume", shards="paused"), blocked=blocked)
            yield Button("Shards", to("shards"))
        case "rows-parked":
            yield Button("Parked rows", to("parked"))
        case "topic-on-hold":
            topic = finding.subject.removeprefix(_HELD)
            yield Button("Redirect…", to("change", "redirect", topic=topic), blocked=blocked)
            yield Button("Topics", to("topics"))
        case "partition-on-hold" | "broker-away":
            yield Button("Topics", to("topics"))
        case "no-relay" | "flag" | "drain-timed-out" | "below-watermark":
            yield Button("Relays", to("relays"))
        case code if code in _SESSIONS and (found := _PID.search(finding.command or "")):
            ended = to("change", "end", pid=found[1])
            yield Button("End the session…", ended, "bad", blocked)
