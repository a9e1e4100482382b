import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal, TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

LogFormat = Literal["auto", "json", "text"]

HANDLER_NAME = "relay"
PACKAGE = "relay"
KAFKA_CLIENT = "librdkafka"
# It adds what went wrong while it cleaned up after an error that it raises.
POSTGRES_CLIENT = "psycopg"

_JSON_NAMES = {
    "asctime": "timestamp",
    "levelname": "level",
    "name": "logger",
    "exc_info": "exception",
    "stack_info": "stack",
}
_OWN_ATTRIBUTES = {*RESERVED_ATTRS, "message", "asctime", "color_message"}


def configure(
    level: str = "info", log_format: LogFormat = "auto", stream: TextIO | None = None
) -> None:
    """Send the log of this process to *stream*, which is standard error where none is given.

    *log_format*: "json" writes one object a line with timestamp (RFC 3339, UTC), level, logger,
    message, exception where there is one, and the record's extras; "text" writes readable lines;
    "auto" is "text" on a terminal, else "json". *level* holds for our own loggers; other
    libraries are heard from warnings on, the clients at level debug alone. Replaces what an
    earlier call set up, and nothing else.
    """
    stream = stream or sys.stderr
    readable = log_format == "text" or (log_format == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.set_name(HANDLER_NAME)
    handler.setFormatter(_Text() if readable else _Json())
    root = logging.getLogger()
    for earlier in [old for old in root.handlers if old.get_name() == HANDLER_NAME]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    own = logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(max(own, logging.WARNING))
    logging.getLogger(PACKAGE).setLevel(own)
    # It repeats each failed connection many times over, and calls fatal what the relay gets over:
    # users are warned once an attempt, by those who know what follows.
    quiet = own > logging.DEBUG
    for client in (KAFKA_CLIENT, POSTGRES_CLIENT):
        logging.getLogger(client).setLevel(logging.CRITICAL + 1 if quiet else logging.DEBUG)
    logging.captureWarnings(capture=True)


def warn(warnings: Iterable[str]) -> None:
    """Log what is not wrong enough to keep this process from starting."""
    for warning in warnings:
        logging.getLogger(PACKAGE).warning("%s", warning)


def _rfc3339(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Json(JsonFormatter):
    def __init__(self) -> None:
        super().__init__(
            ["asctime", "levelname", "name", "message"],
            rename_fields=_JSON_NAMES,
        )

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        return _rfc3339(record)


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s%(extras)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        return _rfc3339(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        fields = record.__dict__
        extras = [f" {name}={fields[name]}" for name in fields if name not in _OWN_ATTRIBUTES]
        # A copy, or the text would show up as one more extra in somebody else's handler.
        return super().formatMessage(logging.makeLogRecord({**fields, "extras": "".join(extras)}))
