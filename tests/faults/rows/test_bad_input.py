"""What a writer gets wrong is refused where it is written, with advice; the rest is delivered."""

import json
from collections.abc import Callable
from typing import Final

import pytest
from psycopg.errors import CheckViolation, DataError

from relay import Message
from relay import Outbox as Writer
from relay.errors import PayloadError
from tests.support.outbox import Consume, Outbox, Start
from tests.support.postgres import Database

pytestmark = pytest.mark.kafka


@pytest.fixture
def others_are_delivered(outbox: Outbox, relay: Start, read: Consume) -> Callable[[int], None]:
    """Assert that the messages before and after each of so many refused ones are published."""

    def check(refused: int) -> None:
        relay()
        outbox.await_empty("true")
        names = [json.loads(message.value or b"")["name"] for message in read()]
        assert names == ["before", "after"] * refused

    return check


PAYLOADS: Final[list[tuple[dict[str, object], str]]] = [
    ({"x": object()}, "'x' is object"),
    ({"x": "a\x00b"}, "NUL"),
    ({"x": float("nan")}, "'x' is NaN"),
]


def test_a_payload_that_cannot_be_published(
    database: Database, others_are_delivered: Callable[[int], None]
) -> None:
    writer = Writer(streaming=True, versions={})
    for payload, advice in PAYLOADS:
        with database.connect() as connection:
            writer.emit(connection, Message("before", {}, key="k"))
            with pytest.raises(PayloadError, match=advice):
                writer.emit(connection, Message("bad", payload, key="k"))
            # The transaction is as good as before: nothing had reached the database.
            writer.emit(connection, Message("after", {}, key="k"))
    others_are_delivered(len(PAYLOADS))


STATEMENTS: Final = [
    ("not JSON", None, DataError),
    (r'{"x": "\u0000"}', None, DataError),
    ("[1]", None, CheckViolation),
    ("{}", "no topic", CheckViolation),
]


def test_plain_sql_that_cannot_be_published(
    outbox: Outbox, others_are_delivered: Callable[[int], None]
) -> None:
    for payload, to, refusal in STATEMENTS:
        outbox.emit("before")
        with pytest.raises(refusal):
            outbox.emit("bad", payload, topic=to)
        outbox.emit("after")
    others_are_delivered(len(STATEMENTS))
