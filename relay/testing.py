"""Fixtures of pytest for the tests of a service; pytest finds them by itself. docs/testing.md."""

from collections.abc import Iterator

import pytest

from relay.service.capture import Captured, captured

__all__ = ["outbox_messages"]


@pytest.fixture
def outbox_messages() -> Iterator[list[Captured]]:
    """Messages that the test's code writes to the outbox, in the order of their publication."""
    with captured() as messages:
        yield messages
