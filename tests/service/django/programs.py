"""Programs of Django services, as forks of one process that has imported what they import.

`python -m tests.service.django.programs` prints its address, and runs each that is sent there.
Tests don't import this: in their own process nobody uses Django.
"""

import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection, Listener

from django import test
from django.db import models
from django.db.backends.postgresql import base

from relay import Outbox
from relay.service.django import kind

# What programs import; imported here before it is used.
IMPORTED = (Outbox, base, kind, models, test)


def serve() -> None:
    """Run programs until this process is ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with Listener() as listener:
        sys.stdout.write(f"{listener.address}\n")
        sys.stdout.flush()
        while True:
            with listener.accept() as connection:
                if os.fork() == 0:
                    _execute(connection)


def _execute(connection: Connection) -> None:
    directory, environment, text = connection.recv()
    os.chdir(directory)
    os.environ |= environment
    sys.path.insert(0, directory)
    said = ""
    try:
        exec(compile(text, "<program>", "exec"), {"__name__": "__main__"})  # noqa: S102
    except BaseException:  # noqa: BLE001 - told to whoever sent it
        said = traceback.format_exc()
    connection.send(said)
    os._exit(0)


if __name__ == "__main__":
    serve()
