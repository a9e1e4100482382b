"""Shape of a secret inside a text."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

Replacement: TypeAlias = str | Callable[[re.Match[str]], str]

LONG_RUN: Final = "w" * 16
"""Hint for what is only found in a long run of letters and digits."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A form of secret, linear in the length of the text.

    *hints* are in lower case; a text without all of them cannot have this shape, so most texts are
    through after a few cheap searches. No hints: every text may have it.
    """

    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: Replacement

    def redact(self, text: str) -> str:
        """Return *text* without its secrets of this shape."""
        return self.pattern.sub(self.replacement, text)
