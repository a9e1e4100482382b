from typing import Any, Final

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.connection import ConnectionProxy

from relay.errors import NoTransactionError, SchemaError
from relay.service.insert import Statements
from relay.service.key_advice import KeyAdvice
from relay.service.records import Batch, Emitted, batch_of
from relay.service.refusals import quoting_no_row

STATEMENTS: Final = Statements(lambda name, _: f"%({name})s", str)
"""The statements of a batch as Django's drivers take them, psycopg 3 and psycopg2."""

_ADVICE: Final = "_outbox_key_advice"
"""Attribute of a connection: its outermost `atomic` block, and the advice for it."""


class ConnectionWriter:
    """Writes at once, so that PostgreSQL lets the rows follow `atomic` and its savepoints."""

    def accepts(self, target: object) -> bool:
        """Tell whether *target* is a connection of Django, such as `django.db.connection`."""
        return isinstance(target, BaseDatabaseWrapper | ConnectionProxy)

    def write(self, target: Any, emitted: Emitted) -> None:  # noqa: ANN401 - Django has no types
        """Insert *emitted* in the open transaction of *target*."""
        write(target, batch_of([emitted]))
        advice_of(target).event(emitted)


def advice_of(connection: Any) -> KeyAdvice:  # noqa: ANN401 - Django has no types
    """Return the advice on keys in the open transaction of *connection*."""
    outermost = connection.atomic_blocks[:1]
    transaction, advice = getattr(connection, _ADVICE, (None, None))
    if advice is None or transaction != outermost:
        advice = KeyAdvice()
        setattr(connection, _ADVICE, (outermost, advice))
    return advice


def write(connection: Any, batch: Batch) -> None:  # noqa: ANN401 - Django has no types
    """Insert *batch* in the open transaction of *connection*.

    Raises:
        NoTransactionError: the connection commits each statement by itself.
        PayloadError: PostgreSQL refused a row.
        SchemaError: the database is no PostgreSQL, or has no outbox for this user.
    """
    require_transaction(connection)
    connection.validate_no_broken_transaction()
    # A plain cursor: that of `connection.cursor()` logs parameters, and so payloads, under DEBUG.
    with (
        quoting_no_row(DatabaseError),
        connection.wrap_database_errors,
        connection.create_cursor() as cursor,
    ):
        if lock := STATEMENTS.lock(batch):
            cursor.execute(lock.query, lock.parameters)
        refused: list[str] = []
        if admission := STATEMENTS.admission(batch):
            cursor.execute(admission.query, admission.parameters)
            refused = [row[0] for row in cursor.fetchall()]
        for insert in STATEMENTS.inserts(batch, refused):
            cursor.execute(insert.query, insert.parameters)


def require_transaction(connection: Any) -> None:  # noqa: ANN401 - Django has no types
    """Make sure that rows would belong to a transaction of the caller.

    Raises:
        NoTransactionError: each statement would be a transaction of its own.
        SchemaError: the database is no PostgreSQL.
    """
    if connection.vendor != "postgresql":
        raise SchemaError(
            f"This connection is one of {connection.vendor}, and the outbox needs PostgreSQL: set "
            'ENGINE to "django.db.backends.postgresql".'
        )
    if connection.in_atomic_block:
        return
    connection.ensure_connection()
    if connection.get_autocommit():
        raise NoTransactionError(
            "This connection is in autocommit mode and outside a transaction, so the rows could "
            "not belong to the transaction of your change: emit, and save what is tracked, inside "
            "`with transaction.atomic():`, or set ATOMIC_REQUESTS."
        )
