"""Texts inside of texts: what base64 and percent-encoding hide from a pattern."""

import base64
import binascii
import re
from codecs import getincrementaldecoder
from typing import Final
from urllib.parse import unquote

MAX_LAYERS: Final = 4
"""How many encodings around each other are looked through; what is encoded deeper is a secret."""

# Lines that follow each other belong together, as `base64` and mail break them.
BASE64: Final = re.compile(r"(?<![\w+/-])[\w+/-]{24,}(?:\r?\n[\w+/-]+)*={0,2}", re.ASCII)
HINT: Final = re.compile(r"[A-Za-z0-9+/]{24}|%[0-9A-Fa-f]{2}")
"""Found in every text that may hold something encoded; ids with hyphens are none."""

_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_URL_ALPHABET = str.maketrans("-_", "+/", "\r\n=")


def from_base64(text: str) -> str | None:
    """Return the text that *text* encodes, also if it is cut off; None where it is none."""
    digits = text.translate(_URL_ALPHABET)
    # One digit alone is less than a byte.
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    try:
        data = base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
        # Takes half a character at the end.
        return getincrementaldecoder("utf-8")().decode(data)
    except (binascii.Error, UnicodeDecodeError):
        return None


def from_percent(text: str) -> str | None:
    """Return *text* without its percent-encoding, however often encoded; None where it has none."""
    if not _PERCENT.search(text):
        return None
    plain = text
    for _ in range(MAX_LAYERS):
        plain = unquote(plain)
    return plain
