"""`relay api` as a real process: how it starts, what it refuses, how it stops."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx2
import pytest

from relay.__main__ import main as relay
from tests.service.api.conftest import Store
from tests.support.authority import Authority, bearer, write_key_set
from tests.support.eventually import eventually
from tests.support.metrics import total
from tests.support.postgres import Database
from tests.support.process import ProcessUnderTest, relay_command

EVENTS = "/events"
EXISTING = "/api/assisted-install/v2/events"
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")

Run = Callable[..., ProcessUnderTest]


def started(run_relay: Run, environment: Mapping[str, str]) -> tuple[ProcessUnderTest, str]:
    """A running API and its address."""
    process = run_relay("api", environment=environment)
    message = process.wait_for_log("serving events on", timeout=60)["message"]
    return process, f"http://{message.rpartition(' ')[2]}"


def test_it_serves_tells_its_health_and_stops_on_sigterm(
    run_relay: Run, api_environment: dict[str, str], authority: Authority, store: Store
) -> None:
    store()
    process, url = started(run_relay, api_environment | {"RELAY_LOG_LEVEL": "debug"})
    with httpx2.Client(base_url=url) as client:
        eventually(lambda: client.get("/readyz").status_code == 200)
        assert client.get("/livez").text == "ok\n"
        assert client.get(EVENTS).status_code == 401
        token = bearer(authority.token(role="admin")) | {"X-Request-ID": "r-1"}
        assert len(client.get(EVENTS, headers=token).json()) == 1
        assert process.wait_for_log(lambda entry: entry.get("request_id") == "r-1")
        key = {"api_key": authority.token(role="admin")}
        assert len(client.get(EXISTING, params=key).json()) == 1
        client.get("/made/up", params=key)
        client.request("BREW", EVENTS)
        metrics = client.get("/metrics").text
        for route, status in ((EVENTS, "200"), ("other", "404")):
            counted = {"method": "GET", "route": route, "status": status}
            assert total(metrics, "outbox_api_requests_total", **counted) == 1
        assert 'method="other"' in metrics
        assert "BREW" not in metrics
        assert "made" not in metrics
        assert process.terminate() == 0, process.output
    assert "Traceback" not in process.output
    # Whatever writes the log: the server in front of the application, too.
    assert "api_key" not in process.output
    assert key["api_key"] not in process.output


def test_an_open_request_gets_its_answer_after_sigterm(
    run_relay: Run, api_environment: dict[str, str], authority: Authority, database: Database
) -> None:
    process, url = started(run_relay, api_environment)
    token = bearer(authority.token(role="admin"))
    with database.connect() as locker, socket.create_connection(_address(url)) as client:
        locker.execute("LOCK TABLE outbox_event IN ACCESS EXCLUSIVE MODE")
        headers = f"Host: a\r\nAuthorization: {token['Authorization']}\r\n"
        client.sendall(f"GET {EVENTS} HTTP/1.1\r\n{headers}\r\n".encode())
        eventually(database.waiting)
        process.send_signal(signal.SIGTERM)
        eventually(lambda: _refuses(url))
        locker.rollback()
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    assert process.wait() == 0, process.output


def test_without_a_database_it_lives_unready_and_recovers_alone(
    run_relay: Run, api_environment: dict[str, str], authority: Authority, database: Database
) -> None:
    with database.connect() as owner:
        owner.execute("ALTER TABLE outbox_state RENAME TO away")
        owner.execute("ALTER TABLE outbox_event RENAME TO events_away")
    _, url = started(run_relay, api_environment)
    with httpx2.Client(base_url=url, headers=bearer(authority.token(role="admin"))) as client:
        assert client.get("/livez").status_code == 200
        assert "relay migrate" in client.get("/readyz").text
        assert client.get(EVENTS).status_code == 503
        with database.connect() as owner:
            owner.execute("ALTER TABLE away RENAME TO outbox_state")
            owner.execute("ALTER TABLE events_away RENAME TO outbox_event")
        assert client.get("/readyz").status_code == 200
        assert client.get(EVENTS).status_code == 200


def test_keys_rotate_while_it_runs(
    run_relay: Run, api_environment: dict[str, str], authority: Authority
) -> None:
    environment = api_environment | {"RELAY_API_JWKS_REFRESH_SECONDS": "0.1"}
    _, url = started(run_relay, environment)
    successor = Authority()
    with httpx2.Client(base_url=url) as client:
        assert client.get(EVENTS, headers=bearer(authority.token(role="admin"))).status_code == 200
        write_key_set(Path(environment["RELAY_API_JWKS"]), successor)

        def status(of: Authority) -> int:
            return client.get(EVENTS, headers=bearer(of.token(role="admin"))).status_code

        eventually(lambda: status(successor) == 200, timeout=20)
        assert status(authority) == 401


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"RELAY_API_JWKS": ""}, "RELAY_API_JWKS is missing"),
        ({"RELAY_API_JWKS": "/nowhere.json"}, "RELAY_API_JWKS: No such file"),
        ({"RELAY_API_JWKS": "http://keys.example/jwks"}, "https URL"),
        ({"RELAY_API_ISSUER": ""}, "RELAY_API_ISSUER is missing"),
        ({"RELAY_API_AUDIENCE": ""}, "RELAY_API_AUDIENCE is missing"),
        ({"RELAY_API_AUTHENTICATION": "off"}, "unset one of them"),
        ({"RELAY_API_LOCAL_TOKENS": "on"}, "RELAY_API_LOCAL_PUBLIC_KEY is missing"),
        (
            {"RELAY_API_LOCAL_TOKENS": "on", "RELAY_API_LOCAL_PUBLIC_KEY": "none"},
            "must be a PEM public key",
        ),
    ],
)
def test_what_would_be_open_or_cannot_work_does_not_start(
    api_environment: dict[str, str], changed: dict[str, str], named: str
) -> None:
    # A fork is enough: it ends before it would start processes of its own.
    command, environment = relay_command("api"), api_environment | changed
    with ProcessUnderTest(command, environment, program=relay) as process:
        assert process.wait() == 2
        assert named in process.output
        assert "Traceback" not in process.output


def test_without_authentication_it_listens_on_loopback_alone(
    run_relay: Run, api_environment: dict[str, str], store: Store
) -> None:
    store()
    for name in ("RELAY_API_JWKS", "RELAY_API_HOST"):
        del api_environment[name]
    process, url = started(run_relay, api_environment | {"RELAY_API_AUTHENTICATION": "off"})
    assert url.startswith("http://127.0.0.1:")
    process.wait_for_log("authentication is off")
    assert len(httpx2.get(f"{url}{EVENTS}").json()) == 1


# Its string formats are the usual ones: a text that holds a JSON object is not among them.
SCHEMATHESIS_FORMATS = """
import json
import schemathesis
from hypothesis import strategies as st

words = st.text(st.characters(codec="utf-8", exclude_characters="\\0"), max_size=20)
values = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), words, st.lists(words))
objects = st.dictionaries(words, values, max_size=5).map(json.dumps)
schemathesis.openapi.format("json-object", objects)
"""


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/events", ["--phases", "coverage,fuzzing"]),
        # It takes more than it says, such as an empty value for a UUID.
        (EXISTING, ["--phases", "fuzzing", "--exclude-checks", "negative_data_rejection"]),
    ],
)
def test_it_does_what_its_openapi_page_says(
    run_relay: Run,
    api_environment: dict[str, str],
    authority: Authority,
    store: Store,
    tmp_path: Path,
    path: str,
    options: list[str],
) -> None:
    for number in range(3):
        store(message=f"event {number}")
    # A schema cannot say what the clock decides.
    boundless = {
        "RELAY_API_EVENT_TIME_AHEAD_SECONDS": "1e12",
        "RELAY_API_EVENT_TIME_BEHIND_DAYS": "1e8",
    }
    _, url = started(run_relay, api_environment | boundless)
    assert httpx2.get(f"{url}/docs").status_code == 200
    token = authority.token(role="admin", exp=4e9)
    (tmp_path / "formats.py").write_text(SCHEMATHESIS_FORMATS)
    (tmp_path / "schemathesis.toml").write_text('hooks = "formats.py"')
    tried = subprocess.run(
        [
            SCHEMATHESIS, "run", f"{url}/openapi.json", "--include-path-regex", f"^{path}",
            "--header", f"Authorization: Bearer {token}", *options,
            "--max-examples", "8", "--seed", "1", "--no-color", "--warnings", "off",
        ],
        capture_output=True, text=True, timeout=200, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert tried.returncode == 0, tried.stdout[-6000:] + tried.stderr[-2000:]
    assert 'status="500"' not in httpx2.get(f"{url}/metrics").text


def _address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def _refuses(url: str) -> bool:
    try:
        socket.create_connection(_address(url), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False
