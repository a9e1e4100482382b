"""The example of docs/asyncpg.md, run as it stands there."""

import re
import uuid
from typing import Any

import pytest

from tests.support.postgres import Database
from tests.support.repository import ROOT
from tests.support.service import Stored

PAGE = (ROOT / "docs" / "asyncpg.md").read_text(encoding="utf-8")


async def test_the_example_renames_a_host_and_tells_of_it(
    service_database: Database,
    cluster: uuid.UUID,
    host: uuid.UUID,
    stored: Stored,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", service_database.dsn)
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    program: dict[str, Any] = {"__name__": "example"}
    exec(example, program)  # noqa: S102 - our own page
    await program["main"](host, cluster)
    (row,) = stored.outbox()
    assert row["payload"]["message"] == "Host host is now called node-1"
    assert row["key"] == str(cluster)
