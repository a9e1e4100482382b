"""Types of columns, judged before the first row: is every value of them known to JSON?"""

from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import (
    DOMAIN,
    HSTORE,
    MACADDR,
    MACADDR8,
    MONEY,
    OID,
    REGCLASS,
    TSVECTOR,
)
from sqlalchemy.types import ARRAY, JSON, DateTime, Enum, TypeDecorator, TypeEngine

_PLAIN: Final = (bool, int, float, str, Decimal, UUID, date)
"""Python types whose every value has a form in JSON; NaN and NUL are found when they come."""

_TEXTS: Final = (HSTORE, JSON, MACADDR, MACADDR8, MONEY, OID, REGCLASS, TSVECTOR)
"""Types that drivers return as texts, numbers, or what JSON is made of."""


def type_fault(kind: TypeEngine[Any]) -> str | None:  # noqa: PLR0911 - one for each kind
    """Return why values of *kind* cannot be published; None where all of them can."""
    match kind:
        case TypeDecorator():
            return _decorator_fault(kind)
        case DateTime(timezone=False):
            return "has no time zone, so its meaning is not known: use DateTime(timezone=True)"
        case ARRAY():
            return type_fault(kind.item_type)
        case DOMAIN():
            return type_fault(kind.data_type)
        case Enum() if kind.enum_class is not None:
            return _enum_fault(kind.enum_class)
        case _ if isinstance(kind, _TEXTS) or _is_plain(kind):
            return None
        case _:
            return f"has the type {type(kind).__name__}, which JSON does not know"


def _is_plain(kind: TypeEngine[Any]) -> bool:
    try:
        return issubclass(kind.python_type, _PLAIN)
    except NotImplementedError:
        # Older SQLAlchemy does not know the values of all types.
        return False


def _decorator_fault(kind: TypeDecorator[Any]) -> str | None:
    own = (type(kind).process_result_value, type(kind).result_processor)
    if own != (TypeDecorator.process_result_value, TypeDecorator.result_processor):
        return f"has the type {type(kind).__name__}, whose values may be anything"
    return type_fault(kind.impl_instance)


def _enum_fault(enum_class: Any) -> str | None:  # noqa: ANN401 - as SQLAlchemy has it
    values = [member.value for member in enum_class]
    if all(value is None or isinstance(value, _PLAIN) for value in values):
        return None
    return f"has the values of {enum_class.__name__}, which JSON does not know"
