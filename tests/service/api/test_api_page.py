"""The examples of docs/api.md: its commands with the real curl, its applications as they stand."""

import json
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.service.api.conftest import Store
from tests.support.authority import Authority, bearer
from tests.support.postgres import Database
from tests.support.process import RELAY, ProcessUnderTest
from tests.support.repository import ROOT
from tests.support.roles import member

PAGE = ROOT / "docs" / "api.md"
EXAMPLES = re.findall(r"```(sh|python)\n(.*?)```", PAGE.read_text(), re.DOTALL)
START, LISTING, WALK, ADDING, RETENTION = (text for kind, text in EXAMPLES if kind == "sh")
APPLICATIONS = [text for kind, text in EXAMPLES if kind == "python"]
PATH = "/events"
DEFAULT_ADDRESS = "http://127.0.0.1:8090"
# Where it listens, and how it tells.
NAMES_OF_THE_TEST = ["RELAY_API_HOST", "RELAY_API_PORT", "RELAY_LOG_FORMAT"]

Shell = Callable[[str], str]


@pytest.fixture
def shell(
    run_relay: Callable[..., ProcessUnderTest],
    api_environment: dict[str, str],
    authority: Authority,
    cluster_id: uuid.UUID,
    tmp_path: Path,
) -> Shell:
    """Run a script as a reader would, who has started `relay api` with the variables of the page.

    It says what the script printed, and fails where one of its commands did.
    """
    named = re.findall(r"\b([A-Z_]+)=", START)
    environment = {name: api_environment[name] for name in [*named, *NAMES_OF_THE_TEST]}
    process = run_relay("api", environment=environment)
    message = process.wait_for_log("serving events on", timeout=60)["message"]
    address = f"http://{message.rpartition(' ')[2]}"
    variables = {
        "PATH": "/usr/bin:/bin",
        "TOKEN": authority.token(cluster_id=str(cluster_id)),
        "CLUSTER": str(cluster_id),
        "EVENTS": f"{address}{PATH}",
    }

    def run(script: str) -> str:
        return _bash(script.replace(DEFAULT_ADDRESS, address), variables, tmp_path)

    return run


def test_the_list_of_a_cluster(shell: Shell, store: Store, cluster_id: uuid.UUID) -> None:
    for hour, severity in enumerate(["info", "error", "critical", "warning"]):
        store(severity=severity, cluster_id=cluster_id, event_time=f"2026-11-24T1{hour}:00:00Z")
    store(severity="error", cluster_id=uuid.uuid4())
    status, headers, body = _answer(shell(LISTING))
    assert status == 200
    assert [event["severity"] for event in json.loads(body)] == ["critical", "error"]
    assert headers["event-count"] == "2"
    counts = {name: headers[f"severity-count-{name}"] for name in ("info", "warning", "error")}
    assert counts == {"info": "1", "warning": "1", "error": "1"}
    assert headers["severity-count-critical"] == "1"


def test_the_walk_through_a_long_list(
    shell: Shell, database: Database, cluster_id: uuid.UUID
) -> None:
    with database.connect() as owner:
        owner.execute(
            "INSERT INTO outbox_event (name, severity, message, cluster_id)"
            " SELECT 'Event', 'info', 'event ' || n, %s FROM generate_series(0, 500) AS n",
            (cluster_id,),
        )
    pages = list(_documents(shell(WALK)))
    assert [len(page) for page in pages] == [500, 1]
    assert [event["message"] for page in pages for event in page] == [
        f"event {number}" for number in range(501)
    ]


def test_an_event_added_twice_with_one_key(shell: Shell, cluster_id: uuid.UUID) -> None:
    status, _, body = _answer(shell(ADDING))
    assert status == 201
    event = json.loads(body)
    assert (event["name"], event["severity"], event["message"], event["props"]) == (
        "disk_slow", "warning", "Disk sda is slow", {"ms": 120},
    )  # fmt: skip
    assert event["cluster_id"] == str(cluster_id)
    assert _answer(shell(ADDING))[::2] == (201, body)
    _, headers, _ = _answer(shell(LISTING.replace("error,critical", "warning")))
    assert headers["event-count"] == "1"


@pytest.mark.processes
def test_the_retention_of_events(database: Database, store: Store, tmp_path: Path) -> None:
    store(event_time="2020-01-01T00:00:00Z")
    with member(database, "outbox_purger") as user:
        variables = {"PATH": f"{RELAY.parent}:/usr/bin:/bin", "DATABASE_URL": user.dsn}
        printed = _bash(RETENTION, variables, tmp_path)
    assert re.findall(r"^1 events before .* (match|were deleted)", printed, re.MULTILINE) == [
        "match",
        "were deleted",
    ]


@pytest.mark.parametrize(
    ("application", "prefix"), list(zip(APPLICATIONS, ["", "/history"], strict=True))
)
def test_an_application_of_ones_own(
    application: str,
    prefix: str,
    api_environment: dict[str, str],
    authority: Authority,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in api_environment.items():
        monkeypatch.setenv(name, value)
    store(message="it happened")
    module: dict[str, Any] = {}
    exec(application, module)  # noqa: S102 - the page's own words
    url = f"{prefix}{PATH}"
    with TestClient(module["app"], headers=bearer(authority.token(role="admin"))) as client:
        assert [event["message"] for event in client.get(url).json()] == ["it happened"]
        assert client.get(url, headers={"Authorization": ""}).status_code == 401
        new = {"name": "Event", "severity": "info", "message": "m", "cluster_id": str(uuid.uuid4())}
        assert client.post(url, json=new).status_code == 201


def _bash(script: str, variables: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        env=variables, cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _answer(printed: str) -> tuple[int, dict[str, str], str]:
    """The status, the headers and the body of what `curl -i` printed."""
    head, _, body = printed.partition("\n\n")
    first, *lines = head.splitlines()
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, body


def _documents(printed: str) -> Iterator[Any]:
    """The JSON documents that follow each other in *printed*."""
    while printed:
        document, end = json.JSONDecoder().raw_decode(printed)
        yield document
        printed = printed[end:]
