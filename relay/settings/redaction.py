import json
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from relay.settings.group import SettingsGroup


def _parsed(value: object) -> object:
    """Read a JSON list, from a variable and from a file alike."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError('write a JSON list, such as ["bmc_pin"]') from None


def _compiled(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"no valid regular expression: {error.msg}") from None
    except (OverflowError, RecursionError):
        raise ValueError("the regular expression is too large") from None
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parsed)]
Patterns = Annotated[
    tuple[Annotated[str, AfterValidator(_compiled)], ...], NoDecode, BeforeValidator(_parsed)
]


class RedactionSettings(SettingsGroup):
    """What the redactor takes for a secret, beside what it knows by itself."""

    model_config = SettingsConfigDict(env_prefix="RELAY_REDACT_")

    names: Names = Field((), description="further parts of field names that mean a secret")
    patterns: Patterns = Field(
        (), description="further regular expressions; what one matches is replaced"
    )
    keep: Names = Field((), description="field names that are harmless although they sound secret")
