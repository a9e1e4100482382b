"""Selection of rows by an address: ids, or topic and kind of error."""

from typing import Final

from relay.console.access.refusals import invalid
from relay.console.visit import Visit
from relay.operations.selection import ROWS_MAX, Selection, State

NONE: Final = "-"
"""Stands in addresses for rows that name no topic, or have no error."""

_ID_MAX: Final = (1 << 63) - 1


def selection_of(visit: Visit, *, state: State | None = None) -> Selection:
    """Return the selection that the address of *visit* names.

    Raises:
        Refusal: 400, the ids are none.
    """
    return Selection(
        ids=_ids(visit.given("ids")),
        state=state,
        topic=_named(visit.given("topic")),
        reason=_named(visit.given("reason")),
    )


def _named(text: str | None) -> str | None:
    return "" if text == NONE else text


def _ids(text: str | None) -> list[int] | None:
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() for part in parts) or len(parts) > ROWS_MAX:
        raise invalid("Ids of rows are numbers with commas between them.")
    return [min(int(part[:20]), _ID_MAX) for part in parts]
