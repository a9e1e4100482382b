"""Messages that PostgreSQL and Kafka take: overrides, secrets, checks."""

import re
from collections.abc import Mapping
from typing import NamedTuple, cast

from relay.errors import PayloadError
from relay.formats.message import RESERVED_HEADERS, Message
from relay.jsontext import checked_text
from relay.service.redaction.redactor import Redactor

MAX_KEY_BYTES = 1024
MAX_NAME_BYTES = 1024
"""Keys are kept in memory with their partition, and names in an index."""

_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class Overrides(NamedTuple):
    """Arguments of one emit; None leaves it to the item, and *ordered* to the outbox."""

    key: str | None = None
    topic: str | None = None
    headers: Mapping[str, str] | None = None
    ordered: bool | None = None


def overridden(message: Message, given: Overrides) -> Message:
    """Return *message* with the key, topic and headers that are *given*."""
    if given.key is None and given.topic is None and given.headers is None:
        return message
    return Message(
        message.name,
        message.payload,
        key=message.key if given.key is None else given.key,
        topic=message.topic if given.topic is None else given.topic,
        headers=message.headers if given.headers is None else given.headers,
        event_id=message.event_id,
    )


def redacted(message: Message, redactor: Redactor, *, payload: bool = True) -> Message:
    """Return *message* without secrets. *payload*: False where it is made of redacted fields.

    Raises:
        PayloadError: the payload is no mapping, or nested too deeply.
    """
    if not isinstance(message.payload, Mapping):
        raise PayloadError("payload: it must be a mapping, because it becomes a JSON object")
    if not (payload or message.headers):
        return message
    found = redactor.redact(message.payload) if payload else message.payload
    headers = redactor.redact(message.headers) if message.headers else message.headers
    return Message(
        message.name,
        cast("Mapping[str, object]", found),
        message.key,
        message.topic,
        cast("Mapping[str, str]", headers),
        message.event_id,
    )


def check(message: Message) -> None:
    """Make sure that PostgreSQL and Kafka take name, key, topic and headers of *message*.

    Raises:
        PayloadError: they would not; the message names the part.
    """
    if not checked_text(message.name, "name"):
        raise PayloadError("name: it is empty; give the message a name")
    if len(message.name.encode()) > MAX_NAME_BYTES:
        raise PayloadError(f"name: it is longer than {MAX_NAME_BYTES} bytes; use a shorter one")
    _check_key(message.key)
    _check_topic(message.topic)
    if message.headers:
        _check_headers(message.headers)


def _check_key(key: str | None) -> None:
    if key is not None and len(checked_text(key, "key").encode()) > MAX_KEY_BYTES:
        raise PayloadError(f"key: it is longer than {MAX_KEY_BYTES} bytes; use an id or a hash")


def _check_topic(topic: str | None) -> None:
    if topic is None:
        return
    if topic in {".", ".."} or not _TOPIC.fullmatch(checked_text(topic, "topic")):
        raise PayloadError(
            "topic: Kafka allows 1 to 249 letters, digits, dots, underscores and hyphens"
        )


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not checked_text(name, "headers: a name"):
            raise PayloadError("headers: a name is empty; give each header a name")
        checked_text(value, f"headers: the value of {name!r}")
        if name in RESERVED_HEADERS:
            raise PayloadError(f"headers: {name!r} is written by the relay; choose another name")
