"""The consumer's recipe of docs/reliability.md, run as it is shipped."""

import itertools
import json
import re
import runpy
import uuid
from typing import Any

import pytest

from tests.support.postgres import Database
from tests.support.repository import ROOT

RECIPE = ROOT / "examples/consumer/once.py"
SNAPSHOTS = {"Host"}

Heard = tuple[dict[str, bytes], bytes]


def message(seq: int, name: str, **payload: object) -> Heard:
    headers = {"id": str(uuid.UUID(int=seq)).encode(), "seq": str(seq).encode()}
    return headers, json.dumps({"name": name, "payload": payload, "metadata": {}}).encode()


STREAM = [
    message(1, "Host", id="h", status="known"),
    message(3, "HostStatusUpdated", new="known"),
    message(4, "Host", id="h", status="installing"),
    # Another transaction of the same key, which locked nothing in common: a lower seq comes later.
    message(2, "HostValidationFailed", validation="ntp-synced"),
]


@pytest.fixture
def recipe() -> dict[str, Any]:
    return runpy.run_path(str(RECIPE))


@pytest.mark.parametrize("copies", list(itertools.permutations(range(4), 2)))
def test_copies_however_late_change_nothing(
    empty_database: Database, recipe: dict[str, Any], copies: tuple[int, int]
) -> None:
    with empty_database.connect() as connection:
        connection.execute(recipe["TABLES"])
        for headers, value in [*STREAM, *(STREAM[number] for number in copies)]:
            recipe["take"](connection, headers, value, SNAPSHOTS)
        happened = connection.execute("SELECT name FROM happened ORDER BY name").fetchall()
        states = connection.execute("SELECT object, seq, payload ->> 'status' FROM states")
        assert happened == [("HostStatusUpdated",), ("HostValidationFailed",)]
        assert states.fetchall() == [("h", 4, "installing")]


def test_what_the_documentation_quotes_is_what_is_shipped() -> None:
    text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    quoted = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert quoted
    assert all(code in RECIPE.read_text(encoding="utf-8") for code in quoted)
