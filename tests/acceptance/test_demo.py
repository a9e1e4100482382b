"""The demo, as somebody runs it who has just cloned the project."""

import json
from collections.abc import Callable

from tests.support.process import ProcessUnderTest


def test_the_demo_delivers_everything(run_relay: Callable[..., ProcessUnderTest]) -> None:
    demo = run_relay("demo", "--events", "300", "--json", environment={})
    assert demo.wait(timeout=120) == 0, demo.output
    summary = json.loads(demo.stdout[-1])
    assert summary["committed"] >= 300
    assert summary["delivered"] == summary["committed"]
    assert summary["rolled_back"] > 0
    assert {summary[name] for name in ("lost", "phantoms", "duplicates", "out_of_order")} == {0}
