import os
from collections.abc import Iterator
from functools import cached_property
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from relay.settings.group import SettingsGroup

PROPERTY_PREFIX = "KAFKA_PROPERTY_"

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


class KafkaSettings(SettingsGroup):
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
