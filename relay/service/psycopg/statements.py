from typing import Any, Final

import psycopg

from relay.errors import NoTransactionError
from relay.service.insert import Statements

STATEMENTS: Final = Statements(lambda name, _: f"%({name})s", str.encode)
"""The statements of a batch in psycopg's form."""

_UNPROVEN: Final = {psycopg.pq.TransactionStatus.IDLE, psycopg.pq.TransactionStatus.ACTIVE}
"""Active, in a pipeline: what was sent before is not answered yet."""


def require_transaction(
    connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any],
) -> None:
    """Make sure that rows would belong to a transaction of the caller.

    Raises:
        NoTransactionError: each statement would be a transaction of its own.
    """
    # In a pipeline the status lags behind what was sent; a transaction() block counts at once.
    inside = connection._num_transactions > 0  # noqa: SLF001
    if connection.autocommit and connection.info.transaction_status in _UNPROVEN and not inside:
        raise NoTransactionError(
            "This connection is in autocommit mode and outside a transaction, so the rows could "
            "not belong to the transaction of your change: emit inside `with conn.transaction():`."
        )
