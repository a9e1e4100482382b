"""Which Kafka a test session uses: a given one, a container, one run from jars, or the mock."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

from confluent_kafka import KafkaException, Producer
from docker.errors import DockerException
from testcontainers.core.container import DockerContainer

from tests.support.kafka.broker import KafkaBroker
from tests.support.kafka.libraries import KafkaUnavailableError
from tests.support.kafka.topics import QUIET, admin_client
from tests.support.ports import free_port

IMAGE = "apache/kafka:4.1.0"
CONTAINER_PORT = 9092
CONTAINER_START_SECONDS = 120.0
ENGINE_SECONDS = 5


@dataclass(frozen=True)
class SessionKafka:
    """The broker that all tests of a session share.

    `absent` says why it is only the mock; it is empty for a real broker.
    """

    bootstrap: str
    source: Literal["given", "container", "jars", "mock"]
    absent: str = ""

    @property
    def is_real(self) -> bool:
        return self.source != "mock"


@contextmanager
def session_kafka() -> Iterator[SessionKafka]:
    """The best broker that is to be had here, ended afterwards if it was started for us."""
    with ExitStack() as stack:
        yield _select(stack)


def _select(stack: ExitStack) -> SessionKafka:
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVER"):
        return SessionKafka(given, "given")
    reasons = ["KAFKA_BOOTSTRAP_SERVER is not set"]
    try:
        return SessionKafka(stack.enter_context(kafka_in_docker()), "container")
    except KafkaUnavailableError as error:
        reasons.append(str(error))
    try:
        return SessionKafka(stack.enter_context(KafkaBroker()).bootstrap, "jars")
    except KafkaUnavailableError as error:
        reasons.append(str(error))
    return SessionKafka(stack.enter_context(_mock()), "mock", "; ".join(reasons))


@contextmanager
def kafka_in_docker() -> Iterator[str]:
    """A broker in a container of its own, by its address.

    Raises:
        KafkaUnavailableError: no engine answers, or it cannot fetch or start the image.
    """
    if not docker_answers():
        raise KafkaUnavailableError("no Docker engine answers")
    port = free_port()
    container = DockerContainer(IMAGE).with_bind_ports(CONTAINER_PORT, port)
    host = container.get_docker_client().host().replace("localhost", "127.0.0.1")
    bootstrap = f"{host}:{port}"
    for name, value in _container_environment(bootstrap).items():
        container.with_env(name, value)
    try:
        _start(container, bootstrap)
        yield bootstrap
    finally:
        container.stop()


def _start(container: DockerContainer, bootstrap: str) -> None:
    # OSError: connections that break, and the time-outs of both clients.
    try:
        container.start()
        admin_client(bootstrap).list_topics(timeout=CONTAINER_START_SECONDS)
    except (DockerException, KafkaException, OSError) as error:
        raise KafkaUnavailableError(f"the Docker engine cannot run {IMAGE}: {error}") from error


def docker_answers() -> bool:
    """Whether there is an engine to start containers with."""
    # In a process of its own: the client leaves its socket open where no engine listens.
    probe = f"import docker; docker.from_env(timeout={ENGINE_SECONDS}).ping()"
    asked = subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False)
    return asked.returncode == 0


def _container_environment(bootstrap: str) -> dict[str, str]:
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{CONTAINER_PORT},CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{bootstrap}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }


@contextmanager
def _mock() -> Iterator[str]:
    # The cluster lives inside this producer and ends with it.
    host = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, **QUIET})
    brokers = host.list_topics(timeout=ENGINE_SECONDS).brokers.values()
    yield ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    host.flush(0)
