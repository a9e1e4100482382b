"""The statements of docs/other-languages.md, run on PostgreSQL as they stand there."""

import re

import psycopg
import pytest

from tests.support.postgres import Database
from tests.support.repository import ROOT
from tests.support.service import WRITER, Stored

PAGE = (ROOT / "docs" / "other-languages.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL))
PAYLOAD = '{"message": "Order 42 was paid", "severity": "info", "order_id": 42}'


def statements(language: str) -> list[str]:
    """Return the statements of a block, with the placeholders of libpq."""
    found = re.findall(r"""[`"]((?:UPDATE|SELECT) [^`"]+)[`"]""", BLOCKS[language])
    return [re.sub(r"\$\d|\?(?=[,)]|::|$)", "%s", statement) for statement in found]


def test_the_plain_call_writes_a_row(database: Database, stored: Stored) -> None:
    with psycopg.connect(database.dsn, options=f"-c role={WRITER}") as connection:
        connection.execute(BLOCKS["sql"].encode())
    (row,) = stored.outbox()
    assert (row["name"], row["key"], row["payload"]["order_id"]) == ("OrderPaid", "42", 42)


@pytest.mark.parametrize("language", ["go", "java", "typescript"])
def test_the_statements_change_an_order_and_tell_of_it(
    database: Database, stored: Stored, language: str
) -> None:
    change, emit = statements(language)
    with psycopg.connect(database.dsn) as connection:
        connection.execute("CREATE TABLE orders (id bigint PRIMARY KEY, status text)")
        connection.execute("INSERT INTO orders VALUES (42, 'new')")
        connection.execute(f"GRANT ALL ON orders TO {WRITER}".encode())
    with psycopg.connect(database.dsn, options=f"-c role={WRITER}") as connection:
        connection.execute(change.encode(), (42,))
        connection.execute(emit.encode(), ("OrderPaid", PAYLOAD, "42"))
        paid = connection.execute("SELECT status FROM orders").fetchone()
    assert paid == ("paid",)
    (row,) = stored.outbox()
    assert (row["name"], row["key"]) == ("OrderPaid", "42")
    assert row["payload"]["message"] == "Order 42 was paid"
