"""Each fault of an event class says what to do, when the class is defined."""

import gc
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address
from pathlib import Path
from types import new_class
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, HttpUrl, PlainSerializer, SecretStr, field_serializer

from relay import Event, Message, Severity
from relay.errors import EventDefinitionError
from relay.formats import format_of
from relay.service.composer import Composer
from relay.service.message import Overrides
from relay.service.redaction.redactor import Redactor
from relay.settings.preset import Preset


class Unknown:
    """A class of the service that JSON does not know."""


class Nested(BaseModel):
    where: Path


class Tree(BaseModel):
    below: "list[Tree]" = []


class Colour(Enum):
    RED = "red"


def define(fields: dict[str, Any], *, title: str = "Told", **options: Any) -> type[Event]:  # noqa: ANN401 - of any type
    body = {"__annotations__": fields, "__module__": __name__, **dict(options.pop("body", ()))}
    given = {"severity": Severity.INFO, "message": "Told", **options}
    return new_class(title, (Event,), given, lambda namespace: namespace.update(body))


@pytest.mark.parametrize(
    "kind",
    [
        *(bytes, Path, IPv4Address, timedelta, complex, HttpUrl, Exception, type, Unknown),
        *(list[Unknown], dict[str, Path], dict[int, str], Callable[[], int], Nested, list[Nested]),
        Unknown | None,
        re.Pattern[str],
    ],
)
def test_a_type_that_json_does_not_know_is_refused(kind: object) -> None:
    with pytest.raises(EventDefinitionError, match=r"Told: the field found is of type .*str$"):
        define({"found": kind})


@pytest.mark.parametrize(
    "kind",
    [
        *(str, int | None, Decimal, UUID, Colour, SecretStr, object, Any, set[int], Tree),
        *(Literal["a"], dict[str, list[UUID]], dict[Literal["a"], int]),
        Annotated[Path, PlainSerializer(str)],
        list[Annotated[bytes, PlainSerializer(lambda found: found.hex())]],
        Annotated[int, Field(gt=3)],
    ],
)
def test_a_type_that_json_knows_is_taken(kind: object) -> None:
    assert define({"found": kind}).definition


def test_a_serializer_of_the_class_is_trusted() -> None:
    class Stored(Event, severity=Severity.INFO, message="Stored in {where}"):
        where: Path

        @field_serializer("where")
        def _as_text(self, where: Path) -> str:
            return str(where)

    assert Stored.definition


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"severity": "info"}, r"severity='info' is no Severity; write severity=Severity\.INFO$"),
        ({"severity": "Error"}, r"write severity=Severity\.ERROR$"),
        ({"severity": 3}, "INFO, WARNING, ERROR or CRITICAL"),
        ({"message": 3}, "message is of type int; write a text"),
        ({"name": 3}, "name is of type int; write a text"),
        ({"details": "found"}, r'details=\["found"\]'),
    ],
)
def test_an_option_of_a_wrong_type_is_refused(options: dict[str, Any], advice: str) -> None:
    with pytest.raises(EventDefinitionError, match=advice):
        define({"found": str}, **options)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("cluster_id", str), ("host_id", int | None), ("request_id", int), ("event_time", str)],
)
def test_the_fields_of_every_event_keep_their_types(name: str, kind: object) -> None:
    with pytest.raises(EventDefinitionError, match=f"the field {name} is every event's own"):
        define({name: kind})
    assert define({"cluster_id": UUID}).definition


def test_a_field_cannot_take_the_name_of_an_owner() -> None:
    with pytest.raises(EventDefinitionError, match=r"cluster_id.*taken"):
        define({"found": str}, body={"found": Field(alias="cluster_id")})


def test_two_classes_of_one_name_are_refused() -> None:
    first = define({}, title="First", name="Same")
    with pytest.raises(EventDefinitionError, match=r"Second: .*First is called Same .* name="):
        define({}, title="Second", name="Same")
    # A module may be read again, and a class may be gone.
    assert define({}, title="First", name="Same") is not first
    del first
    gc.collect()
    assert define({}, title="Second", name="Same").definition


@pytest.mark.parametrize(
    ("item", "advice"),
    [
        ({"name": "x"}, r"not dict; without a class for it, write Message"),
        (None, "not NoneType"),
        (Event, r"not the class Event; make one: Event\(…\)"),
        (Message, "not the class Message"),
    ],
)
def test_what_is_no_event_cannot_be_emitted(item: Any, advice: str) -> None:  # noqa: ANN401
    composer = Composer(format=format_of(Preset.STANDARD), metadata="{}", redactor=Redactor())
    with pytest.raises(TypeError, match=advice):
        composer.emitted(item, Overrides())
