"""The two files about the settings in docs/, written from them: `make settings-docs`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from deploy.chart import REPOSITORY
from relay.settings import GROUPS, PROPERTY_PREFIX
from relay.settings.environment import FILE_SUFFIX
from relay.settings.group import SettingsGroup

PAGE: Final = REPOSITORY / "docs" / "configuration.md"
SCHEMA: Final = REPOSITORY / "docs" / "settings.schema.json"

_HEAD: Final = f"""# Configuration

For whoever deploys a service or a relay: every variable, its default and its meaning. The page is
written from the settings by `make settings-docs`, and so is
[settings.schema.json](settings.schema.json), for tools that check environments.

- `relay check` names every fault at once. A variable that looks like ours and is not is a warning,
  with the nearest known name. What a process does not use is not judged.
- An empty variable counts as not set.
- Each variable of a table below may be given as a file instead, by `{FILE_SUFFIX}` behind its name:
  `KAFKA_CLIENT_SECRET{FILE_SUFFIX}=/run/secrets/kafka`.
- Whole numbers are written in digits alone: not `1.048576e+06`, `5s` or `10_000`.
- Variables that Kubernetes makes for Services (`DB_PORT=tcp://10.0.0.7:5432`) are ignored.

Any property of librdkafka can be passed through: `{PROPERTY_PREFIX}SSL_CA_LOCATION` is
`ssl.ca.location`. Those that order and delivery rest on are refused, and so is every value that
librdkafka would read only in part.
"""


def documents() -> dict[Path, str]:
    """Return each file with its text."""
    page = "\n".join([_HEAD, *(line for group in GROUPS for line in _section(group))])
    return {PAGE: page, SCHEMA: json.dumps(_schema(), indent=2) + "\n"}


def _section(group: type[SettingsGroup]) -> Iterator[str]:
    yield f"## {group.__name__.removesuffix('Settings')}\n"
    yield f"{group.__doc__}\n"
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    for name, field in group.model_fields.items():
        yield f"| `{group.variable(name)}` | {_default(field)} | {_meaning(field)} |"
    yield ""


def _default(field: FieldInfo) -> str:
    if field.default is None:
        return ""
    shown = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
    return f"`{shown}`"


def _meaning(field: FieldInfo) -> str:
    choices = [
        str(choice)
        for part in (field.annotation, *get_args(field.annotation))
        if get_origin(part) is Literal
        for choice in get_args(part)
    ]
    meaning = str(field.description).replace("|", r"\|")
    named = all(choice in meaning for choice in choices)
    return meaning if named else f"{meaning} ({', '.join(choices)})"


def _schema() -> dict[str, Any]:
    """Return a JSON Schema of the environment as an object, each value in its own type."""
    variables = {
        group.variable(name): _value(group, name) for group in GROUPS for name in group.model_fields
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of outbox-relay, by environment variable",
        "type": "object",
        "properties": variables,
        "patternProperties": {
            f"^{PROPERTY_PREFIX}[A-Z0-9_]+$": {
                "description": "property of librdkafka, in capitals with _ for each dot",
                "type": ["string", "integer", "number", "boolean"],
            },
            f"^({'|'.join(variables)}){FILE_SUFFIX}$": {
                "description": "file with the value",
                "type": "string",
            },
        },
    }


def _value(group: type[SettingsGroup], name: str) -> dict[str, Any]:
    """Return the schema of one variable, in one piece; null is said by leaving it out."""
    whole = group.model_json_schema()
    given = whole["properties"][name]
    found: dict[str, Any] = {"description": given["description"]}
    for part in (*given.pop("anyOf", ()), given):
        if part.get("type") != "null":
            _, _, reference = part.pop("$ref", "").rpartition("/")
            found |= {**whole.get("$defs", {}).get(reference, {}), **part}
    found["description"] = given["description"]
    field = group.model_fields[name]
    if SecretStr in {field.annotation, *get_args(field.annotation)}:
        found |= {"format": "password", "writeOnly": True}
    nothing = {"title": found.get("title"), "default": None}
    return {
        key: value for key, value in found.items() if key not in nothing or value != nothing[key]
    }


def main() -> None:
    """Write the files."""
    for path, text in documents().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
