"""Types of an event's fields, judged when the class is defined: does JSON know their values?"""

from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Annotated, Any, Final, get_args
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, PlainSerializer, TypeAdapter, WrapSerializer
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from relay.formats.keys import OWNERS

_BASE_TYPES: Final[Mapping[str, tuple[frozenset[Any], str]]] = {
    **dict.fromkeys(OWNERS, (frozenset({UUID, NoneType}), "UUID or UUID | None")),
    "request_id": (frozenset({str, NoneType}), "str or str | None"),
    "event_time": (frozenset({AwareDatetime}), "AwareDatetime"),
}
_KNOWN_FORMATS: Final = frozenset({"date", "date-time", "password", "uuid"})
"""Formats of texts that `relay.jsontext` writes; other values come out of a model as they are."""

_NO_TEXTS: Final = frozenset({"bool", "date", "datetime", "decimal", "float", "int", "uuid"})


class _AsPublished(GenerateJsonSchema):
    """JSON schema of what a model gives to `relay.jsontext`."""

    def ser_schema(self, schema: Any) -> JsonSchemaValue | None:  # noqa: ANN401 - as pydantic has it
        found = super().ser_schema(schema)
        # A serializer without a return type may return anything; emit() will see.
        unknown = found is None and str(schema["type"]).startswith("function")
        return {} if unknown else found

    def complex_schema(self, schema: core_schema.ComplexSchema) -> JsonSchemaValue:
        return self.handle_invalid_for_json_schema(schema, "complex")

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        if schema.get("keys_schema", {}).get("type") in _NO_TEXTS:
            return self.handle_invalid_for_json_schema(schema, "a key that is no text")
        return super().dict_schema(schema)


def base_field_faults(fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    """Yield what is wrong with *fields* that every event has, where a class declares them again."""
    for name, (types, wanted) in _BASE_TYPES.items():
        annotation = fields[name].annotation
        if not set(get_args(annotation) or (annotation,)) <= types:
            yield f"the field {name} is every event's own; its type must be {wanted}"


def type_faults(event: type[BaseModel]) -> Iterator[str]:
    """Yield what is wrong with the types of the fields of *event*, with what to do."""
    serializers = event.__pydantic_decorators__.field_serializers.values()
    own = {name for serializer in serializers for name in serializer.info.fields}
    for name, field in event.model_fields.items():
        if name not in _BASE_TYPES and name not in own and not _is_known(field):
            annotation = field.annotation
            kind = annotation.__name__ if type(annotation) is type else annotation
            yield (
                f"the field {name} is of type {kind}, whose values JSON does not know; "
                "declare what is published of it, such as str"
            )


def _is_known(field: FieldInfo) -> bool:
    if any(isinstance(found, PlainSerializer | WrapSerializer) for found in field.metadata):
        return True
    kind: Any = Annotated[(field.annotation, *field.metadata, None)]
    try:
        found = TypeAdapter(kind).json_schema(mode="serialization", schema_generator=_AsPublished)
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        return False
    return _formats(found) <= _KNOWN_FORMATS


def _formats(schema: object) -> set[str]:
    match schema:
        case Mapping():
            own = schema.get("format")
            found = {own} if isinstance(own, str) else set[str]()
            return found.union(*map(_formats, schema.values()))
        case list():
            return set[str]().union(*map(_formats, schema))
        case _:
            return set()
