"""Values of environment variables, given directly or as files, less what Kubernetes puts there.

For each Service of a namespace Kubernetes injects variables into every pod: a Service `db` makes
`DB_PORT=tcp://10.0.0.7:5432`, `DB_SERVICE_HOST` and more. They are known by their shape.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE_SUFFIX: Final = "_FILE"

_LINK_NAME: Final = re.compile(
    r".+_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|.+_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?"
)
_LINK_VALUE: Final = re.compile(r"(tcp|udp|sctp)://\S+:\d+")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that cannot be read, and the reason."""

    reason: str


def is_link(variable: str, value: str) -> bool:
    """Return whether Kubernetes made *variable* for a Service."""
    if _LINK_NAME.fullmatch(variable):
        return True
    return variable.endswith("_PORT") and _LINK_VALUE.fullmatch(value) is not None


def value_of(variable: str) -> str | Unreadable | None:
    """Return the value of *variable*, or of the file that its `_FILE` names.

    None where neither is set: an empty one counts as not set.
    """
    value = os.environ.get(variable, "")
    if value and not is_link(variable, value):
        return _readable(value)
    path = os.environ.get(variable + FILE_SUFFIX)
    return _content(path) if path else None


def text_fault(value: str) -> str | None:
    """Return why neither libpq nor librdkafka can be given *value*; None is nothing."""
    if "\0" in value:
        return "the value holds a NUL character"
    if any("\ud800" <= character <= "\udfff" for character in value):
        return "the value is not UTF-8 text"
    return None


def _readable(value: str) -> str | Unreadable:
    fault = text_fault(value)
    return Unreadable(fault) if fault else value


def _content(path: str) -> str | Unreadable:
    named = f"(named by the variable with {FILE_SUFFIX})"
    try:
        content = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        return Unreadable(f"{path}: {error.strerror} {named}")
    except UnicodeDecodeError:
        return Unreadable(f"{path} is not UTF-8 text {named}")
    return _readable(content) if content else Unreadable(f"{path} is empty {named}")
