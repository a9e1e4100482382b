import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from relay.settings.group import SettingsGroup
from relay.settings.preset import Preset

_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")


def duration(text: object) -> timedelta:
    """Return the time that *text* says, such as 1h30m.

    Raises:
        ValueError: it says none, or nothing at all.
    """
    parts = _PART.findall(text) if isinstance(text, str) else []
    if "".join(number + unit for number, unit in parts) != text:
        raise ValueError("write a duration such as 1h30m, with the units d, h, m, s and ms")
    found = sum((timedelta(**{_UNITS[unit]: float(number)}) for number, unit in parts), timedelta())
    if not found:
        raise ValueError("a duration must be longer than nothing")
    return found


def _limits(value: object) -> dict[str, timedelta]:
    try:
        given = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        given = None
    if not isinstance(given, Mapping):
        raise ValueError('write JSON: {"the event\'s name": "1h30m"}')  # noqa: TRY004 - pydantic's
    limits = {}
    for name, text in given.items():
        try:
            limits[name] = text if isinstance(text, timedelta) else duration(text)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return limits


class EventSettings(SettingsGroup):
    """What is stored and streamed of events."""

    model_config = SettingsConfigDict(env_prefix="EVENT_")

    rate_limits: Annotated[dict[str, timedelta], NoDecode, BeforeValidator(_limits)] = Field(
        {}, description="JSON of name to duration: how far apart events of one resource are stored"
    )
    stream_rate_limited: bool | None = Field(
        None,
        description="stream what a rate limit keeps from being stored; by default the preset's",
    )
    stream_preset: Preset = Field(
        Preset.STANDARD, description="what the messages look like: standard or existing-consumers"
    )
