"""Values in requests, each written in one way: what another reader could take for something else
is refused.
"""

import re
from typing import Annotated, Final

from pydantic import AwareDatetime, BeforeValidator, Field

from relay.service.api.core.filter import NO_NUL, NO_NUL_NOR_COMMA

_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]*)")


def _in_digits(value: object) -> object:
    """Refuse `1_0`, `1.0`, `+5` and ` 5`, which pydantic takes for numbers."""
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise ValueError("It must be a whole number in digits alone, such as 100")
    return value


def _in_words(value: object) -> object:
    """Refuse `1`, `on` and `t`, which pydantic takes for true. Clients in Python send `True`."""
    if isinstance(value, str) and value.lower() not in {"true", "false"}:
        raise ValueError("It must be true or false")
    return value


def _with_date_and_time(value: object) -> object:
    """Refuse numbers, which would be taken for seconds since 1970."""
    if value is None or (isinstance(value, str) and value.isascii() and "T" in value):
        return value
    raise ValueError("It must be a time as in 2026-11-24T12:00:00Z")


Whole = Annotated[int, BeforeValidator(_in_digits)]
Truth = Annotated[bool, BeforeValidator(_in_words)]
Moment = Annotated[AwareDatetime, BeforeValidator(_with_date_and_time)]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL)]
Listed = Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL_NOR_COMMA)]
