"""The end of a session: with its reason, of the right one, and of no other."""

import psycopg
import pytest

from relay.database.session import connected
from relay.errors import RelayError, SchemaError
from relay.operations import sessions
from relay.operations.actions import Why
from tests.support.outbox import Outbox
from tests.support.postgres import Database
from tests.support.roles import member

WHY = Why("left open over lunch", "ada")


def audit(outbox: Outbox) -> list[tuple[object, ...]]:
    return outbox.connection.execute(
        "SELECT action, person, reason, shard FROM outbox_audit ORDER BY id"
    ).fetchall()


def test_a_session_is_ended_and_noted(database: Database, outbox: Outbox) -> None:
    holder = database.connect()
    holder.execute("SELECT 1")
    with connected(database.dsn, "test") as connection:
        found = sessions.find(connection, holder.info.backend_pid)
        assert found is not None
        sessions.end(connection, found, WHY)
    with pytest.raises(psycopg.OperationalError):
        holder.execute("SELECT 1")
    ((action, person, reason, shard),) = audit(outbox)
    assert (action, person, shard) == ("end", "ada", None)
    assert str(reason).startswith(f"left open over lunch [pid {found.pid},")


def test_one_without_a_transaction_stands_in_nobodys_way(database: Database) -> None:
    with database.connect(autocommit=True) as idle, connected(database.dsn, "test") as connection:
        idle.execute("SELECT 1")
        assert sessions.find(connection, idle.info.backend_pid) is None
        assert sessions.find(connection, connection.info.backend_pid) is None
        assert sessions.find(connection, 1) is None


def test_another_transaction_of_the_same_session_is_left(
    database: Database, outbox: Outbox
) -> None:
    with database.connect() as holder, connected(database.dsn, "test") as connection:
        holder.execute("SELECT 1")
        found = sessions.find(connection, holder.info.backend_pid)
        assert found is not None
        holder.rollback()
        holder.execute("SELECT 1")
        with pytest.raises(RelayError, match="another transaction; nothing was ended"):
            sessions.end(connection, found, WHY)
        assert holder.execute("SELECT 1").fetchone() == (1,)
    assert audit(outbox) == []


def test_an_operator_needs_the_right_to_end_sessions(database: Database, outbox: Outbox) -> None:
    with (
        member(database, "outbox_operator", "pg_read_all_stats") as operator,
        database.connect() as holder,
        connected(operator.dsn, "test") as connection,
    ):
        holder.execute("SELECT 1")
        found = sessions.find(connection, holder.info.backend_pid)
        assert found is not None
        with pytest.raises(SchemaError, match="pg_signal_backend"):
            sessions.end(connection, found, WHY)
        assert holder.execute("SELECT 1").fetchone() == (1,)
    assert audit(outbox) == []


def test_hidden_times_could_be_anybodys(database: Database, outbox: Outbox) -> None:
    with (
        member(database, "outbox_operator") as operator,
        database.connect() as holder,
        connected(operator.dsn, "test") as connection,
    ):
        holder.execute("SELECT 1")
        found = sessions.find(connection, holder.info.backend_pid)
        assert found is not None
        with pytest.raises(RelayError, match="pg_read_all_stats"):
            sessions.end(connection, found, WHY)
    assert audit(outbox) == []


@pytest.mark.parametrize("role", ["outbox_reader", "outbox_writer", "outbox_relay"])
def test_only_operators_note_an_end(database: Database, role: str) -> None:
    with member(database, role) as user, user.connect() as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT outbox_note_end('pid 1', 'why', 'me')")
        connection.rollback()
