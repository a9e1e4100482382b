import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.support.eventually import eventually
from tests.support.leftovers import clear_up
from tests.support.process import ProcessUnderTest
from tests.support.repository import ROOT

# A session that makes a file in memory and one on disk, starts a process, and waits.
SESSION = """
import subprocess, tempfile, time
from tests.support.leftovers import memory, own_directory
nothing = subprocess.DEVNULL
with own_directory():
    # In a group of its own, as brokers and relays are.
    child = subprocess.Popen(
        ["sleep", "600"], start_new_session=True, stdout=nothing, stderr=nothing
    )
    print(child.pid, tempfile.mkdtemp(), tempfile.mkdtemp(dir=memory()))
    time.sleep(600)
"""
Begin = Callable[[], tuple[ProcessUnderTest, psutil.Process, list[Path]]]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Start a session: its process, what it started, and what it wrote."""
    with ExitStack() as sessions:

        def start() -> tuple[ProcessUnderTest, psutil.Process, list[Path]]:
            environment = {"PYTEST_DEBUG_TEMPROOT": str(tmp_path), "PYTHONPATH": str(ROOT)}
            command = [sys.executable, "-c", SESSION]
            session = sessions.enter_context(ProcessUnderTest(command, environment))
            pid, *written = eventually(lambda: session.stdout, timeout=30)[0].split()
            return session, psutil.Process(int(pid)), [Path(each) for each in written]

        yield start
    clear_up(tmp_path)


def test_what_a_killed_session_left_goes_and_what_lives_stays(begin: Begin, tmp_path: Path) -> None:
    (killed, orphan, left), (_, child, used) = begin(), begin()
    killed.kill()
    assert orphan.is_running()
    clear_up(tmp_path)
    assert not orphan.is_running()
    assert [path for path in left if path.exists()] == []
    assert child.is_running()
    assert all(path.exists() for path in used)


def test_an_interrupted_session_takes_everything_along(begin: Begin) -> None:
    session, child, used = begin()
    session.send_signal(signal.SIGINT)
    session.wait()
    eventually(lambda: not child.is_running())
    assert [path for path in used if path.exists()] == []
