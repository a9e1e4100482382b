"""End of a process that serves: in order, at whatever moment it is asked to."""

import asyncio
import logging
import os
import signal
from functools import partial
from types import FrameType

import uvicorn

from relay.service.api.core.refusal import CutOffError


def end_on_signals(server: uvicorn.Server) -> None:
    """Have SIGTERM and SIGINT end this process with 0, also before *server* runs."""
    log_no_cut_off_answers()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, partial(_end, server))


def log_no_cut_off_answers() -> None:
    """Log no tracebacks of answers that were cut off: what there is to say is said before."""
    logging.getLogger("uvicorn.error").addFilter(_is_no_cut_off_answer)


def _is_no_cut_off_answer(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError | CutOffError)


def _end(server: uvicorn.Server, _number: int, _frame: FrameType | None) -> None:
    """End a process that does not serve yet.

    Uvicorn, which takes the signals then, raises the one that stopped it once more at its end.
    """
    if not server.should_exit:
        os._exit(0)
