"""Exceptions as texts that may be stored, published and read by anybody."""

import re
from collections.abc import Iterator
from functools import lru_cache
from subprocess import CalledProcessError, TimeoutExpired
from typing import Final

from pydantic import ValidationError

from relay.service.redaction.redactor import Redactor
from relay.service.redaction.values import REDACTED

MAX_LENGTH: Final = 2000
MAX_CAUSES: Final = 4

# The row, the statement and its parameters follow what happened.
_DETAILS: Final = re.compile(r"\n(?:DETAIL|CONTEXT|QUERY|WHERE|LINE \d+):|\n?\[(?:SQL|parameters):")
_QUOTED_DATA: Final = re.compile(r"(?<=: )\"[^\n]*\"")
_INVALID_DATA: Final = "22"
"""Class of the SQLSTATEs whose messages quote what the caller sent."""


def describe_error(error: BaseException, redactor: Redactor | None = None) -> str:
    """Return *error* and its causes as one text without rows, parameters and secrets.

    Of a database's error it keeps message, SQLSTATE and constraint, not the values; of a failed
    validation the fields, not what was put in. *redactor*: that of your outbox, with names and
    patterns of your own.
    """
    told = "; caused by ".join(_told(cause) for cause in _causes(error))
    safe = (redactor or _standard()).text(told).replace("\x00", "")
    return safe[:MAX_LENGTH].encode("utf-8", "replace").decode()


@lru_cache(maxsize=1)
def _standard() -> Redactor:
    return Redactor()


def _causes(error: BaseException) -> Iterator[BaseException]:
    shown: BaseException | None = error
    for _ in range(MAX_CAUSES):
        if shown is None:
            return
        # SQLAlchemy's error repeats that of the driver, with the statement and its parameters.
        driver = getattr(shown, "orig", None)
        shown = driver if isinstance(driver, BaseException) else shown
        yield shown
        shown = shown.__cause__


def _told(error: BaseException) -> str:
    name = type(error).__name__
    match error:
        case ValidationError():
            faults = error.errors(include_input=False, include_context=False, include_url=False)
            told = ", ".join(f"{'.'.join(map(str, at['loc']))} ({at['type']})" for at in faults)
            return f"{name}: {error.title}: {told}"
        case CalledProcessError():
            return f"{name}: {_program(error.cmd)} ended with exit code {error.returncode}"
        case TimeoutExpired():
            return f"{name}: {_program(error.cmd)} took more than {error.timeout} s"
        case _:
            return f"{name}: {_message(error)}".removesuffix(": ")


def _message(error: BaseException) -> str:
    diagnostics = getattr(error, "diag", None)
    primary = getattr(diagnostics, "message_primary", None)
    text = primary if isinstance(primary, str) else _str(error)
    text = text[: cut.start()] if (cut := _DETAILS.search(text)) else text
    state = getattr(error, "sqlstate", None)
    if not isinstance(state, str):
        return text
    if state.startswith(_INVALID_DATA):
        text = _QUOTED_DATA.sub(REDACTED, text)
    constraint = getattr(diagnostics, "constraint_name", None)
    return f"{text} (SQLSTATE {state}{f', {constraint}' if constraint else ''})"


def _str(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an error that cannot be printed must not hide what failed
        return ""


def _program(command: object) -> str:
    """Return the program of *command*; its arguments are nobody's business."""
    if isinstance(command, list | tuple) and command:
        return str(command[0])
    return str(command).split(maxsplit=1)[0]
