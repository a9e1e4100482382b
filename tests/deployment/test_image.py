"""The image, built and run as a cluster would: any uid, a read-only root, nothing allowed."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from deploy.chart import REPOSITORY
from tests.support.eventually import eventually
from tests.support.kafka.selection import SessionKafka, docker_answers
from tests.support.kafka.topics import ConsumedMessage
from tests.support.ports import free_port
from tests.support.postgres import Database

BASE = "python:3.13-slim"
TAG = "outbox-relay:under-test"
RESTRICTED: dict[str, Any] = {
    "read_only": True,
    "user": "123456:0",
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
}


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    if not docker_answers():
        pytest.skip("needs a Docker engine: none answers")
    with closing(docker.from_env(timeout=300)) as client:
        _provide(client, BASE)
        yield client


def _provide(client: docker.DockerClient, name: str) -> None:
    try:
        client.images.get(name)
    except ImageNotFound:
        try:
            client.images.pull(name)
        except DockerException as error:
            pytest.skip(f"needs {name}: {error}")


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient) -> str:
    engine.images.build(path=str(REPOSITORY), tag=TAG, rm=True)
    return TAG


@pytest.fixture
def start(engine: docker.DockerClient, image: str) -> Iterator[Callable[..., Any]]:
    """Start a container of the image on the network of this machine; it is removed afterwards."""
    started = []

    def run(*command: str, **options: Any) -> Any:  # noqa: ANN401 - a container of the docker SDK
        container = engine.containers.run(
            image, list(command), detach=True, network_mode="host", **RESTRICTED, **options
        )
        started.append(container)
        return container

    yield run
    for container in started:
        container.remove(force=True)


def output(container: Any) -> str:  # noqa: ANN401 - a container of the docker SDK
    assert container.wait(timeout=60)["StatusCode"] == 0, container.logs().decode()
    return str(container.logs().decode())


def test_it_holds_the_relay_and_no_tools(start: Callable[..., Any]) -> None:
    assert "relay 0.1.0" in output(start("--version"))
    look = "import shutil; print([t for t in ('gcc', 'cc', 'make') if shutil.which(t)])"
    assert output(start("-c", look, entrypoint="python")).strip() == "[]"
    look = "import importlib.util as u; print(u.find_spec('pip'), u.find_spec('pytest'))"
    assert output(start("-c", look, entrypoint="python")).strip() == "None None"


def test_it_names_a_uid_and_itself(engine: docker.DockerClient, image: str) -> None:
    config = engine.images.get(image).attrs["Config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["relay"]
    assert config["Labels"]["org.opencontainers.image.version"] == "0.1.0"
    assert "PYTHONUNBUFFERED=1" in config["Env"]


@pytest.mark.kafka
def test_migrate_service_and_relay_run_from_it(
    start: Callable[..., Any], empty_database: Database, kafka: SessionKafka, topic: str,
    consume: Callable[..., list[ConsumedMessage]],
) -> None:  # fmt: skip
    environment = {
        "DATABASE_URL": empty_database.dsn,
        "ENABLE_EVENT_STREAMING": "true",
        "KAFKA_BOOTSTRAP_SERVER": kafka.bootstrap,
        "KAFKA_EVENT_STREAM_TOPIC": topic,
        "RELAY_METRICS_HOST": "127.0.0.1",
        "RELAY_METRICS_PORT": str(free_port()),
    }
    assert "version 1" in output(start("migrate", environment=environment))
    service = ["-m", "relay.demo.service", "--pause", "0"]
    start(*service, entrypoint="python", environment=environment)
    relay = start("run", environment=environment)
    names = {json.loads(message.value or b"")["name"] for message in consume(topic, count=100)}
    assert names >= {"ClusterRegistered", "ClusterState", "Host", "HostStageReached"}

    asked = relay.exec_run(["relay", "live"])
    assert (asked.exit_code, asked.output) == (0, b"ok\n")
    relay.kill("SIGTERM")
    assert relay.wait(timeout=20)["StatusCode"] == 0
    eventually(lambda: "stopped" in relay.logs().decode(), what="a graceful stop")
