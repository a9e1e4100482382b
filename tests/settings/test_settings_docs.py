import json
from pathlib import Path
from typing import Any

import pytest

from deploy.settings_docs import PAGE, SCHEMA, documents
from relay.settings import GROUPS, RelaySettings


@pytest.mark.parametrize("path", [PAGE, SCHEMA], ids=lambda path: path.name)
def test_what_is_written_from_the_settings_is_fresh(path: Path) -> None:
    assert path.read_text() == documents()[path], "run `make settings-docs` and commit it"


def test_every_setting_is_there_with_its_default() -> None:
    text = PAGE.read_text()
    for name, field in RelaySettings.model_fields.items():
        assert f"| `{RelaySettings.variable(name)}` |" in text
        assert str(field.description) in text


def test_the_schema_has_every_variable_with_its_type() -> None:
    properties: dict[str, Any] = json.loads(SCHEMA.read_text())["properties"]
    variables = {group.variable(name) for group in GROUPS for name in group.model_fields}
    assert properties.keys() == variables
    assert all({"type", "description"} <= each.keys() for each in properties.values())
    assert properties["RELAY_LEASE_ROWS"]["type"] == "integer"
    assert properties["DATABASE_URL"]["writeOnly"] is True
