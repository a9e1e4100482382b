"""Rows as lines of JSON, which `relay restore` takes: to be kept before they are discarded."""

from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from relay.console.access.refusals import Refusal, forbidden, invalid
from relay.console.selecting import selection_of
from relay.console.visit import Visit
from relay.operations.saved_rows import saved_lines
from relay.operations.selection import find

ROWS_MAX: Final = 10_000


def export(visit: Visit) -> Response:
    """Return the parked rows that the address selects, as a file.

    Raises:
        Refusal: 403, this person may not see payloads; 413, they are too many for a browser.
    """
    if not visit.person.sees_payloads:
        raise forbidden("You may not see payloads: you are in no group of payload readers.")
    selection = selection_of(visit, state="parked")
    if selection.is_everything:
        raise invalid("The address names no rows: choose them on the pages of rows.")
    with visit.database.connection() as connection:
        rows = find(connection, selection, limit=ROWS_MAX + 1)
        if len(rows) > ROWS_MAX:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"More than {ROWS_MAX:,} rows match: save them with `relay discard --save`.",
            )
        lines = saved_lines(connection, [row.id for row in rows])
    return Response(
        b"".join(line + b"\n" for line in lines),
        headers={"Content-Disposition": 'attachment; filename="outbox-rows.jsonl"'},
        media_type="application/x-ndjson",
    )
