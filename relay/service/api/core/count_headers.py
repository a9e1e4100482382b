"""The five headers that say how many events there are, on both faces."""

from typing import Any, Final

from relay.service.api.core.listing import Counts
from relay.service.events.severity import Severity


def count_headers(counts: Counts) -> dict[str, str]:
    """Return the headers of *counts*."""
    by_severity = {
        _severity_header(severity): str(count) for severity, count in counts.severities.items()
    }
    return by_severity | {"Event-Count": str(counts.events)}


def _severity_header(severity: Severity) -> str:
    return f"Severity-Count-{severity.capitalize()}"


def described(description: str, kind: str) -> dict[str, Any]:
    """Return a header as an OpenAPI page describes it."""
    return {"description": description, "schema": {"type": kind}}


COUNT_HEADERS: Final = {
    **{
        _severity_header(severity): described(
            f"Events of severity {severity} that match all filters but severities", "integer"
        )
        for severity in Severity
    },
    "Event-Count": described("Events that match the filter, on all pages", "integer"),
}
