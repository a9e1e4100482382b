"""`relay api` with several processes, and with an issuer that hangs."""

import signal
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping

import httpx2
import psutil
import pytest

from tests.service.api.conftest import Store
from tests.support.authority import Authority, bearer
from tests.support.eventually import eventually
from tests.support.load import stretched
from tests.support.metrics import total
from tests.support.process import ProcessUnderTest

Run = Callable[..., ProcessUnderTest]
COUNTED = {"method": "GET", "route": "/events", "status": "200"}


def started(process: ProcessUnderTest) -> str:
    message = process.wait_for_log("serving events on", timeout=60)["message"]
    return f"http://{message.rpartition(' ')[2]}"


def get(url: str, headers: Mapping[str, str] | None = None) -> httpx2.Response:
    """Over a connection of its own, so that any worker may get it; they take a while to start."""
    return httpx2.get(url, headers=headers, timeout=60)


def workers(process: ProcessUnderTest) -> list[psutil.Process]:
    """The processes that serve: what else multiprocessing starts has no socket that listens."""
    children = psutil.Process(process.pid).children()
    return [each for each in children if "spawn_main" in _command(each)]


def _command(process: psutil.Process) -> str:
    """Empty for one that has ended."""
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def test_workers_count_together_and_one_that_dies_is_replaced(
    run_relay: Run, api_environment: dict[str, str], authority: Authority, store: Store
) -> None:
    store()
    limits = {"EVENT_RATE_LIMITS": '{"disk_slow": "1h"}'}
    process = run_relay("api", "--workers", "2", environment=api_environment | limits)
    url = started(process)
    token = bearer(authority.token(role="admin"))

    def listed() -> bool:
        return get(f"{url}/events", headers=token).status_code == 200

    def requests() -> float:
        return total(get(f"{url}/metrics").text, "outbox_api_requests_total", **COUNTED)

    def in_flight() -> float:
        return total(get(f"{url}/metrics").text, "outbox_api_requests_in_flight")

    eventually(lambda: len(workers(process)) == 2, timeout=60)
    eventually(lambda: get(f"{url}/readyz").status_code == 200, timeout=60)
    counted = 0
    for _ in range(20):
        counted += listed()
        assert requests() == counted
    assert counted == 20
    slow = {"name": "disk_slow", "severity": "info", "message": "m", "host_id": str(uuid.uuid4())}
    added = [httpx2.post(f"{url}/events", json=slow, headers=token, timeout=60) for _ in range(9)]
    assert sorted(each.status_code for each in added) == [201, *[429] * 8]
    killed = workers(process)[0]
    killed.kill()
    eventually(lambda: killed.pid not in {each.pid for each in workers(process)}, timeout=60)
    eventually(lambda: len(workers(process)) == 2, timeout=60)
    assert requests() == counted
    eventually(lambda: in_flight() == 1)
    served_by = workers(process)
    assert process.terminate() == 0, process.output
    assert not any(_is_alive(each) for each in served_by)
    assert "Traceback" not in process.output


def test_workers_end_with_their_parent(run_relay: Run, api_environment: dict[str, str]) -> None:
    process = run_relay("api", environment=api_environment | {"RELAY_API_WORKERS": "2"})
    url = started(process)
    eventually(lambda: get(f"{url}/livez").status_code == 200, timeout=60)
    served_by = workers(process)
    process.send_signal(signal.SIGKILL)
    eventually(lambda: not any(_is_alive(each) for each in served_by), timeout=60)


@pytest.fixture
def hanging() -> Iterator[str]:
    """The address of an issuer that lets everybody wait."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/keys"


def test_an_issuer_that_hangs_holds_up_neither_requests_nor_the_end(
    run_relay: Run, api_environment: dict[str, str], hanging: str
) -> None:
    process = run_relay("api", environment=api_environment | {"RELAY_API_JWKS": hanging})
    url = started(process)
    with httpx2.Client(base_url=url, timeout=60) as client:
        eventually(lambda: client.get("/livez").status_code == 200)
        begun = time.monotonic()
        for _ in range(30):
            answer = client.get("/events", headers=bearer(Authority().token(role="admin")))
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert time.monotonic() - begun < stretched(10)
        ready = client.get("/readyz")
        assert (ready.status_code, "key set" in ready.text) == (503, True)
    begun = time.monotonic()
    assert process.terminate() == 0
    assert time.monotonic() - begun < stretched(10)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
