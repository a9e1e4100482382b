"""The demo, as somebody runs it who has just cloned the project."""

import json
from collections.abc import Callable

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


def test_its_data_can_be_tried_on(run_relay: Callable[..., ProcessUnderTest]) -> None:
    demo = run_relay("demo", "--events", "60", "--keep", environment={})
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
    assert demo.terminate() == 0
