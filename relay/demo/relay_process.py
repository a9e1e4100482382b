"""A relay of the demo: the real command, in a process that can be killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from relay.errors import RelayError

_LOG_LINES: Final = 10

RelayState = Literal["running", "killed", "stopped"]


class RelayEndedError(RelayError):
    """The relay process ended although nobody asked it to."""


class RelayProcess:
    """`relay run` with *environment*; its log goes to a file in *folder*."""

    def __init__(self, number: int, environment: Mapping[str, str], folder: Path) -> None:
        self.name = f"relay {number}"
        self.state: RelayState = "running"
        self._log = folder / f"relay-{number}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "relay", "run"],
                env={
                    **os.environ,
                    "RELAY_METRICS_HOST": "127.0.0.1",
                    "RELAY_METRICS_PORT": "0",
                    "RELAY_LOG_LEVEL": "warning",
                    **environment,
                },
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End it as a crash does: no goodbye to PostgreSQL or Kafka."""
        self.state = "killed"
        self._process.kill()
        self._process.wait()

    def begin_to_end(self) -> None:
        """Ask it to end in good order."""
        if self.state == "running":
            self.state = "stopped"
            self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """End it in good order. May be called again."""
        self.begin_to_end()
        self._process.wait()

    def check(self) -> None:
        """Do nothing while it does what it was asked to.

        Raises:
            RelayEndedError: it ended by itself; with the end of its log.
        """
        if self.state == "running" and (code := self._process.poll()) is not None:
            tail = self._log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
            raise RelayEndedError("\n".join([f"{self.name} ended with exit code {code}", *tail]))
