from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from relay.settings.group import SettingsGroup

LogLevel = Literal["debug", "info", "warning", "error"]


class LogSettings(SettingsGroup):
    """Log of the relay and of the REST API."""

    model_config = SettingsConfigDict(env_prefix="RELAY_LOG_")

    level: LogLevel = Field("info", description="debug, info, warning or error")
    format: Literal["auto", "json", "text"] = Field(
        "auto", description="auto: text on a terminal, else json"
    )
