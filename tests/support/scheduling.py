"""Which worker runs which test, and when: the longest first, and together what shares a server."""

from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

# Folders and modules whose tests share a broker, a browser or a database of many rows: one worker
# each, or every worker would make its own.
# (loadgroup of pytest-xdist 3.8 does nothing under pytest 9.2.)
TOGETHER: Final = (
    "tests/faults/kafka/",
    "tests/faults/security/",
    "tests/console/test_browser.py",
    "tests/package/",
    "tests/service/api/core/test_plans.py",
    "tests/demo/test_embedded_postgres.py",
    "tests/deployment/test_image.py",
    "tests/operations/test_plans.py",
)
# Tests with these take seconds, most others less than one.
PROCESSES: Final = {"kafka", "make_broker", "run_relay", "run_service", "sabotaged", "walker"}


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out tests one by one, and those of `TOGETHER` as one."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid) or nodeid


def together(nodeid: str) -> str | None:
    """The folder or module with which a test is run, None where it is run alone."""
    return next((shared for shared in TOGETHER if nodeid.startswith(shared)), None)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:  # noqa: ANN401
    """Let this module distribute the tests."""
    # It would begin with the scope of the most tests.
    config.option.loadscopereorder = False
    return Scheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what starts processes, before `-m` selects; put what takes long first, in a worker."""
    for item in items:
        if PROCESSES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.processes)
    if hasattr(config, "workerinput"):
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    shared = together(item.nodeid)
    if shared is not None:
        return TOGETHER.index(shared)
    long = any(item.get_closest_marker(name) for name in ("early", "processes"))
    return len(TOGETHER) + (0 if long else 1)
