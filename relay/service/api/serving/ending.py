"""End of a process that serves: in order, at whatever moment it is asked to."""

import asyncio
import logging
import os
import signal
from functools import partial
from types import FrameType

import uvicorn


def end_on_signals(server: uvicorn.Server) -> None:
    """Have SIGTERM and SIGINT end this process with 0, also before *server* runs."""
    log_no_cancelled_requests()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, partial(_end, server))


def log_no_cancelled_requests() -> None:
    """Log no tracebacks of requests that the end cut off: how many they are is said before."""
    logging.getLogger("uvicorn.error").addFilter(_is_no_cancelled_request)


def _is_no_cancelled_request(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def _end(server: uvicorn.Server, _number: int, _frame: FrameType | None) -> None:
    """End a process that does not serve yet.

    Uvicorn, which takes the signals then, raises the one that stopped it once more at its end.
    """
    if not server.should_exit:
        os._exit(0)
