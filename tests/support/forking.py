"""Python programs as forks of a process that has imported them already.

Its imports are most of what a command of ours costs, and nearly all tests of processes start
several. A fork is a process as any other, with its own environment, output, signals and end; what
a program does while it is imported is for tests that start the executable.
"""

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from io import FileIO, TextIOWrapper
from multiprocessing.connection import Connection
from typing import IO, Final

# Each of them as far as possible: what a command imports by itself comes with these.
_PRELOADED: Final = [
    "__main__",
    "relay.__main__",
    "relay.cli.app",
    "relay.cli.changing",
    "relay.cli.diagnosis",
    "relay.cli.printout.status",
    "relay.daemon.lifecycle",
    "relay.console.server",
    "relay.service.api.serving.server",
    "tests.support.sabotage",
    # For what a command prints: tables, and how it is used.
    "encodings.idna",
    "rich.table",
    "typer.rich_utils",
]
_CONTEXT: Final = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(_PRELOADED)


class Fork:
    """A started program, with those members of `subprocess.Popen` that tests need."""

    def __init__(
        self, program: Callable[[], None], command: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        out, child_out = _CONTEXT.Pipe(duplex=False)
        err, child_err = _CONTEXT.Pipe(duplex=False)
        begun, child_begun = _CONTEXT.Pipe(duplex=False)
        pipes = (child_out, child_err, child_begun)
        self._process = _CONTEXT.Process(
            target=_run,
            args=(program, list(command), dict(environment), *pipes),
            # Ended with the tests, should one of them leave it behind.
            daemon=True,
        )
        self._process.start()
        for pipe in pipes:
            pipe.close()
        with begun:
            begun.recv()
        assert self._process.pid is not None
        self.args = list(command)
        self.pid: int = self._process.pid
        self.stdout, self.stderr = _lines(out), _lines(err)

    def poll(self) -> int | None:
        """Return its exit code, negative for the signal that ended it; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs after *timeout* seconds.
        """
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)


def _lines(pipe: Connection) -> IO[str]:
    with pipe:
        return os.fdopen(os.dup(pipe.fileno()), errors="replace")


def _run(
    program: Callable[[], None],
    command: list[str],
    environment: dict[str, str],
    out: Connection,
    err: Connection,
    begun: Connection,
) -> None:
    """Become what `subprocess.Popen(command, env=environment, …)` would have started."""
    os.setsid()
    # From here on it can be ended with its group.
    begun.send(None)
    begun.close()
    with open(os.devnull) as nothing:  # noqa: PTH123 - a descriptor, not a path's content
        os.dup2(nothing.fileno(), 0)
    for pipe, number in ((out, 1), (err, 2)):
        os.dup2(pipe.fileno(), number)
        pipe.close()
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    if added := environment.get("PYTHONPATH"):
        sys.path[:0] = added.split(os.pathsep)
    sys.argv = command
    sys.stdout = _unbuffered(1, "strict")
    sys.stderr = _unbuffered(2, "backslashreplace")
    program()


def _unbuffered(descriptor: int, errors: str) -> TextIOWrapper:
    raw = FileIO(descriptor, "w", closefd=False)
    return TextIOWrapper(raw, encoding="utf-8", errors=errors, write_through=True)
