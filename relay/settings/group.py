"""A group of settings: fields that are read from the environment, or from files it names."""

from collections.abc import Iterator
from typing import Any, TypeVar, get_args

from pydantic import ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from relay.settings.environment import Unreadable, value_of
from relay.settings.numbers import number_fault, whole_number_fault


class SettingsGroup(BaseSettings):
    """Fields with one prefix; a field's variable is its name in capitals behind that."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Look into the environment, and into the files that it names."""
        return init_settings, _Environment(settings_cls)

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the environment variable of *field*."""
        return f"{cls.model_config.get('env_prefix', '')}{field}".upper()

    def faults(self) -> Iterator[str]:
        """Yield what cannot work although each value by itself is valid."""
        yield from ()

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: object, info: ValidationInfo) -> object:
        """Refuse what could not be read, and numbers that another program would read otherwise."""
        if isinstance(value, Unreadable):
            raise ValueError(value.reason)  # noqa: TRY004 - pydantic's
        if isinstance(value, str) and info.field_name:
            annotation = cls.model_fields[info.field_name].annotation
            kinds = {annotation, *get_args(annotation)}
            judge = {int: whole_number_fault, float: number_fault}
            faults = [judge[kind](value) for kind in (int, float) if kind in kinds]
            if fault := next(filter(None, faults), None):
                raise ValueError(fault)
        return value


class _Environment(PydanticBaseSettingsSource):
    """Values that the environment has for each field: texts, which the fields' own types read."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        prefix = self.config.get("env_prefix", "")
        return value_of(f"{prefix}{field_name}".upper()), field_name, False

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
        # The first of each: of a list whose items are wrong pydantic also says that it has none.
        found = reversed(error.errors())
        invalid = {str(fault["loc"][0]): _said(fault) for fault in found}
        said = [f"{group.variable(field)}: {message}" for field, message in invalid.items()]
        faults.extend(reversed(said))
        # With the invalid ones at their defaults, what is wrong with the others shows as well.
        return group.model_validate({name: group.model_fields[name].default for name in invalid})


def _said(fault: ErrorDetails) -> str:
    """Return our own words without pydantic's before them; else pydantic's."""
    if fault["type"] == "bool_parsing":
        return "write true or false"
    ours = fault.get("ctx", {}).get("error")
    return str(ours) if isinstance(ours, ValueError) else fault["msg"]
