import json
import uuid
from datetime import datetime
from typing import Any

import pytest

from relay import Message, Redactor
from relay.errors import PayloadError
from relay.formats import format_of
from relay.service.composer import Composer
from relay.service.message import Overrides
from relay.service.records import OutboxRecord
from relay.settings.preset import Preset

COMPOSER = Composer(format=format_of(Preset.STANDARD), metadata="{}", redactor=Redactor())


def row(message: Message) -> OutboxRecord:
    record = COMPOSER.emitted(message, Overrides()).outbox
    assert record is not None
    return record


def test_a_message_becomes_a_row_of_texts() -> None:
    identity = uuid.uuid4()
    message = Message("Name", {"ü": 1}, "key", "topic", {"traceparent": "00"}, identity)
    assert row(message) == OutboxRecord(
        str(identity), "topic", "key", "Name", '{"ü": 1}', "{}", '{"traceparent": "00"}'
    )
    assert row(Message("Name", {}))[1:] == (None, None, "Name", "{}", "{}", None, "false")


def test_each_message_has_an_id_of_its_own() -> None:
    assert Message("Name", {}).event_id != Message("Name", {}).event_id


def test_secrets_are_taken_out_of_payload_and_headers() -> None:
    redacted = row(Message("Name", {"password": "x"}, headers={"authorization": "Bearer x"}))
    assert json.loads(redacted.payload) == {"password": "[redacted]"}
    assert redacted.headers == '{"authorization": "[redacted]"}'


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"payload": {"x": object()}}, r"payload.*'x' is object"),
        ({"payload": {"x": float("nan")}}, r"payload.*'x' is NaN"),
        ({"payload": {"x": "a\x00b"}}, "NUL"),
        ({"payload": {"x": "\ud800"}}, "surrogate"),
        ({"payload": {"x\x00": 1}}, "NUL"),
        ({"payload": {"x": datetime(2026, 1, 1)}}, "without a zone"),  # noqa: DTZ001
        ({"payload": [1]}, "mapping"),
        ({"payload": "text"}, "mapping"),
        ({"name": ""}, "name: it is empty"),
        ({"name": "a\x00"}, "name.*NUL"),
        ({"name": None}, "name: it is of type NoneType"),
        ({"key": "a\x00"}, "key.*NUL"),
        ({"key": "\ud800"}, "key.*surrogate"),
        ({"key": uuid.uuid4()}, "key: it is of type UUID; use text"),
        ({"key": "ü" * 600}, "key: it is longer than 1024 bytes"),
        ({"name": "ü" * 600}, "name: it is longer than 1024 bytes"),
        ({"topic": ""}, "topic"),
        ({"topic": "with space"}, "topic"),
        ({"topic": "line\n"}, "topic"),
        ({"topic": "x" * 250}, "topic"),
        ({"topic": ".."}, "topic"),
        ({"headers": {"a": 1}}, "headers: the value of 'a': it is of type int"),
        ({"headers": {"a": b"x"}}, "bytes"),
        ({"headers": {"a": "\x00"}}, "NUL"),
        ({"headers": {1: "a"}}, "headers: a name"),
        ({"headers": {"": "a"}}, "headers: a name is empty"),
        ({"headers": {"id": "a"}}, "headers: 'id' is written by the relay"),
        ({"headers": {"seq": "a"}}, "'seq'"),
        ({"headers": {"replay": "a"}}, "'replay'"),
    ],
)
def test_what_cannot_be_stored_or_published_is_refused(fields: dict[str, Any], fault: str) -> None:
    given: dict[str, Any] = {"name": "Name", "payload": {}} | fields
    with pytest.raises(PayloadError, match=fault):
        row(Message(**given))


def test_an_error_never_shows_the_value() -> None:
    with pytest.raises(PayloadError) as caught:
        row(Message("Name", {"x": ["hunter2\x00"]}))
    assert "hunter2" not in str(caught.value)
