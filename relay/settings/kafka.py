import os
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from relay.settings.group import SettingsGroup

PROPERTY_PREFIX = "KAFKA_PROPERTY_"

_PORT_MAX: Final = 65535
_ADDRESS: Final = re.compile(
    r"((PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)://)?"
    r"(\[[0-9a-fA-F:.%]+\]|[^\s:/\[\]]+)(:(?P<port>[0-9]{1,5}))?",
    re.IGNORECASE,
)

Mechanism = Literal["PLAIN", "SCRAM", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


def _full_name(mechanism: Mechanism | None) -> Mechanism | None:
    """Return the full name: the service before us was configured with SCRAM alone."""
    return "SCRAM-SHA-512" if mechanism == "SCRAM" else mechanism


class KafkaSettings(SettingsGroup):
    """Broker, topic and credential of the stream."""

    model_config = SettingsConfigDict(env_prefix="KAFKA_")

    bootstrap_server: str | None = Field(None, description="host:port, several with commas")
    event_stream_topic: str | None = Field(
        None, pattern=r"^[a-zA-Z0-9._-]{1,249}$", description="topic of rows that name none"
    )
    client_id: str | None = Field(None, description="user or service account")
    client_secret: SecretStr | None = Field(None, description="its password or secret")
    sasl_mechanism: Annotated[Mechanism | None, AfterValidator(_full_name)] = Field(
        None,
        description="PLAIN where only a credential is given; SCRAM is short for SCRAM-SHA-512; "
        "PLAIN without a credential is no authentication",
    )
    security_protocol: Protocol | None = Field(
        None, description="SASL_SSL with a credential, else PLAINTEXT"
    )

    def faults(self) -> Iterator[str]:
        """Yield what cannot work."""
        if not self.bootstrap_server:
            yield "KAFKA_BOOTSTRAP_SERVER is missing: set it to host:port"
        elif not all(_is_address(part.strip()) for part in self.bootstrap_server.split(",")):
            yield "KAFKA_BOOTSTRAP_SERVER: write host:port, several with commas"
        if not self.event_stream_topic:
            yield "KAFKA_EVENT_STREAM_TOPIC is missing: set it to the topic, such as events-stream"
        elif self.event_stream_topic in {".", ".."}:
            yield "KAFKA_EVENT_STREAM_TOPIC: Kafka allows no topic named . or .."
        yield from self._credential_faults()

    def _credential_faults(self) -> Iterator[str]:
        if self.client_id and not self.client_secret:
            yield "KAFKA_CLIENT_ID is set without KAFKA_CLIENT_SECRET: set both, or neither"
        if self.client_secret and not self.client_id:
            yield "KAFKA_CLIENT_SECRET is set without KAFKA_CLIENT_ID: set both, or neither"
        if self.client_id and not (self.security_protocol or "SASL").startswith("SASL"):
            yield "KAFKA_SECURITY_PROTOCOL must be SASL_SSL or SASL_PLAINTEXT with a credential"
        passed_through = any(name.startswith("sasl.") for name in self.properties)
        if self.client_id or self.client_secret or passed_through:
            return
        if self.sasl_mechanism not in {None, "PLAIN"}:
            yield (
                f"KAFKA_SASL_MECHANISM is {self.sasl_mechanism} without KAFKA_CLIENT_ID and "
                "KAFKA_CLIENT_SECRET: set both, or leave the mechanism out"
            )
        if self.security_protocol in {"SASL_PLAINTEXT", "SASL_SSL"}:
            yield (
                f"KAFKA_SECURITY_PROTOCOL is {self.security_protocol} without KAFKA_CLIENT_ID and "
                "KAFKA_CLIENT_SECRET: set both, or use PLAINTEXT or SSL"
            )

    @cached_property
    def properties(self) -> dict[str, str]:
        """librdkafka properties passed through: KAFKA_PROPERTY_SSL_CA_LOCATION=… and so on.

        An empty variable counts as not set.
        """
        return {
            name.removeprefix(PROPERTY_PREFIX).lower().replace("_", "."): value
            for name, value in os.environ.items()
            if name.startswith(PROPERTY_PREFIX) and value
        }


def _is_address(text: str) -> bool:
    found = _ADDRESS.fullmatch(text)
    return found is not None and 0 < int(found["port"] or 1) <= _PORT_MAX


def property_variable(name: str) -> str:
    """Return the environment variable of the librdkafka property *name*."""
    return PROPERTY_PREFIX + name.upper().replace(".", "_")
