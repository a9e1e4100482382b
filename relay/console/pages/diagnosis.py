"""Doctor: each finding with its button."""

from relay.console.content import Notice, Page
from relay.console.pages.remedies import notice
from relay.console.visit import Visit


def doctor(visit: Visit) -> Page:
    """Return the latest diagnosis; a new one is made in the background."""
    blocked = visit.blocked
    latest = visit.doctor.latest()
    if latest is None:
        waiting = Notice("note", "Examining…", "The findings appear here by themselves.")
        return Page("doctor", "Doctor", (waiting,))
    order = {"failed": 0, "warning": 1, "unknown": 2, "ok": 3, "skipped": 4}
    findings = sorted(latest.findings, key=lambda each: order[each.outcome])
    wrong = sum(each.outcome == "failed" for each in findings)
    doubtful = sum(each.outcome in {"warning", "unknown"} for each in findings)
    return Page(
        here="doctor",
        title="Doctor",
        lead=f"{wrong} failed, {doubtful} to look at, {len(findings) - wrong - doubtful} fine.",
        tone="bad" if wrong else "warning" if doubtful else "good",
        blocks=[notice(finding, blocked) for finding in findings],
        as_of=latest.at,
    )
