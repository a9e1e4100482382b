"""The demo, as somebody runs it who has just cloned the project."""

import json
import signal
from collections.abc import Callable
from http import HTTPStatus

import httpx2
import pytest

from tests.support.eventually import eventually
from tests.support.process import ProcessUnderTest


def test_the_demo_delivers_everything(run_relay: Callable[..., ProcessUnderTest]) -> None:
    demo = run_relay("demo", "--events", "300", "--json", environment={})
    assert demo.wait(timeout=120) == 0, demo.output
    summary = json.loads(demo.stdout[-1])
    assert summary["committed"] >= 300
    assert summary["delivered"] == summary["committed"]
    assert summary["rolled_back"] > 0
    assert {summary[name] for name in ("lost", "phantoms", "duplicates", "out_of_order")} == {0}


def test_its_data_can_be_looked_at_and_tried_on(
    run_relay: Callable[..., ProcessUnderTest],
) -> None:
    demo = run_relay("demo", "--events", "60", "--console", environment={})
    exported = eventually(lambda: [line for line in demo.stdout if "TOPIC" in line], timeout=90)
    assert exported
    lines = [line.removeprefix("export ") for line in demo.stdout if line.startswith("export ")]
    given = dict(line.split("=", 1) for line in lines)
    for arguments in (
        ("events", "relay.demo.events"),
        ("audit",),
        ("replay", "--since", "2026-01-01", "--outbox", "relay.demo.tracked:outbox", "--dry-run"),
    ):
        command = run_relay(*arguments, environment=given)
        assert command.wait(60) == 0, (command.stdout, command.stderr)
        shown = "\n".join(command.stdout)
        assert {"events": "HostStageReached", "audit": "0 fields", "replay": "ClusterState"}[
            arguments[0]
        ] in shown
    (console,) = [line.split()[-1] for line in demo.stdout if line.startswith("# The console")]
    assert httpx2.get(console).status_code == HTTPStatus.OK
    demo.send_signal(signal.SIGINT)
    assert demo.wait() == 0
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(console)
