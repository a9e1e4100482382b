"""docs/tutorial.md, followed from its first command to its last one."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.process import ProcessUnderTest
from tests.support.repository import ROOT

PAGE = ROOT / "docs" / "tutorial.md"
INSTALLING, *BLOCKS = re.findall(
    r"```(sh|python|text)\n(?:# (\S+ terminal|\S+\.py)\n)?(.*?)```", PAGE.read_text(), re.DOTALL
)
API_PORT = "8090"
BASH = "/bin/bash"
ELISION = "…"

Shown = Callable[[], str]


class Walker:
    """Somebody with five terminals who does what the page says, in *folder*."""

    def __init__(self, folder: Path, end: ExitStack) -> None:
        self._folder = folder
        self._end = end
        self._api_port = str(free_port())
        self._terminals: dict[str, ProcessUnderTest] = {}
        self._beginning = ". .venv/bin/activate\n"
        self._environment = {
            "RELAY_API_PORT": self._api_port,
            "RELAY_METRICS_PORT": "0",
            "RELAY_LOG_FORMAT": "text",
        }
        self._last: Shown = str

    def follow(self, kind: str, where: str, text: str) -> None:
        """Do what one block says: keep a file, run commands, or compare what is shown."""
        text = text.replace(API_PORT, self._api_port)
        if kind == "python":
            (self._folder / where).write_text(text, encoding="utf-8")
        elif kind == "text":
            shown = self._shown_in(where) if where else self._last
            eventually(lambda: _shows(shown(), text), timeout=60, what=f"{text}\nin:\n{shown()}")
        elif where:
            self._leave_running(where, text)
        else:
            self._run(text)

    def leave(self) -> None:
        """Press Ctrl-C in every terminal, the last one first."""
        for terminal in reversed(self._terminals.values()):
            os.killpg(terminal.pid, signal.SIGINT)
            terminal.wait(60)

    def _run(self, commands: str) -> None:
        if commands.startswith(self._beginning):
            servers = self._folder / "servers.sh"
            eventually(lambda: "_TOPIC=" in servers.read_text(), what="all of servers.sh")
            self._beginning = commands
        done = subprocess.run(
            [BASH, "-euc", f"cd '{self._folder}'\n{self._beginning}{commands}"],
            env={"PATH": os.environ["PATH"], "HOME": str(self._folder), **self._environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (commands, done.stdout, done.stderr)
        self._last = lambda: f"{done.stdout}\n{done.stderr}"

    def _leave_running(self, where: str, commands: str) -> None:
        script = f"cd '{self._folder}'\n{self._beginning}{commands}"
        terminal = ProcessUnderTest([BASH, "-euc", script], self._environment)
        self._terminals[where] = self._end.enter_context(terminal)
        self._last = self._shown_in(where)

    def _shown_in(self, where: str) -> Shown:
        return lambda: self._terminals[where].output


@pytest.fixture
def walker(tmp_path: Path) -> Iterator[Walker]:
    # What its first block installs is here already.
    (tmp_path / ".venv").symlink_to(sys.prefix)
    with ExitStack() as end:
        walker = Walker(tmp_path, end)
        yield walker
        walker.leave()


@pytest.mark.timeout(300)
def test_a_newcomer_can_follow_it(walker: Walker) -> None:
    assert "pip install" in INSTALLING[2]
    for kind, where, text in BLOCKS:
        walker.follow(kind, where, text)


@pytest.mark.parametrize(
    ("shown", "wanted", "fits"),
    [
        ("a  b\nmore\nc 1 d\n", "a b\nc … d\n", True),
        ("c 1 d\na b\n", "a b\nc … d\n", False),
        ("a b!\n", "a b\n", False),
    ],
)
def test_what_is_shown_must_fit(shown: str, wanted: str, *, fits: bool) -> None:
    assert _shows(shown, wanted) is fits


def _shows(shown: str, wanted: str) -> bool:
    """Tell whether the lines *wanted* are in *shown*, in their order; an elision is anything."""
    lines = iter([" ".join(line.split()) for line in shown.splitlines()])
    patterns = [
        ".*".join(re.escape(" ".join(part.split())) for part in line.split(ELISION))
        for line in wanted.splitlines()
    ]
    return all(any(re.fullmatch(pattern, line) for line in lines) for pattern in patterns)
