"""Texts inside of texts: what base64, hex, gzip and percent-encoding hide from a pattern."""

import base64
import binascii
import re
import zlib
from codecs import getincrementaldecoder
from html import unescape
from typing import Final
from urllib.parse import unquote

from relay.service.redaction.private_keys import is_private_key

MAX_LAYERS: Final = 4
"""Encodings around each other that are looked through; what is encoded deeper is a secret."""

MAX_INFLATED: Final = 1 << 20
"""Bytes of something compressed that are looked at."""

PRIVATE_KEY: Final = "-----BEGIN PRIVATE KEY-----"
"""Stands for the bytes of a key."""

# Lines that follow each other belong together, as `base64` and mail break them.
RUN: Final = re.compile(r"(?<![\w+/-])[\w+/-]{24,}(?:\r?\n[\w+/-]+)*={0,2}", re.ASCII)
HINT: Final = re.compile(r"[A-Za-z0-9+/]{24}|%[0-9A-Fa-f]{2}|&(?:#\d|#x|quot|amp|apos)")
"""Found in every text that may hold something encoded; ids with hyphens are none."""

_HEX: Final = re.compile(r"(?:0x|\\?x)?((?:[0-9a-f]{2}){8,}|(?:[0-9A-F]{2}){8,})")
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_ENTITY: Final = re.compile(r"&(?:#\d{1,6}|#x[0-9a-f]{1,5}|quot|amp|apos|lt|gt);", re.IGNORECASE)
_URL_ALPHABET = str.maketrans("-_", "+/", "\r\n=")
_COMPRESSED: Final = (b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


def decoded(run: str) -> str | None:
    """Return the text that *run* encodes, also if it is cut off; None where it is none."""
    if match := _HEX.fullmatch(run):
        return _text(bytes.fromhex(match[1]))
    digits = run.translate(_URL_ALPHABET)
    # One digit alone is less than a byte.
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    try:
        return _text(base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True))
    except binascii.Error:
        return None


def without_escapes(text: str) -> str | None:
    """Return *text* without percent-encoding and HTML's entities; None where it has none."""
    if not _PERCENT.search(text):
        return unescape(text) if _ENTITY.search(text) else None
    plain = text
    for _ in range(MAX_LAYERS):
        plain = unquote(plain)
    return plain


def _text(data: bytes) -> str | None:
    if is_private_key(data):
        return PRIVATE_KEY
    if data.startswith(_COMPRESSED):
        data = _inflated(data)
    if data[1:8:2] == b"\x00\x00\x00\x00":
        return data.decode("utf-16-le", "replace")
    try:
        # Takes half a character at the end.
        return getincrementaldecoder("utf-8")().decode(data) or None
    except UnicodeDecodeError:
        return None


def _inflated(data: bytes) -> bytes:
    """Return what *data* holds compressed, as far as it is whole."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(data, MAX_INFLATED)
    except zlib.error:
        return data
