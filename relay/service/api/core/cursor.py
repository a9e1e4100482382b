import re
from typing import Final, NamedTuple, Self

MICROSECONDS_OF_A_DAY: Final = 86_400_000_000
# The times that PostgreSQL knows: 4713 BC to the year 294276.
_EARLIEST: Final = -210_866_803_200_000_000
_LATEST: Final = 9_224_318_015_999_999_999
_ID_MAX: Final = (1 << 63) - 1

PATTERN: Final = r"^-?[0-9]{1,19}\.[0-9]{1,19}$"


class Cursor(NamedTuple):
    """An event's place among all events: the next page begins behind it, in either order."""

    microseconds: int
    """Of its time, since 1970."""
    id: int

    def __str__(self) -> str:
        return f"{self.microseconds}.{self.id}"

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the cursor that *text* is.

        Raises:
            ValueError: it is none that an answer gave.
        """
        if not re.match(PATTERN, text):
            raise ValueError("It must be the header Next-Cursor of the page before")
        microseconds, number = map(int, text.split("."))
        # No event is beyond these.
        return cls(min(max(microseconds, _EARLIEST), _LATEST), min(number, _ID_MAX))
