import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_settings import SettingsConfigDict

from relay.settings.duration import DURATION_PATTERN, duration
from relay.settings.group import SettingsGroup
from relay.settings.preset import Preset


def _limits(value: object) -> dict[str, timedelta]:
    try:
        given = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
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


Limits = Annotated[
    dict[str, timedelta],
    BeforeValidator(_limits),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {"type": "string", "pattern": DURATION_PATTERN},
        }
    ),
]


class EventSettings(SettingsGroup):
    """Storing and streaming of events."""

    model_config = SettingsConfigDict(env_prefix="EVENT_")

    rate_limits: Limits = Field(
        {},
        description="JSON of event name to duration: shortest time between stored events of one "
        "resource; 0s is no limit",
    )
    stream_rate_limited: bool | None = Field(
        None,
        description="stream what a rate limit keeps from being stored; by default the preset's",
    )
    stream_preset: Preset = Field(
        Preset.STANDARD, description="what the messages look like: standard or existing-consumers"
    )
