"""Programs that no wheel brings: without one its tests skip and say so, and in CI they fail."""

import os
import shutil
from typing import NoReturn

import pytest


def everything_is_required() -> bool:
    """Whether nothing may be skipped for want of a program."""
    return any(os.environ.get(name) in {"1", "true"} for name in ("TEST_REQUIRE_ALL", "CI"))


def lacking(reason: str) -> NoReturn:
    """End the test: as a failure where everything is required, else as a skip."""
    if everything_is_required():
        pytest.fail(f"Nothing may be missing here: {reason}", pytrace=False)
    pytest.skip(reason)


def find_program(name: str) -> str | None:
    """Return the path of a program, None where it is not installed."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")


def program(name: str, *, package: str) -> str:
    """Return the path of a program, which Debian has in *package*."""
    found = find_program(name)
    if found is None:
        lacking(f"{name} is not installed: apt-get install {package}")
    return found


def promtool() -> str:
    """Return the path of the program that judges rules and queries of Prometheus."""
    return program("promtool", package="prometheus")
