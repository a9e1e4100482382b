"""Numbers as they must be written: nothing that a reader elsewhere would cut short.

C reads `1.048576e+06` as 1 where it wants an integer, and `5s` as 5.
"""

import math
import re
from typing import Final

_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]*)")
_DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_SUGGESTED_MAX: Final = 2**53


def whole_number_fault(text: str) -> str | None:
    """Return what is wrong with *text* as an integer; None is nothing."""
    if _WHOLE.fullmatch(text):
        return None
    example = _whole_value(text)
    return f"write a whole number in digits alone, such as {example}"


def number_fault(text: str) -> str | None:
    """Return what is wrong with *text* as a decimal number; None is nothing."""
    if _DECIMAL.fullmatch(text) and math.isfinite(float(text)):
        return None
    return "write a number such as 0.5, without a unit"


def _whole_value(text: str) -> int:
    """Return the integer that *text* means where it is a number in another form."""
    if _DECIMAL.fullmatch(text):
        value = float(text)
        if math.isfinite(value) and value.is_integer() and abs(value) <= _SUGGESTED_MAX:
            return int(value)
    return 1000
