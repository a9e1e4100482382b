from collections.abc import Iterator
from typing import ClassVar, Final

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from relay.settings.group import SettingsGroup
from relay.settings.preset import Partitioner

SHARDS = 64

_ROWS_MAX: Final = 10_000_000
_BYTES_MAX: Final = 1 << 34
# Timeouts of PostgreSQL and Kafka are in whole milliseconds, and 0 would mean none.
_SECONDS_MIN: Final = 0.001
_SECONDS_MAX: Final = 86_400


class RelaySettings(SettingsGroup):
    """Work of the relay. Sizes are in rows or bytes, times in seconds, as the names say."""

    model_config = SettingsConfigDict(env_prefix="RELAY_")

    workers: int = Field(
        1, ge=1, le=16, description="threads, each with a connection and a producer"
    )
    lease_shards: int = Field(
        32, ge=1, le=SHARDS, description="shards locked at a time, of 64; busy relays share them"
    )
    lease_rows: int = Field(
        20_000, ge=1, le=_ROWS_MAX, description="rows of one lease; repeated after a crash"
    )
    lease_bytes: int = Field(
        64 << 20, ge=1, le=_BYTES_MAX, description="payload bytes of one lease"
    )
    lease_seconds: float = Field(
        2.0, ge=_SECONDS_MIN, le=_SECONDS_MAX, description="no new chunk is read after this time"
    )
    chunk_rows: int = Field(2_000, ge=1, le=_ROWS_MAX, description="rows read at a time")
    chunk_bytes: int = Field(
        4 << 20, ge=1, le=_BYTES_MAX, description="payload bytes read at a time"
    )
    delivery_budget_seconds: float = Field(
        10.0,
        ge=_SECONDS_MIN,
        le=_SECONDS_MAX,
        description="what Kafka has not acknowledged by then goes back to the outbox",
    )
    lease_timeout_seconds: float = Field(
        20.0,
        ge=_SECONDS_MIN,
        le=_SECONDS_MAX,
        description="PostgreSQL takes the lease of a vanished relay after this time",
    )
    stall_seconds: float = Field(
        3.0,
        ge=_SECONDS_MIN,
        le=_SECONDS_MAX,
        description="a partition that acknowledges nothing for this time is put on hold",
    )
    drain_budget_seconds: float = Field(
        10.0, ge=_SECONDS_MIN, le=_SECONDS_MAX, description="time to end in after SIGTERM"
    )
    poll_min_seconds: float = Field(
        0.002, ge=_SECONDS_MIN, le=_SECONDS_MAX, description="pause between polls when busy"
    )
    poll_max_seconds: float = Field(
        0.1, ge=_SECONDS_MIN, le=_SECONDS_MAX, description="pause between polls when idle"
    )
    doorbell: bool = Field(
        default=True, description="sleep until a writer rings, where little happens; else poll"
    )
    backoff_max_seconds: float = Field(
        30.0, ge=_SECONDS_MIN, le=_SECONDS_MAX, description="longest pause between retries"
    )
    queue_bytes: int = Field(
        32 << 20, ge=1 << 20, le=_BYTES_MAX, description="the producer's buffer"
    )
    max_message_bytes: int | None = Field(
        None,
        ge=1024,
        le=1_000_000_000,
        description="largest message, where the topic's limit may not be read",
    )
    block_keys: bool = Field(
        default=False, description="a parked row holds back later rows of its key"
    )
    partitioner: Partitioner = Field(
        "murmur2", description="key to partition; fnv1a with the preset for existing consumers"
    )
    sample_seconds: float = Field(
        5.0, ge=_SECONDS_MIN, le=_SECONDS_MAX, description="pause between samples of the lag"
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
