"""The settings of the service's side and of the relay: read once, checked once, frozen.

A field's environment variable is its name in capitals, behind the prefix of its group. Put
``_FILE`` behind the variable to have the value read from a file.
"""

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from relay.errors import ConfigurationError

PROPERTY_PREFIX = "KAFKA_PROPERTY_"
UNKNOWN_VERSION = "Unknown"
SHARDS = 64

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
LogLevel = Literal["debug", "info", "warning", "error"]


class _Files(PydanticBaseSettingsSource):
    """Values that come as files: ``KAFKA_CLIENT_SECRET_FILE=/run/secrets/kafka``."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        path = os.environ.get(f"{self.config.get('env_prefix', '')}{field_name}_FILE".upper())
        return (Path(path).read_text().strip() if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields.items()
        found = {name: self.get_field_value(field, name)[0] for name, field in fields}
        return {name: value for name, value in found.items() if value is not None}


class _Group(BaseSettings):
    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, EnvSettingsSource(settings_cls), _Files(settings_cls)

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the environment variable of *field*."""
        return f"{cls.model_config.get('env_prefix', '')}{field}".upper()

    def faults(self) -> Iterator[str]:
        """Yield what cannot work although each value by itself is valid."""
        yield from ()


Group = TypeVar("Group", bound=_Group)


class DatabaseSettings(_Group):
    """Where the outbox is: a URL, or its parts."""

    database_url: SecretStr | None = Field(None, description="postgresql://user:password@host/name")
    db_host: str | None = Field(None, description="host, where no URL is given")
    db_port: int = Field(5432, gt=0, lt=65536, description="port")
    db_user: str | None = Field(None, description="user")
    db_pass: SecretStr | None = Field(None, description="password")
    db_name: str | None = Field(None, description="name of the database")

    @property
    def configured(self) -> bool:
        """Whether the environment names a database at all."""
        return self.database_url is not None or self.db_host is not None

    def faults(self) -> Iterator[str]:
        """Yield what cannot work."""
        if not self.configured:
            yield "DATABASE_URL is missing: set it, or DB_HOST, DB_USER, DB_PASS and DB_NAME"
            return
        if self.database_url is not None:
            try:
                conninfo_to_dict(self._libpq_url())
            except psycopg.ProgrammingError:
                # psycopg's own words quote the URL, and the password with it.
                yield "DATABASE_URL is not valid: write postgresql://user:password@host:5432/name"

    def conninfo(self) -> str:
        """Return a libpq connection string. It holds the password."""
        if self.database_url is not None:
            return make_conninfo(self._libpq_url())
        return make_conninfo(
            host=self.db_host,
            port=str(self.db_port),
            user=self.db_user,
            password=self.db_pass.get_secret_value() if self.db_pass else None,
            dbname=self.db_name,
        )

    def address(self) -> str:
        """Return host, port and database for messages: never the user or the password."""
        parts = conninfo_to_dict(self.conninfo())
        host, port = parts.get("host", "localhost"), parts.get("port", 5432)
        return f"{host}:{port}/{parts.get('dbname', '')}"

    def _libpq_url(self) -> str:
        """Drop SQLAlchemy's driver (postgresql+psycopg://), so that services share one URL."""
        url = self.database_url.get_secret_value() if self.database_url else ""
        scheme, separator, rest = url.partition("://")
        return f"{scheme.partition('+')[0]}{separator}{rest}"


class KafkaSettings(_Group):
    """Where the stream is, and who we are there."""

    model_config = SettingsConfigDict(env_prefix="KAFKA_")

    bootstrap_server: str | None = Field(None, description="host:port, several with commas")
    event_stream_topic: str | None = Field(
        None, pattern=r"^[a-zA-Z0-9._-]{1,249}$", description="topic of rows that name none"
    )
    client_id: str | None = Field(None, description="user or service account")
    client_secret: SecretStr | None = Field(None, description="its password or secret")
    sasl_mechanism: Mechanism | None = Field(
        None, description="PLAIN where there is a credential and nothing is said"
    )
    security_protocol: Protocol | None = Field(
        None, description="SASL_SSL where there is a credential, else PLAINTEXT"
    )

    def faults(self) -> Iterator[str]:
        """Yield what cannot work."""
        if not self.bootstrap_server:
            yield "KAFKA_BOOTSTRAP_SERVER is missing: set it to host:port"
        if not self.event_stream_topic:
            yield "KAFKA_EVENT_STREAM_TOPIC is missing: set it to the topic, such as events-stream"
        if self.client_id and not self.client_secret:
            yield "KAFKA_CLIENT_ID is set without KAFKA_CLIENT_SECRET: set both, or neither"
        if self.client_secret and not self.client_id:
            yield "KAFKA_CLIENT_SECRET is set without KAFKA_CLIENT_ID: set both, or neither"
        if self.sasl_mechanism and not (self.client_id or self.client_secret):
            yield "KAFKA_SASL_MECHANISM is set without KAFKA_CLIENT_ID and KAFKA_CLIENT_SECRET"
        if self.client_id and not (self.security_protocol or "SASL").startswith("SASL"):
            yield "KAFKA_SECURITY_PROTOCOL must be SASL_SSL or SASL_PLAINTEXT with a credential"

    @cached_property
    def properties(self) -> dict[str, str]:
        """librdkafka properties passed through: KAFKA_PROPERTY_SSL_CA_LOCATION=… and so on."""
        return {
            name.removeprefix(PROPERTY_PREFIX).lower().replace("_", "."): value
            for name, value in os.environ.items()
            if name.startswith(PROPERTY_PREFIX)
        }


class VersionSettings(_Group):
    """The component versions that go into an envelope's metadata."""

    self_version: str = Field(UNKNOWN_VERSION, description="of the service itself")
    installer_image: str = Field(UNKNOWN_VERSION, description="of the installer")
    controller_image: str = Field(UNKNOWN_VERSION, description="of the installer's controller")
    agent_docker_image: str = Field(UNKNOWN_VERSION, description="of the discovery agent")

    def versions(self) -> dict[str, str]:
        """Return component to version, as consumers know the components."""
        return {
            "assisted-installer": self.installer_image,
            "assisted-installer-controller": self.controller_image,
            "assisted-installer-service": self.self_version,
            "discovery-agent": self.agent_docker_image,
        }


class RelaySettings(_Group):
    """How the relay works. Sizes are in rows or bytes, times in seconds, as the names say."""

    model_config = SettingsConfigDict(env_prefix="RELAY_")

    workers: int = Field(
        1, ge=1, le=16, description="threads, each with a connection and a producer"
    )
    lease_shards: int = Field(16, ge=1, le=SHARDS, description="shards locked at a time, of 64")
    lease_rows: int = Field(20_000, ge=1, description="rows of one lease; repeated after a crash")
    lease_bytes: int = Field(64 << 20, ge=1, description="payload bytes of one lease")
    lease_seconds: float = Field(2.0, gt=0, description="no new chunk is read after this time")
    chunk_rows: int = Field(2_000, ge=1, description="rows read at a time")
    chunk_bytes: int = Field(4 << 20, ge=1, description="payload bytes read at a time")
    delivery_budget_seconds: float = Field(
        10.0, gt=0, description="what Kafka has not acknowledged by then goes back to the outbox"
    )
    lease_timeout_seconds: float = Field(
        20.0, gt=0, description="PostgreSQL takes the lease of a vanished relay after this time"
    )
    stall_seconds: float = Field(
        3.0, gt=0, description="a partition that acknowledges nothing for this time is put on hold"
    )
    drain_budget_seconds: float = Field(10.0, gt=0, description="time to end in after SIGTERM")
    poll_min_seconds: float = Field(0.002, gt=0, description="pause between polls when busy")
    poll_max_seconds: float = Field(0.1, gt=0, description="pause between polls when idle")
    backoff_max_seconds: float = Field(30.0, gt=0, description="longest pause between retries")
    queue_bytes: int = Field(32 << 20, ge=1 << 20, description="the producer's buffer")
    max_message_bytes: int | None = Field(
        None, ge=1024, description="largest message, where the topic's limit may not be read"
    )
    block_keys: bool = Field(
        default=False, description="a parked row holds back later rows of its key"
    )
    partitioner: Literal["murmur2", "fnv1a"] = Field("murmur2", description="key to partition")
    sample_seconds: float = Field(5.0, gt=0, description="pause between samples of the lag")
    metrics_host: str = Field("0.0.0.0", description="address of metrics and health")  # noqa: S104
    metrics_port: int = Field(9464, ge=0, lt=65536, description="its port; 0 takes a free one")
    log_level: LogLevel = Field("info", description="debug, info, warning or error")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="auto: text on a terminal, else json"
    )

    _LIMITS: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("delivery_budget_seconds", "lease_timeout_seconds", "or PostgreSQL ends the lease first"),
        ("lease_seconds", "delivery_budget_seconds", "or nothing is left for the last chunk"),
        ("stall_seconds", "delivery_budget_seconds", "or a stuck partition takes the others along"),
        ("poll_min_seconds", "poll_max_seconds", "which it grows to"),
        ("chunk_bytes", "queue_bytes", "or a chunk does not fit into the producer"),
    )

    def faults(self) -> Iterator[str]:
        """Yield what cannot work."""
        for low, high, reason in self._LIMITS:
            if not getattr(self, low) < getattr(self, high):
                yield f"{self.variable(low)} must be less than {self.variable(high)}, {reason}"


class _Flag(_Group):
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


_NOWHERE = KafkaSettings.model_construct()


def load(*, database: bool = False, stream: bool = False) -> Settings:
    """Read the environment.

    *database*: a database must be named. *stream*: Kafka must be named and the relay's settings
    must fit together; with it, nothing at all is needed while streaming is switched off.

    Raises:
        ConfigurationError: names every fault.
    """
    faults: list[str] = []
    flag = _read(_Flag, faults)
    idle = stream and not flag.enable_event_streaming
    stream = stream and not idle
    settings = Settings(
        streaming=flag.enable_event_streaming,
        database=_read(DatabaseSettings, faults, check=database and not idle),
        kafka=_read(KafkaSettings, faults, check=True) if stream else _NOWHERE,
        versions=_read(VersionSettings, faults),
        relay=_read(RelaySettings, faults, check=stream),
    )
    if faults:
        raise ConfigurationError(faults)
    return settings


def _read(group: type[Group], faults: list[str], *, check: bool = False) -> Group:
    read = _valid(group, faults)
    faults.extend(read.faults() if check else ())
    return read


def _valid(group: type[Group], faults: list[str]) -> Group:
    try:
        return group()
    except ValidationError as error:
        invalid = {str(fault["loc"][0]): fault["msg"] for fault in error.errors()}
        faults.extend(f"{group.variable(field)}: {message}" for field, message in invalid.items())
        # With the invalid ones at their defaults, what is wrong with the others shows as well.
        return group.model_validate({name: group.model_fields[name].default for name in invalid})
    except OSError as error:
        faults.append(f"{error.filename}: {error.strerror} (named by a variable ending in _FILE)")
        return cast("Group", group.model_construct())
