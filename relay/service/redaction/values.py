"""Values of fields whose name sounds secret, and what of them is none."""

import re
from collections.abc import Mapping
from typing import Final

from relay.service.redaction.names import Verdict
from relay.service.redaction.words import STATES, listed

REDACTED: Final = "[redacted]"

_PLACEHOLDER: Final = re.compile(
    r"\$\{[^{}]*\}|\$\([^()]*\)|\$[A-Z_][A-Z0-9_]*|\{\{[^{}]*\}\}|%\([\w.]+\)s|%s|<[^<>]*>|"
    r"\(?(?:none|null|nil|unset|n/a|true|false|yes|no|undefined|empty)\)?|"
    r"[*•]+|[xX.]{3,}|[\[(]?(?:redacted|hidden|masked|sensitive|sanitized)[\])]?",
    re.IGNORECASE,
)
"""A variable, a mask, or nothing at all stands where a secret would."""
_VARIABLE: Final = re.compile(r"\$\{?[A-Za-z_]\w*\}?")
_PATH: Final = re.compile(
    r"(?:file://)?(?:~|\.{1,2}|[A-Z]:)?(?:[/\\][\w.@-]{1,64}){2,}/?|/[a-z]{2,12}/?"
)
_OBJECT: Final = re.compile(r"[a-z]{2,}(?:-[a-z0-9]+)*/[a-z]{2,}(?:-[a-z0-9]+)*")
_ID: Final = re.compile(
    r"\d+|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|"
    r"(?:[A-Za-z]{1,20}|\d{1,10})(?:[-_./: ]+(?:[A-Za-z]{1,20}|\d{1,10}))*"
)
_LONGEST_HARMLESS: Final = 300
_REFERENCE: Final = listed(
    "name namespace key optional kind apiVersion apiGroup secretName defaultMode items path "
    "mode uid resourceVersion secret_name secretRef labels annotations creationTimestamp"
)
_NAMED: Final = ("name", "secretName", "secret_name")


def is_harmless(value: object, verdict: Verdict) -> bool:
    """Tell whether *value* is none, although the *verdict* on its name is not INNOCENT.

    A switch, nothing at all, a variable or a mask is no secret; and that it is so may matter to a
    reader.
    """
    if value is None or isinstance(value, bool) or (not value and value != 0):
        return True
    if isinstance(value, str):
        return is_harmless_text(value, verdict)
    match verdict:
        case Verdict.SECRET:
            return isinstance(value, Mapping) and all(map(_is_switch, value.values()))
        case Verdict.UNSURE:
            # What is inside has names of its own.
            return True
        case _:
            return (verdict is Verdict.HOLDERS and isinstance(value, int)) or _is_reference(value)


def _is_switch(value: object) -> bool:
    return value is None or isinstance(value, bool)


def _is_reference(value: object) -> bool:
    """Tell whether *value* names objects of Kubernetes that hold the secret."""
    if isinstance(value, Mapping):
        return any(name in value for name in _NAMED) and _REFERENCE.issuperset(value)
    return isinstance(value, list | tuple) and all(map(_is_reference, value))


def is_harmless_text(value: str, verdict: Verdict) -> bool:
    """Tell the same of a text."""
    if len(value) > _LONGEST_HARMLESS:
        return False
    if _PLACEHOLDER.fullmatch(value) or _VARIABLE.fullmatch(value):
        # "$ecret" is a password.
        return not value.startswith("$") or value[1:2] in "{(" or value.isupper()
    match verdict:
        case Verdict.SECRET:
            return False
        case Verdict.HOLDERS if value.isdigit():
            return True
        case Verdict.UNSURE if _ID.fullmatch(value):
            return True
        case _:
            return bool(_PATH.fullmatch(value) or _OBJECT.fullmatch(value))


def is_prose(text: str, verdict: Verdict) -> bool:
    """Tell whether *text*, which follows "secret: ", goes on about it instead of showing it."""
    first, _, rest = text.partition(" ")
    word = first.strip("\"'`.,;:!?()[]").lower()
    if word in STATES or not word:
        return True
    if verdict is Verdict.SECRET or not rest or not word.isalpha():
        return False
    # As in "secret: context deadline exceeded".
    return first.isalpha() and rest.lstrip()[:1].isalpha()
