"""JSON text of Python values, as PostgreSQL stores it and every consumer reads it."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from uuid import UUID

from relay.errors import PayloadError

NUL = "\x00"


def to_json(value: object, what: str) -> str:
    """Return *value* as JSON text that PostgreSQL stores and every consumer reads.

    UUIDs, dates, datetimes (which need a zone), decimals and enums become text. *what* names the
    value in errors.

    Raises:
        PayloadError: a value of another type, NaN or infinity, a NUL character, or half a
            surrogate pair; the message names the place, never the value.
    """
    try:
        text = _encode(value)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadError(f"{what}: {_explained(value, what) or type(error).__name__}") from None
    # A cheap test first: only a text with this escape can hold the character.
    if "\\u0000" in text and (fault := _explained(value, what)):
        raise PayloadError(f"{what}: {fault}")
    return text


def checked_text(value: object, what: str) -> str:
    """Return *value* if PostgreSQL can store it as text. *what* names the value in errors.

    Raises:
        PayloadError: no text, a NUL character, or half a surrogate pair.
    """
    if not isinstance(value, str):
        raise PayloadError(f"{what}: it is of type {type(value).__name__}; use text")
    if not (value.isascii() and value.isprintable()):
        to_json(value, what)
    return value


def _simplified(value: object) -> object:
    match value:
        case UUID() | Decimal():
            return str(value)
        case datetime() if value.tzinfo is None:
            raise TypeError("a datetime without a zone")
        case datetime():
            return value.isoformat(timespec="microseconds")
        case date():
            return value.isoformat()
        case Enum():
            return value.value
        case set() | frozenset():
            return sorted(value, key=str)
        case _:
            raise TypeError(type(value).__name__)


# json.dumps would make an encoder for each text.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_simplified).encode


def _explained(value: object, path: str, depth: int = 0) -> str | None:  # noqa: C901, PLR0911
    """Find the first place that JSON, PostgreSQL or UTF-8 does not take, and say why."""
    if depth > 200:  # noqa: PLR2004 - beyond this json itself gives up
        return f"{path} is nested too deeply; flatten it"
    match value:
        case str():
            return _text_fault(value, path)
        case float() if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124
            return f"{path} is NaN or infinite, which JSON does not know; use null"
        case Mapping():
            for key, inner in value.items():
                if not isinstance(key, str):
                    return f"{path} has a key of type {type(key).__name__}; use text"
                place = f"{path}.{key!r}"
                fault = _text_fault(key, place) or _explained(inner, place, depth + 1)
                if fault:
                    return fault
        case list() | tuple():
            for index, inner in enumerate(value):
                if fault := _explained(inner, f"{path}[{index}]", depth + 1):
                    return fault
        case None | bool() | int() | float():
            return None
        case _:
            return _type_fault(value, path)
    return None


def _text_fault(value: str, path: str) -> str | None:
    if NUL in value:
        return f"{path} holds a NUL character (U+0000), which PostgreSQL cannot store; remove it"
    try:
        value.encode()
    except UnicodeEncodeError:
        return f"{path} holds half a surrogate pair, which is not valid Unicode; repair the text"
    return None


def _type_fault(value: object, path: str) -> str | None:
    try:
        _simplified(value)
    except TypeError as error:
        return f"{path} is {error}, which JSON does not know; convert it first"
    return None
