"""End of a process that serves: in order, at whatever moment it is asked to."""

import os
import signal
from functools import partial
from types import FrameType

import uvicorn


def end_on_signals(server: uvicorn.Server) -> None:
    """Have SIGTERM and SIGINT end this process with 0, also before *server* runs."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, partial(_end, server))


def _end(server: uvicorn.Server, _number: int, _frame: FrameType | None) -> None:
    """End a process that does not serve yet.

    Uvicorn, which takes the signals then, raises the one that stopped it once more at its end.
    """
    if not server.should_exit:
        os._exit(0)
