"""The redactor stands between an object and its row: nothing secret reaches a table."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import NoneType
from typing import Final, Self, cast

from pydantic import SecretBytes, SecretStr

from relay.errors import ConfigurationError, PayloadError
from relay.service.redaction.commands import redact_arguments
from relay.service.redaction.names import Names, Verdict
from relay.service.redaction.texts import Texts
from relay.service.redaction.values import REDACTED, is_harmless
from relay.settings.group import read
from relay.settings.redaction import RedactionSettings, checked_name, checked_pattern

MAX_DEPTH: Final = 100

_SECRET_TYPES: Final = (SecretStr, SecretBytes)
_PLAIN: Final = frozenset({int, float, bool, NoneType})
_MAPPINGS: Final = (dict, Mapping)
_NESTED: Final = (dict, list, tuple, set, frozenset, Mapping)
_INNOCENT: Final = Verdict.INNOCENT
_PAIR: Final = 2
_UUID_LENGTH: Final = 36
_LABELS: Final = ("name", "Name", "key", "Key", "header", "variable", "field", "property", "id")
_LABELS_TOO: Final = ("option", "parameter", "setting", "k", "loc", "ParameterKey", "columns")
_VALUES: Final = ("value", "Value", "values", "val", "v", "default", "input", "ParameterValue")
_SPECIAL: Final = frozenset({*_VALUES, "kind", "args", "rows"})
_SECRET_DATA: Final = ("data", "stringData")
_AWS_ID: Final = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{16}")
_AWS_SECRET: Final = re.compile(r"(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9/+]{40}")


class Redactor:
    """Replaces secrets by "[redacted]", found by the name of their field or by their shape.

    *names* are further parts of field names that mean a secret; case and separators do not matter.
    *patterns* are further regular expressions; what one matches is replaced. *keep* are whole
    field names that are harmless although they sound secret, such as "token_count"; the shape of
    their values is still looked at.

    Raises:
        ValueError: a name or a pattern would take nearly everything for a secret.
    """

    def __init__(
        self,
        *,
        names: Iterable[str] = (),
        patterns: Iterable[str | re.Pattern[str]] = (),
        keep: Iterable[str] = (),
    ) -> None:
        further = tuple(map(checked_name, names))
        self._names = Names(further, keep)
        self._verdict = self._names.verdict
        self._texts = Texts(self._names, further, map(checked_pattern, patterns), self._json)
        # Field names are few and come again and again.
        self._known = lru_cache(maxsize=4096)(self._judge)

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

    def is_secret_name(self, name: str) -> bool:
        """Tell whether a field *name* holds a secret, whatever its value looks like."""
        return self._verdict(name) not in {Verdict.INNOCENT, Verdict.UNSURE}

    def redact(self, value: object, name: str = "") -> object:
        """Return *value*, the value of a field *name*, without its secrets.

        Looks into mappings, sequences, and texts that hold JSON. The value itself is not changed.

        Raises:
            PayloadError: nested deeper than MAX_DEPTH.
        """
        return self._redacted(value, name, 0)

    def text(self, value: str) -> str:
        """Return *value* without what has the shape of a secret, also inside of JSON and base64."""
        return self._texts.redact(value)

    def _redacted(self, value: object, name: str, layer: int) -> object:
        texts: list[str] = []
        verdict = self._verdict(name) if name else Verdict.INNOCENT
        if verdict is not Verdict.INNOCENT and not is_harmless(value, verdict):
            return REDACTED
        named = self._by_name(value, texts, 0)
        shown: dict[str, str] = {}
        for text in self._texts.suspects(texts):
            if (safe := self._texts.redact(text, layer)) != text:
                shown[text] = safe
        if shown and any(map(_AWS_ID.search, shown)):
            # The secret of AWS has no form of its own; beside its id it is known.
            shown |= {text: REDACTED for text in texts if _AWS_SECRET.fullmatch(text)}
        return _substituted(named, shown) if shown else named

    def _by_name(self, value: object, texts: list[str], depth: int) -> object:
        """Return a copy of *value* without what its names mark as secret; collect its texts."""
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, _SECRET_TYPES):
            return REDACTED
        elif isinstance(value, _NESTED):
            if depth > MAX_DEPTH:
                raise PayloadError(f"payload: it has more than {MAX_DEPTH} levels; flatten it")
            if isinstance(value, _MAPPINGS):
                return self._mapping_by_name(value, texts, depth + 1)
            items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
            return self._items_by_name(items, texts, depth + 1)
        return value

    def _items_by_name(self, items: Sequence[object], texts: list[str], depth: int) -> list[object]:
        if items and _is_pair(items[0]) and all(map(_is_pair, items)):
            # A mapping in another form: [["Authorization", …], …].
            pairs = cast("Sequence[Sequence[object]]", items)
            return [
                [
                    self._by_name(label, texts, depth),
                    self._labelled(str(label), inner, texts, depth),
                ]
                for label, inner in pairs
            ]
        if _are_arguments(items):
            items = redact_arguments(cast("Sequence[str]", items), self._names)
        return [self._by_name(inner, texts, depth) for inner in items]

    def _labelled(self, label: str, value: object, texts: list[str], depth: int) -> object:
        verdict = self._verdict(label)
        if verdict is not _INNOCENT and not is_harmless(value, verdict):
            return REDACTED
        return self._by_name(value, texts, depth)

    def _mapping_by_name(
        self, value: Mapping[object, object], texts: list[str], depth: int
    ) -> dict[object, object]:
        redacted: dict[object, object] = {}
        known = self._known
        name: object
        for key, inner in value.items():
            if isinstance(key, str):
                verdict, name = known(key)
                if verdict is not _INNOCENT and not is_harmless(inner, verdict):
                    redacted[name] = REDACTED
                    continue
            else:
                name = key
            kind = type(inner)
            if kind is str:
                # An id is known by its hyphens; most snapshots have many.
                if len(inner) != _UUID_LENGTH or inner[8] != "-" or inner[23] != "-":  # type: ignore[arg-type,index]
                    texts.append(inner)  # type: ignore[arg-type]
            elif kind not in _PLAIN:
                inner = self._by_name(inner, texts, depth)  # noqa: PLW2901 - redacted
            redacted[name] = inner
        if not _SPECIAL.isdisjoint(value):
            self._special(value, redacted)
        return redacted

    def _judge(self, key: str) -> tuple[Verdict, str]:
        """Return the verdict on a name, and the name without secrets of its own."""
        return self._verdict(key), self._texts.redact(key)

    def _special(self, value: Mapping[object, object], redacted: dict[object, object]) -> None:
        """Redact in mappings whose fields say what the others are."""
        for held in _VALUES:
            if held in value and (label := _label(value)):
                verdict = self._verdict(label)
                if verdict is not Verdict.INNOCENT and not is_harmless(value[held], verdict):
                    redacted[held] = REDACTED
        if value.get("kind") == "Secret":
            for part in _SECRET_DATA:
                if isinstance(data := value.get(part), Mapping):
                    redacted[part] = dict.fromkeys(data, REDACTED)
        if isinstance(value.get("args"), list | tuple) and isinstance(value.get("command"), str):
            tokens = [str(value["command"]), *map(str, cast("Sequence[object]", value["args"]))]
            redacted["args"] = redact_arguments(tokens, self._names)[1:]

    def _json(self, value: str, layer: int) -> str | None:
        """Redact inside a text that is a JSON object or array; None where it is none."""
        try:
            parsed = json.loads(value)
            redacted = self._redacted(parsed, "", layer)
        except (ValueError, RecursionError):
            return None
        # What holds no secret keeps its spelling.
        return value if redacted == parsed else json.dumps(redacted, ensure_ascii=False)


def _substituted(value: object, shown: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return shown.get(value, value)
    if isinstance(value, dict):
        return {key: _substituted(inner, shown) for key, inner in value.items()}
    if isinstance(value, list):
        return [_substituted(inner, shown) for inner in value]
    return value


def _label(value: Mapping[object, object]) -> str | None:
    for label in (*_LABELS, *_LABELS_TOO):
        match value.get(label):
            case str(name):
                return name
            case [*_, str(name)]:
                return name
    return None


def _is_pair(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == _PAIR and isinstance(value[0], str)


def _are_arguments(items: Sequence[object]) -> bool:
    if not items or not isinstance(items[0], str):
        return False
    texts = [item for item in items if isinstance(item, str)]
    return len(texts) == len(items) and any(text[:1] == "-" for text in texts)
