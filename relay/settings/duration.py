import re
from datetime import timedelta
from decimal import Decimal
from typing import Final

_MICROSECONDS: Final = {
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
_PART: Final = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)(ms|us|[dhms])", re.ASCII)
DURATION_PATTERN: Final = r"^([0-9]+(\.[0-9]+)?(d|h|m|s|ms|us))+$"
LONGEST: Final = timedelta(days=36_500)


def duration(text: object) -> timedelta:
    """Return the time that *text* says, such as 1h30m, 500us or 0s.

    Raises:
        ValueError: it says none, or more than a hundred years.
    """
    parts = _PART.findall(text) if isinstance(text, str) else []
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("write a duration such as 1h30m, with the units d, h, m, s, ms and us")
    microseconds = sum(Decimal(number) * _MICROSECONDS[unit] for number, unit in parts)
    if microseconds > LONGEST / timedelta(microseconds=1):
        raise ValueError(f"the duration must be at most {LONGEST.days}d")
    return timedelta(microseconds=int(microseconds))
