"""`relay completion`: the tab key in a real shell."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.process import RELAY, ProcessUnderTest

RunRelay = Callable[..., ProcessUnderTest]

WAIT_SECONDS = 60.0
BASH = ("bash", "--norc", "--noprofile", "-i")


class Terminal:
    """An interactive bash, as a person sees it."""

    def __init__(self, screen: int) -> None:
        self._screen = screen
        self._seen = ""

    def type(self, keys: str) -> None:
        os.write(self._screen, keys.encode())

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while text not in self._seen:
            ready, _, _ = select.select([self._screen], [], [], deadline - time.monotonic())
            assert ready, f"{text!r} did not come: {self._seen!r}"
            self._seen += os.read(self._screen, 4096).decode(errors="replace")
        self._seen = self._seen.partition(text)[2]


@contextmanager
def bash() -> Iterator[Terminal]:
    screen, inside = pty.openpty()
    environment = {"PATH": f"{RELAY.parent}:/usr/bin:/bin", "TERM": "dumb", "PS1": "$ "}
    shell = subprocess.Popen(
        BASH, stdin=inside, stdout=inside, stderr=inside, env=environment, start_new_session=True
    )
    os.close(inside)
    try:
        yield Terminal(screen)
    finally:
        shell.kill()
        shell.wait()
        os.close(screen)


@pytest.mark.processes
def test_the_tab_key_completes_a_command() -> None:
    with bash() as terminal:
        terminal.type("source <(relay completion bash); echo rea''dy\n")
        terminal.wait_for("ready")
        terminal.type("relay st\t")
        terminal.wait_for("relay status")
        terminal.type("\x15relay list --state pa\t")
        terminal.wait_for("relay list --state parked")


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("relay re", ["redirect", "replay", "requeue", "restore", "resume"]),
        ("relay requeue --dr", ["--dry-run"]),
        ("relay completion f", ["fish"]),
    ],
)
def test_the_protocol_of_bash(run_relay: RunRelay, words: str, completed: list[str]) -> None:
    given = {
        "_RELAY_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    process = run_relay(environment=given)
    assert process.wait(60) == 0, process.output
    assert sorted(process.stdout) == completed


@pytest.mark.parametrize(
    ("shell", "first"), [("zsh", "#compdef relay"), ("fish", "complete --command relay")]
)
def test_other_shells_get_their_script(run_relay: RunRelay, shell: str, first: str) -> None:
    process = run_relay("completion", shell, environment={})
    assert process.wait(60) == 0
    assert process.stdout[0].startswith(first)
    assert "_RELAY_COMPLETE" in process.output


def test_a_shell_that_is_not_known(run_relay: RunRelay) -> None:
    process = run_relay("completion", "cmd", environment={})
    assert process.wait(60) == 2
    assert "bash" in process.output
