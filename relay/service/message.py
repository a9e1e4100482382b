import re
from collections.abc import Mapping

from relay.errors import PayloadError
from relay.formats.message import RESERVED_HEADERS, Message
from relay.jsontext import to_json
from relay.service.records import OutboxRecord
from relay.service.redaction.redactor import Redactor

MAX_KEY_BYTES = 1024
"""Longer keys would not fit into the index of parked rows."""

_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


def outbox_row(message: Message, metadata: str, redactor: Redactor) -> OutboxRecord:
    """Return the row of *message*, redacted, stamped with *metadata* (a JSON text).

    Raises:
        PayloadError: PostgreSQL, Kafka or JSON would refuse a part of it; the error names the part.
    """
    if not isinstance(message.payload, Mapping):
        raise PayloadError("payload: it must be a mapping, because it becomes a JSON object")
    return OutboxRecord(
        event_id=str(message.event_id),
        topic=_checked_topic(message.topic),
        key=_checked_key(message.key),
        name=_checked_name(message.name),
        payload=to_json(redactor.redact(message.payload), "payload"),
        metadata=metadata,
        headers=_checked_headers(message.headers, redactor),
    )


def checked_text(value: object, what: str) -> str:
    """Return *value* if PostgreSQL can store it as text.

    Raises:
        PayloadError: no text, a NUL character, or half a surrogate pair.
    """
    if not isinstance(value, str):
        raise PayloadError(f"{what}: it is of type {type(value).__name__}; use text")
    if not (value.isascii() and value.isprintable()):
        to_json(value, what)
    return value


def _checked_name(name: str) -> str:
    if not checked_text(name, "name"):
        raise PayloadError("name: it is empty; give the message a name")
    return name


def _checked_key(key: str | None) -> str | None:
    if key is not None and len(checked_text(key, "key").encode()) > MAX_KEY_BYTES:
        raise PayloadError(f"key: it is longer than {MAX_KEY_BYTES} bytes; use an id or a hash")
    return key


def _checked_topic(topic: str | None) -> str | None:
    if topic is None:
        return None
    if topic in {".", ".."} or not _TOPIC.fullmatch(checked_text(topic, "topic")):
        raise PayloadError(
            "topic: Kafka allows 1 to 249 letters, digits, dots, underscores and hyphens"
        )
    return topic


def _checked_headers(headers: Mapping[str, str], redactor: Redactor) -> str | None:
    if not headers:
        return None
    for name, value in headers.items():
        if not checked_text(name, "headers: a name"):
            raise PayloadError("headers: a name is empty; give each header a name")
        checked_text(value, f"headers: the value of {name!r}")
        if name in RESERVED_HEADERS:
            raise PayloadError(f"headers: {name!r} is written by the relay; choose another name")
    return to_json(redactor.redact(headers), "headers")
