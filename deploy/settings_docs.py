"""docs/configuration.md, written from the settings: `make settings-docs`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from deploy.chart import REPOSITORY
from relay.settings import PROPERTY_PREFIX
from relay.settings.group import SettingsGroup

PAGE: Final = REPOSITORY / "docs" / "configuration.md"

_HEAD: Final = f"""# Configuration

Everything comes from the environment; this page is written from the settings by
`make settings-docs`. Each variable may be given as a file instead, by `_FILE` behind its name:
`KAFKA_CLIENT_SECRET_FILE=/run/secrets/kafka`. `relay check` names every fault at once.

Any property of librdkafka can be passed through: `{PROPERTY_PREFIX}SSL_CA_LOCATION` is
`ssl.ca.location`. Those that order and delivery rest on are refused.
"""


def documents() -> dict[Path, str]:
    """Return each page with its text."""
    return {PAGE: "\n".join([_HEAD, *(line for each in _groups() for line in _section(each))])}


def _groups() -> list[type[SettingsGroup]]:
    """Return every group of the package, in the order of their names."""
    ours = [g for g in SettingsGroup.__subclasses__() if g.__module__.startswith("relay.")]
    return sorted(ours, key=lambda group: group.__name__.strip("_"))


def _section(group: type[SettingsGroup]) -> Iterator[str]:
    title = group.__name__.strip("_").removesuffix("Settings")
    yield f"## {title}\n"
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


def main() -> None:
    """Write the page."""
    for path, text in documents().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
