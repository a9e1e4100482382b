"""The redactor stands between an object and its row: nothing secret reaches a table."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Self, cast

from pydantic import SecretBytes, SecretStr

from relay.errors import ConfigurationError, PayloadError
from relay.service.redaction.encodings import BASE64, MAX_LAYERS, from_base64, from_percent
from relay.service.redaction.encodings import HINT as ENCODED
from relay.service.redaction.patterns import REDACTED, SHAPES, STEMS, WHOLE_NAMES, Shape
from relay.settings.group import read
from relay.settings.redaction import RedactionSettings

MAX_DEPTH = 100

_SEPARATORS = re.compile(r"[\W_]+")
_HINTS = tuple(sorted({hint for shape in SHAPES for hint in shape.hints}))
_SECRET_TYPES = (SecretStr, SecretBytes)
_SHORTEST_SECRET_KEY = 20
_JSON_OPENINGS = ("{", "[", " ", "\n", "\t", "\r")


class Redactor:
    """Replaces secrets by "[redacted]", found by the name of their field or by their shape.

    *names* are further parts of field names that mean a secret; case and separators do not matter.
    *patterns* are further regular expressions; what one matches is replaced. *keep* are whole
    field names that are harmless although they sound secret, such as "token_count"; the shape of
    their values is still looked at.
    """

    def __init__(
        self,
        *,
        names: Iterable[str] = (),
        patterns: Iterable[str | re.Pattern[str]] = (),
        keep: Iterable[str] = (),
    ) -> None:
        self._stems = tuple(_normal(name) for name in (*STEMS, *names))
        self._keep = frozenset(_normal(name) for name in keep)
        self._shapes = (*SHAPES, *(Shape(re.compile(p), REDACTED, ()) for p in patterns))
        self._has_patterns = len(self._shapes) > len(SHAPES)
        # Field names are few and come again and again.
        self.is_secret_name = lru_cache(maxsize=4096)(self._judge_name)

    @classmethod
    def from_environment(cls) -> Self:
        """Make a redactor that also knows RELAY_REDACT_NAMES, _PATTERNS and _KEEP, JSON lists.

        Raises:
            ConfigurationError: names every fault.
        """
        faults: list[str] = []
        given = read(RedactionSettings, faults)
        if faults:
            raise ConfigurationError(faults)
        return cls(names=given.names, patterns=given.patterns, keep=given.keep)

    def redact(self, value: object, name: str = "") -> object:
        """Return *value*, the value of a field *name*, without its secrets.

        Looks into mappings, sequences, and texts that hold JSON. The value itself is not changed.

        Raises:
            PayloadError: nested deeper than MAX_DEPTH.
        """
        return self._redacted(value, name, 0)

    def text(self, value: str) -> str:
        """Return *value* without what has the shape of a secret, also inside of JSON and base64."""
        return self._text(value, 0)

    def _redacted(self, value: object, name: str, layer: int) -> object:
        texts: list[str] = []
        named = self._by_name(value, name, texts, 0)
        # One search through all texts is much cheaper than one for each, and mostly the end.
        suspicious = self._has_patterns or _is_suspicious("\n".join(("", *texts)))
        return self._by_shape(named, layer) if suspicious else named

    def _text(self, value: str, layer: int) -> str:
        if _may_be_json(value) and (inside := self._json(value, layer)) is not None:
            return inside
        lowered = value.lower()
        for shape in self._shapes:
            if not shape.hints or any(hint in lowered for hint in shape.hints):
                value = shape.pattern.sub(shape.replacement, value)
        return self._decoded(value, layer + 1)

    def _decoded(self, value: str, layer: int) -> str:
        """Return *value* without what turns out to be a secret once it is decoded."""
        plain = from_percent(value)
        if layer > MAX_LAYERS:
            # So deep nothing is encoded but to be hidden.
            encoded = plain is not None or any(map(_is_base64, BASE64.finditer(value)))
            return REDACTED if encoded else value
        if plain is not None and plain != (redacted := self._text(plain, layer)):
            return redacted
        return BASE64.sub(lambda run: self._unless_secret(run[0], layer), value)

    def _unless_secret(self, run: str, layer: int) -> str:
        inside = from_base64(run)
        hides = inside is not None and self._text(inside, layer) != inside
        return REDACTED if hides else run

    def _by_name(self, value: object, name: str, texts: list[str], depth: int) -> object:
        """Return a copy of *value* without what its names mark as secret; collect its texts."""
        if name and self.is_secret_name(name):
            return value if _is_harmless(value) else REDACTED
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, _SECRET_TYPES):
            value = REDACTED
        elif isinstance(value, Mapping | list | tuple | set | frozenset):
            if depth > MAX_DEPTH:
                raise PayloadError(f"payload: it has more than {MAX_DEPTH} levels; flatten it")
            if isinstance(value, Mapping):
                return self._mapping_by_name(value, texts, depth + 1)
            items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
            return self._items_by_name(items, texts, depth + 1)
        return value

    def _items_by_name(self, items: Sequence[object], texts: list[str], depth: int) -> list[object]:
        if items and all(map(_is_pair, items)):
            # A mapping in another form: [["Authorization", …], …].
            pairs = cast("Sequence[Sequence[object]]", items)
            return [
                [
                    self._by_name(label, "", texts, depth),
                    self._by_name(inner, str(label), texts, depth),
                ]
                for label, inner in pairs
            ]
        redacted: list[object] = []
        option = ""
        for inner in items:
            redacted.append(self._by_name(inner, option, texts, depth))
            # A command line: ["--password", …].
            is_option = isinstance(inner, str) and inner.startswith("-") and "=" not in inner
            option = str(inner) if is_option else ""
        return redacted

    def _mapping_by_name(
        self, value: Mapping[object, object], texts: list[str], depth: int
    ) -> dict[object, object]:
        redacted: dict[object, object] = {}
        for key, inner in value.items():
            name = key if isinstance(key, str) else ""
            redacted[key] = self._by_name(inner, name, texts, depth)
            if len(name) >= _SHORTEST_SECRET_KEY or not name.isidentifier():
                texts.append(name)
        # {"name": "DB_PASSWORD", "value": …}, as the environment of a container is written.
        label = value.get("name", value.get("key")) if "value" in value else None
        if isinstance(label, str) and self.is_secret_name(label):
            redacted["value"] = self._by_name(value["value"], label, texts, depth)
        return redacted

    def _by_shape(self, value: object, layer: int) -> object:
        if isinstance(value, str):
            return self._text(value, layer)
        if isinstance(value, dict):
            return {
                self._text(key, layer) if isinstance(key, str) else key: self._by_shape(
                    inner, layer
                )
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [self._by_shape(inner, layer) for inner in value]
        return value

    def _json(self, value: str, layer: int) -> str | None:
        """Redact inside a text that is a JSON object or array; None where it is none."""
        try:
            parsed = json.loads(value)
            redacted = self._redacted(parsed, "", layer)
        except (ValueError, RecursionError):
            return None
        # What holds no secret keeps its spelling.
        return value if redacted == parsed else json.dumps(redacted, ensure_ascii=False)

    def _judge_name(self, name: str) -> bool:
        normal = _normal(name)
        if normal in self._keep:
            return False
        return normal in WHOLE_NAMES or any(stem in normal for stem in self._stems)


def _is_base64(run: re.Match[str]) -> bool:
    return from_base64(run[0]) is not None


def _is_suspicious(text: str) -> bool:
    """Tell whether one of the lines may hold a secret, or JSON, which may hold one."""
    lowered = text.lower()
    return (
        any(f"\n{opening}" in lowered for opening in _JSON_OPENINGS)
        or any(hint in lowered for hint in _HINTS)
        or ENCODED.search(text) is not None
    )


def _is_pair(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[0], str)  # noqa: PLR2004


def _may_be_json(text: str) -> bool:
    return text.startswith(_JSON_OPENINGS)


def _is_harmless(value: object) -> bool:
    """A switch, or nothing at all, is no secret; and that it is so may matter to a reader."""
    return value is None or isinstance(value, bool) or (not value and value != 0)


def _normal(name: str) -> str:
    """Return *name* without case and separators: API-Key, apiKey and api_key are one."""
    return _SEPARATORS.sub("", name).lower()
