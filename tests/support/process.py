"""Real processes under test, watched by what they print."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

import psutil

from relay.__main__ import main as relay
from tests.support.eventually import eventually
from tests.support.forking import Fork
from tests.support.load import stretched

LogEntry = dict[str, Any]

RELAY = Path(sys.executable).with_name("relay")
END_SECONDS = 10.0
# Nothing else of the developer's own environment may reach the process.
INHERITED_NAMES = ("PATH", "HOME", "TMPDIR", "LANG")


class ProcessUnderTest:
    """A running command; its output is collected while it runs, as lines and as JSON log entries.

    `environment` is all that the process gets beside PATH and HOME.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        program: Callable[[], None] | None = None,
    ) -> None:
        """Start *command*; where *program* is what it runs, as a fork that has imported it."""
        inherited = {name: os.environ[name] for name in INHERITED_NAMES if name in os.environ}
        given = inherited | {"PYTHONUNBUFFERED": "1"} | dict(environment)
        self.command = list(command)
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self.logs: list[LogEntry] = []
        self._news = threading.Condition()
        self._process = Fork(program, command, given) if program else _spawned(command, given)
        self._readers = [
            self._read(self._process.stdout, self.stdout),
            self._read(self._process.stderr, self.stderr),
        ]

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """All it has printed so far, standard output first."""
        return "\n".join([*self.stdout, *self.stderr])

    def wait_for_log(
        self, wanted: str | Callable[[LogEntry], bool], *, timeout: float = 60.0, after: int = 0
    ) -> LogEntry:
        """The first JSON log entry that is `wanted`: a part of its message, or a predicate.

        `after` leaves out so many entries from the first; `len(process.logs)` means "from now".

        Raises:
            AssertionError: none came within `timeout` seconds (more on a busy machine), or before
                the process ended.
        """
        matches = _message_contains(wanted) if isinstance(wanted, str) else wanted
        begun = time.monotonic()
        with self._news:
            while True:
                for entry in self.logs[after:]:
                    if matches(entry):
                        return entry
                after = max(after, len(self.logs))
                left = begun + stretched(timeout) - time.monotonic()
                reading = any(reader.is_alive() for reader in self._readers)
                assert left > 0, f"no such log entry within {timeout:g} s: {self._story(wanted)}"
                assert reading, f"ended without such a log entry: {self._story(wanted)}"
                self._news.wait(min(left, 0.2))

    def wait_until_frozen(self, timeout: float = 20.0) -> None:
        """Wait until it has been stopped by SIGSTOP.

        Raises:
            AssertionError: it was not within `timeout` seconds.
        """
        process = psutil.Process(self.pid)
        eventually(lambda: process.status() == psutil.STATUS_STOPPED, timeout=timeout)

    def send_signal(self, what: signal.Signals) -> None:
        """Send a signal: SIGTERM drains, SIGSTOP freezes, SIGCONT thaws, SIGKILL kills."""
        self._process.send_signal(what)

    def wait(self, timeout: float = 30.0) -> int:
        """Wait for its end; the exit code, negative for the signal that ended it.

        Raises:
            AssertionError: it still runs after `timeout` seconds.
        """
        try:
            code = self._process.wait(stretched(timeout))
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"still running after {timeout:g} s: {self._story()}") from error
        for reader in self._readers:
            reader.join(END_SECONDS)
        return code

    def finish(self, timeout: float = 60.0) -> "Finished":
        """Wait for its end; exit code, standard output and standard error.

        Raises:
            AssertionError: it still runs after `timeout` seconds.
        """
        code = self.wait(timeout)
        return Finished(code, "\n".join(self.stdout), "\n".join(self.stderr))

    def terminate(self, timeout: float = 30.0) -> int:
        """Ask it to end (SIGTERM) and wait; the exit code."""
        self.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self) -> None:
        """End it at once, as kill -9 does."""
        self.send_signal(signal.SIGKILL)
        self.wait()

    def close(self) -> None:
        """End it and what it started, frozen or not, and forget it. May be called again."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        for reader in self._readers:
            reader.join(END_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, stream: IO[str] | None, lines: list[str]) -> threading.Thread:
        assert stream is not None

        def collect() -> None:
            with stream:
                for raw in stream:
                    line = raw.rstrip("\n")
                    entry = _log_entry(line)
                    with self._news:
                        lines.append(line)
                        if entry is not None:
                            self.logs.append(entry)
                        self._news.notify_all()

        reader = threading.Thread(target=collect, daemon=True)
        reader.start()
        return reader

    def _story(self, wanted: object = "") -> str:
        tail = "\n".join([*self.stdout[-20:], *self.stderr[-30:]])
        return f"{wanted!r}\n{' '.join(self.command)} printed:\n{tail}"


class Finished(NamedTuple):
    """A command that has ended: its exit code and what it printed."""

    code: int
    stdout: str
    stderr: str


RunRelay = Callable[..., ProcessUnderTest]
"""Starts `relay ...`: `run_relay("status", environment={...})`."""


def relay_process(*arguments: str, environment: Mapping[str, str]) -> ProcessUnderTest:
    """Start `relay ...`. Several workers of the API are processes that start anew."""
    workers = "--workers" in arguments or "RELAY_API_WORKERS" in environment
    program = None if workers else relay
    return ProcessUnderTest(relay_command(*arguments), environment, program=program)


def finished(*arguments: str, environment: Mapping[str, str]) -> Finished:
    """Run `relay ...` to its end."""
    with relay_process(*arguments, environment=environment) as process:
        return process.finish()


def relay_command(*arguments: str) -> list[str]:
    """The installed console script, as a user calls it."""
    return [str(RELAY), *arguments]


def _spawned(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def _log_entry(line: str) -> LogEntry | None:
    if not line.startswith("{"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _message_contains(part: str) -> Callable[[LogEntry], bool]:
    return lambda entry: part in str(entry.get("message", ""))
