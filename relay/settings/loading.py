from pydantic import BaseModel, ConfigDict, Field

from relay.errors import ConfigurationError
from relay.settings.api import ApiSettings
from relay.settings.database import DatabaseSettings
from relay.settings.events import EventSettings
from relay.settings.group import SettingsGroup, read
from relay.settings.kafka import KafkaSettings
from relay.settings.relay import RelaySettings
from relay.settings.versions import VersionSettings


class _Flag(SettingsGroup):
    """Whether anything is streamed."""

    enable_event_streaming: bool = Field(
        default=False, description="off: events are stored and served, nothing is streamed"
    )


_NOT_SERVED = ApiSettings.model_construct()


class Settings(BaseModel):
    """All settings of one process."""

    model_config = ConfigDict(frozen=True)

    streaming: bool
    database: DatabaseSettings
    kafka: KafkaSettings
    versions: VersionSettings
    relay: RelaySettings
    api: ApiSettings = _NOT_SERVED
    events: EventSettings = Field(default_factory=EventSettings.model_construct)


_NOWHERE = KafkaSettings.model_construct()


def load(*, database: bool = False, stream: bool = False, api: bool = False) -> Settings:
    """Read the environment.

    *database*: a database must be named. *stream*: Kafka must be named and the relay's settings
    must fit together; with it, nothing at all is needed while streaming is switched off. *api*: the
    REST API is served, which needs its database always.

    Raises:
        ConfigurationError: names every fault.
    """
    faults: list[str] = []
    flag = read(_Flag, faults)
    idle = stream and not flag.enable_event_streaming
    stream = stream and not idle
    settings = Settings(
        streaming=flag.enable_event_streaming,
        database=read(DatabaseSettings, faults, check=database and (api or not idle)),
        kafka=read(KafkaSettings, faults, check=True) if stream else _NOWHERE,
        versions=read(VersionSettings, faults),
        relay=read(RelaySettings, faults, check=stream),
        api=read(ApiSettings, faults, check=True) if api else _NOT_SERVED,
        events=read(EventSettings, faults),
    )
    if faults:
        raise ConfigurationError(faults)
    return settings
