import json
import re
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, StrictStr
from pydantic_settings import SettingsConfigDict

from relay.settings.group import SettingsGroup

SHORTEST_NAME: Final = 3
"""Letters and digits; a shorter part would be found in nearly every name."""

INNOCENT: Final = (
    "9b2f8a5e-7d0d-4cbd-9c33-0e6e2d9f3b11",
    "2026-11-27T10:00:00.123456Z",
    "installing",
    "True",
    "42",
    "worker-0.ocp.example.com",
    "192.168.127.10/24",
    "The host is ready to be installed",
    "quay.io/edge-infrastructure/assisted-installer:latest",
    "https://example.com:8080/path",
)
"""Values that no pattern of a secret matches; one that matches half of them would shred events."""


def checked_name(name: str) -> str:
    """Return *name* if it is fit to be looked for inside of names.

    Raises:
        ValueError: it is too short.
    """
    if sum(map(str.isalnum, name)) < SHORTEST_NAME:
        raise ValueError(
            f"{name!r} has less than {SHORTEST_NAME} letters and would be found in nearly every "
            "name; write a longer part"
        )
    return name


def checked_pattern(pattern: str | re.Pattern[str]) -> str | re.Pattern[str]:
    """Return *pattern* if it finds secrets and nothing else.

    Raises:
        ValueError: it is no regular expression, or matches the empty text or nearly every text.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no valid regular expression: {error.msg}") from None
    except (OverflowError, RecursionError):
        raise ValueError("the regular expression is too large") from None
    if compiled.search(""):
        raise ValueError("the pattern matches the empty text; write one that matches a secret only")
    if sum(compiled.search(text) is not None for text in INNOCENT) * 2 > len(INNOCENT):
        raise ValueError(
            "the pattern matches nearly every text; write one that matches a secret only"
        )
    return pattern


def _parsed(value: object) -> object:
    """Read a JSON list, from a variable and from a file alike."""
    if not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, list) or not all(isinstance(item, str) for item in parsed):
        raise ValueError('write a JSON list of texts, such as ["bmc_pin"]')
    return parsed


Texts = Annotated[tuple[StrictStr, ...], BeforeValidator(_parsed)]
Names = Annotated[
    tuple[Annotated[StrictStr, AfterValidator(checked_name)], ...],
    BeforeValidator(_parsed),
]
Patterns = Annotated[
    tuple[Annotated[StrictStr, AfterValidator(checked_pattern)], ...],
    BeforeValidator(_parsed),
]


class RedactionSettings(SettingsGroup):
    """Secrets that the redactor looks for, beside what it knows by itself."""

    model_config = SettingsConfigDict(env_prefix="RELAY_REDACT_")

    names: Names = Field((), description="further parts of field names that mean a secret")
    patterns: Patterns = Field(
        (), description="further regular expressions; what one matches is replaced"
    )
    keep: Texts = Field((), description="field names that are harmless although they sound secret")
