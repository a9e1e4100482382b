"""Settings of one process: each group is read once, and only what is used can be at fault."""

from collections.abc import Callable, Iterable, Iterator

from pydantic import BaseModel, ConfigDict, Field

from relay.errors import ConfigurationError
from relay.settings.api import ApiSettings
from relay.settings.console import ConsoleSettings
from relay.settings.database import DatabaseSettings
from relay.settings.events import EventSettings
from relay.settings.group import Group, SettingsGroup, read
from relay.settings.kafka import KafkaSettings
from relay.settings.logs import LogSettings
from relay.settings.metrics import MetricsSettings
from relay.settings.redaction import RedactionSettings
from relay.settings.relay import RelaySettings
from relay.settings.versions import VersionSettings

KafkaFaults = Callable[[KafkaSettings], Iterable[str]]


class FlagSettings(SettingsGroup):
    """Feature flag of the stream."""

    enable_event_streaming: bool = Field(
        default=False, description="off: events are stored and served, nothing is streamed"
    )


class Settings(BaseModel):
    """All settings of one process."""

    model_config = ConfigDict(frozen=True)

    streaming: bool
    database: DatabaseSettings
    kafka: KafkaSettings
    versions: VersionSettings
    relay: RelaySettings
    metrics: MetricsSettings = Field(default_factory=MetricsSettings.model_construct)
    log: LogSettings = Field(default_factory=LogSettings.model_construct)
    api: ApiSettings = Field(default_factory=ApiSettings.model_construct)
    console: ConsoleSettings = Field(default_factory=ConsoleSettings.model_construct)
    events: EventSettings = Field(default_factory=EventSettings.model_construct)


def no_faults(_: KafkaSettings) -> Iterator[str]:
    """Yield nothing: librdkafka is not asked where it is not used."""
    yield from ()


def load(
    *,
    database: bool = False,
    stream: bool = False,
    relay: bool = False,
    api: bool = False,
    console: bool = False,
    events: bool = False,
    kafka_faults: KafkaFaults = no_faults,
) -> Settings:
    """Read the environment; what is not used is not judged.

    *database*: a database must be named. *stream*: Kafka must be named and the relay's settings
    must fit together; while streaming is switched off neither is used, and no database is needed.
    *relay*: this process is a relay, with a log and metrics. *api*: it serves the REST API, which
    needs its database always; *console*: it serves the console, which does too. *events*: it
    writes events. *kafka_faults* judges what is passed through to librdkafka.

    Raises:
        ConfigurationError: names every fault.
    """
    faults: list[str] = []
    ignored: list[str] = []

    def used_if(used: bool) -> list[str]:  # noqa: FBT001 - reads as a sentence
        return faults if used else ignored

    streaming = read(FlagSettings, used_if(stream or api)).enable_event_streaming
    publishes = stream and streaming
    needs_database = database and (api or console or publishes or not stream)
    where = read(DatabaseSettings, used_if(database))
    # Switched off, none has to be there; one that is there is used.
    faults.extend(where.faults() if database and (needs_database or where.configured) else ())
    settings = Settings(
        streaming=streaming,
        database=where,
        kafka=read(KafkaSettings, used_if(publishes), check=publishes),
        versions=read(VersionSettings, faults),
        relay=read(RelaySettings, used_if(publishes), check=publishes),
        metrics=read(MetricsSettings, used_if(relay)),
        log=read(LogSettings, used_if(relay or api or console)),
        api=read(ApiSettings, used_if(api), check=api),
        console=read(ConsoleSettings, used_if(console), check=console),
        events=read(EventSettings, used_if(stream or api or events)),
    )
    read(RedactionSettings, used_if(events or api or console))
    faults.extend(kafka_faults(settings.kafka) if publishes else ())
    if faults:
        raise ConfigurationError(faults)
    return settings


def required(group: type[Group]) -> Group:
    """Read *group* alone.

    Raises:
        ConfigurationError: names every fault.
    """
    faults: list[str] = []
    found = read(group, faults, check=True)
    if faults:
        raise ConfigurationError(faults)
    return found
