"""Where a Docker engine answers but cannot run Kafka, the next best broker is taken."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from testcontainers.core.config import testcontainers_config

from tests.support.kafka.libraries import KafkaUnavailableError
from tests.support.kafka.selection import kafka_in_docker

NO_IMAGE = "No such image, and no registry to pull it from"


class EngineWithoutImages(BaseHTTPRequestHandler):
    """Docker's API as it answers on a machine that can pull nothing."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.endswith("/version"):
            self._answer(HTTPStatus.OK, {"ApiVersion": "1.44"})
        elif self.path.endswith("/_ping"):
            self._answer(HTTPStatus.OK, {})
        else:
            self._answer(HTTPStatus.NOT_FOUND, {"message": NO_IMAGE})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(HTTPStatus.NOT_FOUND, {"message": NO_IMAGE})

    def _answer(self, status: HTTPStatus, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def engine_without_images(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), EngineWithoutImages) as engine:
        Thread(target=engine.serve_forever, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{engine.server_port}")
        monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)
        yield
        engine.shutdown()


@pytest.mark.usefixtures("engine_without_images")
def test_an_engine_that_has_no_image_is_no_kafka() -> None:
    with pytest.raises(KafkaUnavailableError, match=NO_IMAGE), kafka_in_docker():
        pass


@pytest.mark.usefixtures("engine_without_images")
def test_the_reaper_may_be_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", False)
    with pytest.raises(KafkaUnavailableError, match=NO_IMAGE), kafka_in_docker():
        pass
