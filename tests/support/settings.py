from pydantic import SecretStr

from relay.settings import KafkaSettings, RelaySettings, Settings
from relay.settings.database import DatabaseSettings
from relay.settings.versions import VersionSettings


def streaming(*, dsn: str = "", bootstrap: str, topic: str, **relay: object) -> Settings:
    """Settings of a relay that streams, without a look at the environment."""
    return Settings(
        streaming=True,
        database=DatabaseSettings(database_url=SecretStr(dsn) if dsn else None),
        kafka=KafkaSettings(bootstrap_server=bootstrap, event_stream_topic=topic),
        versions=VersionSettings(),
        relay=RelaySettings.model_validate(relay),
    )
