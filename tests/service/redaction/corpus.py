"""Samples of secrets and of innocent values, one a line in `samples/`, by kind.

A line is a text, or JSON where it starts with a bracket; "⏎" is a line break. "«kind:length»"
stands for a value that is made up here, so that no line holds anything that looks like a secret in
use. "@base64,gzip …" encodes the line, the first encoding innermost. Every third line is held out:
it measures, and no pattern is written for it. What strangers tried later is never held out.
"""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from gzip import compress
from html import escape
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import quote
from uuid import UUID
from zlib import compress as deflate

SAMPLES: Final = Path(__file__).parent / "samples"
LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS: Final = "0123456789"
WORDS: Final = [
    "dragonfly",
    "tigerlily",
    "marzipan",
    "harvest",
    "copper",
    "lantern",
    "willow",
    "saffron",
]
LATER: Final = "strangers"
WINDOW: Final = 5
"""Characters of a secret in a row that give it away."""

_RUN = re.compile(r"[\w+/=\\-]{20,}", re.ASCII)
_PLACEHOLDER = re.compile(r"«([\w@]+)(?::(\w+))?»")
_DER: Final = {
    "pkcs1": bytes.fromhex("308204a40201000282010100"),
    "pkcs8": bytes.fromhex("308204be020100300d06092a864886f70d0101010500048204a8"),
    "ec": bytes.fromhex("30770201010420"),
    "ed25519": bytes.fromhex("302e020100300506032b657004220420"),
    "openssh": b"openssh-key-v1\x00\x00\x00\x00\x04none\x00\x00\x00\x04none",
    "cert": bytes.fromhex("3082030d308201f5a003020102021478"),
}

_PUBLIC: Final = frozenset({"cert", "certlines", "certpem64"})

ENCODINGS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "base64": b64encode,
    "base64url": urlsafe_b64encode,
    "base64lines": lambda data: b"\n".join(re.findall(rb".{1,40}", b64encode(data))),
    "bytea": lambda data: b"\\x" + data.hex().encode(),
    "datauri": lambda data: b"data:application/json;base64," + b64encode(data),
    "gzip": compress,
    "hex": lambda data: data.hex().encode(),
    "hexupper": lambda data: data.hex().upper().encode(),
    "htmlentities": lambda data: escape(data.decode()).encode(),
    "ignition": lambda data: b'{"files": [{"source": "data:,' + quote(data).encode() + b'"}]}',
    "json": lambda data: json.dumps({"a": data.decode()}).encode(),
    "percent": lambda data: quote(data, safe="").encode(),
    "utf16": lambda data: data.decode().encode("utf-16-le"),
    "zlib": deflate,
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of the corpus. *secrets*: what was made up for it, none of which may be seen."""

    kind: str
    line: str
    value: object
    secrets: tuple[str, ...]
    held_out: bool

    def leaks(self, redacted: object) -> bool:
        """Tell whether a part of a secret is in *redacted*."""
        shown = redacted if isinstance(redacted, str) else json.dumps(redacted, ensure_ascii=False)
        return any(part in shown for secret in self.secrets for part in _windows(secret))


def samples(family: str) -> Iterator[Sample]:
    """Return the samples of *family*, "secrets" or "innocent"."""
    for file in sorted((SAMPLES / family).glob("*.txt")):
        for number, line in enumerate(file.read_text().splitlines()):
            yield sample(file.stem, line, held_out=number % 3 == 2 and file.stem != LATER)


def sample(kind: str, line: str, *, held_out: bool = False) -> Sample:
    """Return the sample that *line* describes; the same one each time."""
    made: list[str] = []
    source = Random(line)

    def fill(text: str) -> str:
        return _PLACEHOLDER.sub(lambda match: made_up(match[1], match[2]), text)

    def made_up(what: str, length: str | None) -> str:
        value = _MAKERS[what](source, length or "")
        if what not in _PUBLIC:
            made.append(value)
        return value

    encodings, text = _directive(line.replace("⏎", "\n"))
    if encodings:
        shown = _encoded(fill(text), encodings)
        visible = [secret for secret in made if secret in shown]
        return Sample(kind, line, shown, tuple(visible or _RUN.findall(shown)), held_out)
    value = _filled(_parsed(text), fill)
    return Sample(kind, line, value, tuple(made), held_out)


def _directive(line: str) -> tuple[list[str], str]:
    if not line.startswith("@"):
        return [], line
    directive, _, text = line[1:].partition(" ")
    return directive.split(","), text


def _encoded(text: str, encodings: list[str]) -> str:
    data = text.encode()
    for encoding in encodings:
        data = ENCODINGS[encoding](data)
    return data.decode()


def _parsed(text: str) -> object:
    try:
        return json.loads(text) if text.startswith(("{", "[")) else text
    except ValueError:
        return text


def _filled(value: object, fill: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return fill(value)
    if isinstance(value, list):
        return [_filled(inner, fill) for inner in value]
    if isinstance(value, dict):
        return {fill(key): _filled(inner, fill) for key, inner in value.items()}
    return value


def _windows(secret: str) -> Iterator[str]:
    """Yield the parts of *secret* that give it away; words of a phrase are looked at one by one."""
    for part in re.split(r"\s+", secret):
        width = min(WINDOW, len(part))
        yield from (part[start : start + width] for start in range(len(part) - width + 1))


def _some(alphabet: str) -> Callable[[Random, str], str]:
    return lambda source, length: "".join(source.choices(alphabet, k=int(length)))


def _password(source: Random, symbols: str) -> str:
    """Return a password with letters, digits and each of *symbols* between letters."""
    inner = [*source.choices(LETTERS, k=6), *source.choices(DIGITS, k=3), *symbols]
    source.shuffle(inner)
    return source.choice(LETTERS) + "".join(inner) + source.choice(LETTERS)


def _der(source: Random, kind: str) -> str:
    body = b64encode(_DER[kind.removesuffix("oneline")] + source.randbytes(300)).decode()
    return body if kind.endswith("oneline") else "\n".join(re.findall(r".{1,64}", body))


def _uuid(source: Random) -> str:
    return str(UUID(int=source.getrandbits(128), version=4))


def _pem_of_certificate(source: Random) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{_der(source, 'cert')}\n-----END CERTIFICATE-----\n"


_MAKERS: Final[dict[str, Callable[[Random, str], str]]] = {
    "alnum": _some(LETTERS + DIGITS),
    "b64": _some(LETTERS + DIGITS + "+/"),
    "b64url": _some(LETTERS + DIGITS + "-_"),
    "basic": lambda source, _: b64encode(b"bot:" + _password(source, "!").encode()).decode(),
    "cert": lambda source, _: _der(source, "certoneline"),
    "certlines": lambda source, _: _der(source, "cert"),
    "certpem64": lambda source, _: b64encode(_pem_of_certificate(source).encode()).decode(),
    "digits": _some(DIGITS),
    "hex": _some(DIGITS + "abcdef"),
    "hexcolon": lambda source, length: source.randbytes(int(length)).hex(":"),
    "pem": _der,
    "phrase": lambda source, _: " ".join(source.sample(WORDS, k=4)),
    "pw": lambda source, _: _password(source, source.choice("!*^+-_.$")),
    "pw@": lambda source, _: _password(source, "@/"),
    "upper": _some(LETTERS[26:] + DIGITS),
    "uuid": lambda source, _: _uuid(source),
    "uuidupper": lambda source, _: _uuid(source).upper(),
    "word": lambda source, _: source.choice(WORDS),
}
