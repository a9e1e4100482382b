"""What a writer gets wrong is refused where it is written, with advice; the rest is delivered."""

import json
from collections.abc import Callable

import pytest
from psycopg.errors import CheckViolation, DataError, Error

from relay import Message
from relay import Outbox as Writer
from relay.errors import PayloadError
from tests.support.outbox import Consume, Outbox, Start
from tests.support.postgres import Database

pytestmark = pytest.mark.kafka


@pytest.fixture
def others_are_delivered(outbox: Outbox, relay: Start, read: Consume) -> Callable[[], None]:
    def check() -> None:
        relay()
        outbox.await_empty("true")
        messages = read()
        assert [json.loads(m.value or b"")["name"] for m in messages] == ["before", "after"]

    return check


@pytest.mark.parametrize(
    ("payload", "advice"),
    [
        ({"x": object()}, "'x' is object"),
        ({"x": "a\x00b"}, "NUL"),
        ({"x": float("nan")}, "'x' is NaN"),
    ],
    ids=["not JSON", "NUL character", "not a number"],
)
def test_a_payload_that_cannot_be_published(
    database: Database,
    others_are_delivered: Callable[[], None],
    payload: dict[str, object],
    advice: str,
) -> None:
    writer = Writer(streaming=True, versions={})
    with database.connect() as connection:
        writer.emit(connection, Message("before", {}, key="k"))
        with pytest.raises(PayloadError, match=advice):
            writer.emit(connection, Message("bad", payload, key="k"))
        # The transaction is as good as before: nothing had reached the database.
        writer.emit(connection, Message("after", {}, key="k"))
    others_are_delivered()


@pytest.mark.parametrize(
    ("payload", "to", "refusal"),
    [
        ("not JSON", None, DataError),
        (r'{"x": "\u0000"}', None, DataError),
        ("[1]", None, CheckViolation),
        ("{}", "no topic", CheckViolation),
    ],
    ids=["not JSON", "NUL character", "no object", "name of no topic"],
)
def test_plain_sql_that_cannot_be_published(
    outbox: Outbox,
    others_are_delivered: Callable[[], None],
    payload: str,
    to: str | None,
    refusal: type[Error],
) -> None:
    outbox.emit("before")
    with pytest.raises(refusal):
        outbox.emit("bad", payload, topic=to)
    outbox.emit("after")
    others_are_delivered()
