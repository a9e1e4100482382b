import os

import pytest

from relay.settings import GROUPS

PREFIXES = ("RELAY_", "EVENT_", "OUTBOX_", "KAFKA_", "DB_", "ENABLE_EVENT_")


@pytest.fixture(autouse=True)
def _nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what this session's own environment sets of ours."""
    known = {group.variable(field) for group in GROUPS for field in group.model_fields}
    for name in list(os.environ):
        if name in known or name.startswith(PREFIXES):
            monkeypatch.delenv(name)
