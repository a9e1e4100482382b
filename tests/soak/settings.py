"""Settings of a soak's topic and relays: small leases that time out soon."""

from collections.abc import Mapping
from typing import Final

TOPIC: Final = "soak"
LEASE_ROWS: Final = 500
LEASE_TIMEOUT_SECONDS: Final = 8
# Larger than this is poison.
MAX_MESSAGE_BYTES: Final = 100_000

RELAY: Final[Mapping[str, str]] = {
    "ENABLE_EVENT_STREAMING": "true",
    "KAFKA_EVENT_STREAM_TOPIC": TOPIC,
    "RELAY_LEASE_ROWS": str(LEASE_ROWS),
    "RELAY_CHUNK_ROWS": "100",
    "RELAY_LEASE_SECONDS": "1",
    "RELAY_STALL_SECONDS": "1.5",
    "RELAY_DELIVERY_BUDGET_SECONDS": "4",
    "RELAY_LEASE_TIMEOUT_SECONDS": str(LEASE_TIMEOUT_SECONDS),
    "RELAY_BACKOFF_MAX_SECONDS": "1",
    "RELAY_DRAIN_BUDGET_SECONDS": "4",
    "RELAY_METRICS_HOST": "127.0.0.1",
    "RELAY_METRICS_PORT": "0",
    "RELAY_LOG_FORMAT": "json",
}
