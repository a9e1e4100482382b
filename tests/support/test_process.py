import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from tests.support.eventually import eventually
from tests.support.process import ProcessUnderTest

PROGRAM = """
import json, os, signal, sys, threading
stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())
print("plain text")
print(json.dumps({"message": "started up", "secret": os.environ.get("SECRET")}), file=sys.stderr)
stopped.wait()
print(json.dumps({"message": "drained"}))
sys.exit(3)
"""


@pytest.fixture
def process() -> Iterator[ProcessUnderTest]:
    with ExitStack() as stack:
        running = ProcessUnderTest([sys.executable, "-c", PROGRAM], {"LEVEL": "info"})
        yield stack.enter_context(running)


def test_log_entries_are_seen_while_it_runs(process: ProcessUnderTest) -> None:
    assert process.wait_for_log("started")["message"] == "started up"
    assert process.is_running


def test_ends_with_its_own_exit_code(process: ProcessUnderTest) -> None:
    process.wait_for_log("started")
    assert process.terminate() == 3
    assert [entry["message"] for entry in process.logs] == ["started up", "drained"]
    assert process.stdout[0] == "plain text"
    assert "plain text" in process.output


def test_earlier_entries_can_be_left_out(process: ProcessUnderTest) -> None:
    process.wait_for_log("started")
    with pytest.raises(AssertionError, match="no such log entry within"):
        process.wait_for_log("started", after=len(process.logs), timeout=0.2)


def test_waiting_ends_when_the_process_ends(process: ProcessUnderTest) -> None:
    process.wait_for_log("started")
    process.send_signal(signal.SIGTERM)
    with pytest.raises(AssertionError, match=r"ended without such a log entry[\s\S]*plain text"):
        process.wait_for_log(lambda entry: "never" in entry)


def test_a_process_that_runs_on_is_reported(process: ProcessUnderTest) -> None:
    with pytest.raises(AssertionError, match="still running after"):
        process.wait(timeout=0.1)


def test_kill_ends_even_a_frozen_process(process: ProcessUnderTest) -> None:
    process.send_signal(signal.SIGSTOP)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.close()


def test_the_environment_is_only_what_is_given(
    process: ProcessUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "leaked")
    with ProcessUnderTest([sys.executable, "-c", PROGRAM], {}) as other:
        assert other.wait_for_log("started")["secret"] is None
    assert process.wait_for_log("started")["secret"] is None


def test_closing_ends_what_the_process_started() -> None:
    with ProcessUnderTest(["/bin/sh", "-c", "sleep 60 & echo $!; wait"], {}) as shell:
        started = psutil.Process(int(eventually(lambda: shell.stdout)[0]))
    eventually(lambda: not started.is_running() or started.status() == psutil.STATUS_ZOMBIE)
