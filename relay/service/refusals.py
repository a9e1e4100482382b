"""Refusals of PostgreSQL while the outbox is written, told without the row that was refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from relay.errors import PayloadError, RelayError, SchemaError

# Classes of SQLSTATE: names and rights; the form of values; the rules of the tables.
_SCHEMA: Final = ("3F", "42")
_FORM: Final = "22"
# Not unique keys, which callers have a use for: an event id that is there already.
_RULES: Final = ("23502", "23514", "P0")


@contextmanager
def quoting_no_row(kind: type[Exception]) -> Iterator[None]:
    """Let errors of a driver, of this *kind*, say what PostgreSQL refused, and show no row.

    Raises:
        PayloadError: PostgreSQL refused a row.
        SchemaError: there is no outbox for this user.
    """
    try:
        yield
    except kind as error:
        said = refusal(*_diagnosis(error))
        if said is not None:
            raise said from None
        raise


def _diagnosis(error: BaseException) -> tuple[str | None, str | None]:
    """Return the SQLSTATE and the primary message of *error*, or of what it wraps."""
    found: BaseException | None = getattr(error, "orig", None) or error
    state = said = None
    while found is not None:
        state = state or getattr(found, "sqlstate", None) or getattr(found, "pgcode", None)
        diagnosis = getattr(found, "diag", None)
        # psycopg's, and asyncpg's.
        said = (
            said or getattr(diagnosis, "message_primary", None) or getattr(found, "message", None)
        )
        found = found.__cause__
    return state, said


def refusal(sqlstate: str | None, message: str | None) -> RelayError | None:
    """Return the error that says what PostgreSQL refused; None where it was no fault of a row.

    *message* is PostgreSQL's primary message: its details would quote the row.
    """
    state, said = sqlstate or "", message or "no reason given"
    if state.startswith(_SCHEMA):
        return SchemaError(
            f"The outbox cannot be written: {said}. Run `relay migrate`, set OUTBOX_SCHEMA to the "
            "schema of its tables, or grant this user the role outbox_writer."
        )
    if state.startswith(_FORM):
        return PayloadError(f"PostgreSQL cannot store a value of this row (SQLSTATE {state})")
    if state.startswith(_RULES):
        return PayloadError(f"PostgreSQL refused the row: {said}")
    return None
