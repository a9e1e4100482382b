from pydantic import Field
from pydantic_settings import SettingsConfigDict

from relay.settings.group import SettingsGroup
from relay.settings.hosts import Host


class MetricsSettings(SettingsGroup):
    """Metrics and health of the relay."""

    model_config = SettingsConfigDict(env_prefix="RELAY_METRICS_")

    host: Host = Field("0.0.0.0", description="address to listen on")  # noqa: S104
    port: int = Field(9464, ge=0, lt=65536, description="TCP port; 0 picks a free one")
