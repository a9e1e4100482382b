import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from relay import logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    loggers = [root, *map(logging.getLogger, (logs.PACKAGE, logs.KAFKA_CLIENT))]
    handlers, levels = list(root.handlers), [logger.level for logger in loggers]
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_has_one_object_a_line_with_the_extras() -> None:
    logs.configure("info", "json", stream := io.StringIO())
    logging.getLogger("relay.x").warning("broker %s\nis down", 1, extra={"worker": 2})
    (line,) = lines(stream)
    moment = datetime.fromisoformat(line.pop("timestamp"))
    assert moment.utcoffset() == timedelta(0)
    assert line == {
        "level": "WARNING",
        "logger": "relay.x",
        "message": "broker 1\nis down",
        "worker": 2,
    }


def test_json_keeps_an_exception_in_its_line() -> None:
    logs.configure("info", "json", stream := io.StringIO())
    try:
        int("no such thing")
    except ValueError:
        logging.getLogger("relay").exception("failed")
    (line,) = lines(stream)
    assert line["exception"].rpartition("\n")[2].startswith("ValueError: ")


def test_json_survives_what_json_does_not_know() -> None:
    logs.configure("info", "json", stream := io.StringIO())
    logging.getLogger("relay").info("odd", extra={"value": object(), "half": "\ud800"})
    assert lines(stream)[0]["message"] == "odd"


def test_text_shows_the_extras() -> None:
    logs.configure("info", "text", stream := io.StringIO())
    logging.getLogger("relay.x").info("ready", extra={"worker": 2})
    assert stream.getvalue().endswith("INFO    relay.x: ready worker=2\n")


@pytest.mark.parametrize(("stream", "is_json"), [(Terminal(), False), (io.StringIO(), True)])
def test_auto_is_text_on_a_terminal(stream: io.StringIO, is_json: bool) -> None:  # noqa: FBT001
    logs.configure("info", "auto", stream)
    logging.getLogger("relay").info("ready")
    assert stream.getvalue().startswith("{") is is_json


def test_the_level_is_ours_and_other_libraries_are_heard_from_warnings_on() -> None:
    logs.configure("debug", "json", stream := io.StringIO())
    logging.getLogger("relay").debug("ours")
    logging.getLogger("elsewhere").info("theirs")
    logging.getLogger("elsewhere").warning("theirs, and it matters")
    assert [line["message"] for line in lines(stream)] == ["ours", "theirs, and it matters"]


def test_errors_alone_silence_everybodys_warnings() -> None:
    logs.configure("error", "json", stream := io.StringIO())
    logging.getLogger("relay").warning("ours")
    logging.getLogger("elsewhere").warning("theirs")
    assert stream.getvalue() == ""


def test_a_second_call_replaces_the_first() -> None:
    logs.configure("info", "json", first := io.StringIO())
    logs.configure("info", "json", second := io.StringIO())
    logging.getLogger("relay").info("once")
    assert first.getvalue() == ""
    assert len(lines(second)) == 1


@pytest.mark.parametrize("client", [logs.KAFKA_CLIENT, logs.POSTGRES_CLIENT])
@pytest.mark.parametrize(("level", "heard"), [("info", False), ("debug", True)])
def test_clients_are_heard_at_level_debug_alone(level: str, heard: bool, client: str) -> None:  # noqa: FBT001
    stream = io.StringIO()
    logs.configure(level, "json", stream)
    logging.getLogger(client).critical("FATAL")
    assert bool(lines(stream)) is heard
