"""A group of settings: fields that are read from the environment, or from files it names."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)


class SettingsGroup(BaseSettings):
    """Fields with one prefix; a field's variable is its name in capitals behind that."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Look into the environment first, then into the files that it names."""
        return init_settings, EnvSettingsSource(settings_cls), _Files(settings_cls)

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the environment variable of *field*."""
        return f"{cls.model_config.get('env_prefix', '')}{field}".upper()

    def faults(self) -> Iterator[str]:
        """Yield what cannot work although each value by itself is valid."""
        yield from ()


class _Files(PydanticBaseSettingsSource):
    """Values that come as files: ``KAFKA_CLIENT_SECRET_FILE=/run/secrets/kafka``."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        path = os.environ.get(f"{self.config.get('env_prefix', '')}{field_name}_FILE".upper())
        return (Path(path).read_text().strip() if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields.items()
        found = {name: self.get_field_value(field, name)[0] for name, field in fields}
        return {name: value for name, value in found.items() if value is not None}


Group = TypeVar("Group", bound=SettingsGroup)


def read(group: type[Group], faults: list[str], *, check: bool = False) -> Group:
    """Read *group* from the environment and add what is wrong with it to *faults*.

    *check*: also add what cannot work although each value by itself is valid.
    """
    found = _valid(group, faults)
    faults.extend(found.faults() if check else ())
    return found


def _valid(group: type[Group], faults: list[str]) -> Group:
    try:
        return group()
    except ValidationError as error:
        invalid = {str(fault["loc"][0]): fault["msg"] for fault in error.errors()}
        faults.extend(f"{group.variable(field)}: {message}" for field, message in invalid.items())
        # With the invalid ones at their defaults, what is wrong with the others shows as well.
        return group.model_validate({name: group.model_fields[name].default for name in invalid})
    except OSError as error:
        faults.append(f"{error.filename}: {error.strerror} (named by a variable ending in _FILE)")
        return cast("Group", group.model_construct())
