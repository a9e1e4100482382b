"""An exception becomes a text that anybody may read."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable

import psycopg
import pytest
import sqlalchemy
from pydantic import BaseModel, Field

from relay import Redactor, describe_error
from tests.support.postgres import Database

SECRET = "hunter2-hunter2"
TABLE = (
    "CREATE TEMPORARY TABLE users "
    "(id int CHECK (id > 0), api_token text UNIQUE, note text NOT NULL)"
)


class Account(BaseModel):
    password: str = Field(min_length=40)


def raised(action: Callable[[], object]) -> Exception:
    try:
        action()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is to be described
        return error
    raise AssertionError("nothing was raised")


STATEMENTS = {
    "a value that exists": f"INSERT INTO users VALUES (1, '{SECRET}', '')",
    "a row that a CHECK refuses": f"INSERT INTO users VALUES (0, '{SECRET} ', '')",
    "a missing value": f"INSERT INTO users (id, api_token) VALUES (2, '{SECRET} ')",
    "a value of a wrong type": f"SELECT '{SECRET}'::int",
    "an unknown column": f"SELECT nothing FROM users WHERE api_token = '{SECRET}'",
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_of_psycopg(database: Database, statement: str) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        connection.execute(TABLE)
        connection.execute("INSERT INTO users VALUES (1, %s, '')", [SECRET])
        error = raised(lambda: connection.execute(statement))
    assert SECRET in str(error)
    told = describe_error(error)
    assert "hunter2" not in told
    assert type(error).__name__ in told
    assert str(error).splitlines()[0][:20] in told
    # As a field of an event its text alone has to do, where its column or its form tells.
    assert "hunter2" not in Redactor().text(str(error)) or "::int" in statement


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_of_sqlalchemy(database: Database, statement: str) -> None:
    engine = sqlalchemy.create_engine(
        sqlalchemy.make_url(database.dsn).set(drivername="postgresql+psycopg")
    )
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(TABLE))
        insert = sqlalchemy.text("INSERT INTO users VALUES (1, :api_token, '')")
        connection.execute(insert, {"api_token": SECRET})
        error = raised(lambda: connection.execute(sqlalchemy.text(statement)))
    engine.dispose()
    assert SECRET in str(error)
    assert "hunter2" not in describe_error(error)


def test_parameters_of_sqlalchemy() -> None:
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE t (a text UNIQUE)"))
        insert = sqlalchemy.text("INSERT INTO t VALUES (:a)")
        connection.execute(insert, {"a": SECRET})
        error = raised(lambda: connection.execute(insert, {"a": SECRET}))
    engine.dispose()
    assert isinstance(error, sqlalchemy.exc.IntegrityError)
    assert isinstance(error.orig, sqlite3.IntegrityError)
    assert SECRET in str(error)
    assert "hunter2" not in describe_error(error)
    assert "hunter2" not in Redactor().text(str(error))
    assert "UNIQUE constraint failed: t.a" in describe_error(error)


def test_of_pydantic() -> None:
    error = raised(lambda: Account(password=SECRET))
    assert SECRET in str(error)
    assert describe_error(error) == "ValidationError: Account: password (string_too_short)"
    assert "hunter2" not in Redactor().text(str(error))


def test_of_a_command() -> None:
    command = [sys.executable, "-c", "raise SystemExit(3)", "-P", SECRET]
    error = raised(lambda: subprocess.run(command, check=True))
    assert describe_error(error) == f"CalledProcessError: {sys.executable} ended with exit code 3"
    late = subprocess.TimeoutExpired(f"mysql -p{SECRET}", 5)
    assert describe_error(late) == "TimeoutExpired: mysql took more than 5 s"


def test_of_a_connection() -> None:
    error = raised(lambda: psycopg.connect(f"postgresql://u:{SECRET}@/a b@nowhere.invalid:1/x"))
    assert "hunter2" not in describe_error(error)


def test_causes_are_told_and_have_no_secrets() -> None:
    def fail() -> None:
        cause = ConnectionError(f"401 from https://bot:{SECRET}@example.org")
        raise RuntimeError("the mirror cannot be reached") from cause

    assert describe_error(raised(fail)) == (
        "RuntimeError: the mirror cannot be reached; caused by "
        "ConnectionError: 401 from https://[redacted]@example.org"
    )


def test_any_error_can_be_stored() -> None:
    class UnprintableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert describe_error(UnprintableError()) == "UnprintableError"
    assert describe_error(ValueError()) == "ValueError"
    assert describe_error(asyncio.CancelledError()) == "CancelledError"
    odd = describe_error(ValueError("a\x00b\ud800" + "c" * 5000))
    assert odd.startswith("ValueError: ab?ccc")
    assert len(odd) == 2000
    json.dumps(odd).encode()


def test_own_names_and_patterns() -> None:
    own = Redactor(patterns=[r"\d{4}-\d{4}"])
    assert describe_error(ValueError("card 1234-5678"), own) == "ValueError: card [redacted]"
