"""The demo's end, put off: servers, a relay and the console run on until Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from rich.console import Console

from relay.demo.ports import LOOPBACK, free_port
from relay.demo.stage import Stage
from relay.errors import RelayError

_CONSOLE_SECONDS: Final = 20
_DISPLAYS: Final = ("DISPLAY", "WAYLAND_DISPLAY")


class ConsoleStartError(RelayError):
    """The console did not start; it has printed why."""


def keep_running(
    terminal: Console, what: str, environment: Mapping[str, str], *examples: str
) -> None:
    """Say how to reach *what*, in lines that a shell can read, and wait for the end."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    for line in (
        f"# {what}, running until Ctrl-C. In each other terminal:",
        *(f"export {name}={value}" for name, value in environment.items()),
        *examples,
    ):
        terminal.print(line, markup=False, highlight=False, soft_wrap=True)
    ended.wait()


@contextmanager
def serve_console(stage: Stage, terminal: Console) -> Iterator[None]:
    """Serve the console, with a service that goes on writing; open it where there is a browser."""
    port = free_port()
    environment = {
        **os.environ,
        **stage.environment,
        "RELAY_CONSOLE_HOST": LOOPBACK,
        "RELAY_CONSOLE_PORT": str(port),
        "RELAY_CONSOLE_ACTIONS": "true",
        "RELAY_LOG_LEVEL": "error",
    }
    commands = (["relay", "console"], ["relay.demo.service"])
    processes = [
        subprocess.Popen([sys.executable, "-m", *command], env=environment) for command in commands
    ]
    try:
        stage.until(lambda: _answers(port) or processes[0].poll() is not None)
        if processes[0].poll() is not None:
            raise ConsoleStartError("The console did not start; the reason is above.")
        url = f"http://{LOOPBACK}:{port}"
        terminal.print(f"# The console: {url}", markup=False, highlight=False)
        if terminal.is_terminal and (sys.platform == "darwin" or os.environ.keys() & _DISPLAYS):
            webbrowser.open(url)
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
