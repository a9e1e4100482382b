"""librdkafka's configuration, made from the settings."""

from collections.abc import Mapping
from typing import Final

from relay.settings import KafkaSettings

Properties = dict[str, str | int | float | bool]

# What the promises rest on. Order and completeness within a partition need the idempotent
# producer, gapless failure and no time limit per message: see GaplessProducer.
OWN: Final[Mapping[str, str | int | float | bool]] = {
    "acks": "all",
    "enable.idempotence": True,
    "enable.gapless.guarantee": True,
    "message.timeout.ms": 0,
    "allow.auto.create.topics": False,
}
RESERVED: Final = frozenset(OWN) | {
    # Kept below the smallest limit of the topics.
    "batch.size",
    "bootstrap.servers",
    # Successes would go untold.
    "delivery.report.only.error",
    "delivery.timeout.ms",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.max.bytes",
    "message.send.max.retries",
    "metadata.broker.list",
    "partitioner",
    "request.required.acks",
    "retries",
    # Everything would go to a broker that forgets it.
    "test.mock.broker.rtt",
    "test.mock.num.brokers",
    "transactional.id",
}


def client_properties(kafka: KafkaSettings) -> Properties:
    """Return the properties of every client: address, security, and those passed through.

    Holds the secret, where there is one.
    """
    properties: Properties = {
        "bootstrap.servers": kafka.bootstrap_server or "",
        "client.id": "outbox-relay",
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 2000,
        "allow.auto.create.topics": False,
        # Errors: what is worth a warning is warned of by those who know what follows from it.
        "log_level": 3,
    }
    properties.update(_security(kafka))
    if "sasl.mechanism" not in properties:
        # A client opens half of this after one connection the next, and so a new one its second,
        # with which alone it can send. One that logs in would repeat a refused login as fast.
        properties["reconnect.backoff.ms"] = 20
    properties.update(kafka.properties)
    return properties


def producer_properties(kafka: KafkaSettings, queue_bytes: int) -> Properties:
    """Return the whole configuration of a producer whose buffer holds *queue_bytes*."""
    return {
        "compression.type": "lz4",
        # Large batches cost the broker a third of the CPU of those of 5 ms. Those of 100 ms have
        # left the processor's cache by the time they are compressed, and acknowledged. Nothing
        # waits for it: flush() at the end of a lease sends at once.
        "linger.ms": 30,
        "queue.buffering.max.kbytes": max(1, queue_bytes // 1024),
        # No limit of the client's own: sizes are checked against the topic's, row by row.
        "message.max.bytes": 1_000_000_000,
        **client_properties(kafka),
        **OWN,
    }


def _security(kafka: KafkaSettings) -> Properties:
    if kafka.client_id is None or kafka.client_secret is None:
        return {"security.protocol": kafka.security_protocol} if kafka.security_protocol else {}
    secret = kafka.client_secret.get_secret_value()
    mechanism = kafka.sasl_mechanism or "PLAIN"
    security: Properties = {
        "security.protocol": kafka.security_protocol or "SASL_SSL",
        "sasl.mechanism": mechanism,
    }
    if mechanism == "OAUTHBEARER":
        return security | {
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.client.id": kafka.client_id,
            "sasl.oauthbearer.client.secret": secret,
        }
    return security | {"sasl.username": kafka.client_id, "sasl.password": secret}
