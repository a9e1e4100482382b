"""Refusals of PostgreSQL while the outbox is written, told without the row that was refused."""

from typing import Final

from relay.errors import PayloadError, RelayError, SchemaError

# Classes of SQLSTATE: names and rights; the form of values; the rules of the tables.
_SCHEMA: Final = ("3F", "42")
_FORM: Final = "22"
# Not unique keys, which callers have a use for: an event id that is there already.
_RULES: Final = ("23502", "23514", "P0")


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
