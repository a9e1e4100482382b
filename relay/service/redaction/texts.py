"""Secrets in a text: a few cheap searches first, then each form in turn, then what is encoded."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final, TypeAlias

from relay.service.redaction import assignments, commands, statements
from relay.service.redaction.addresses import ADDRESS_SHAPES
from relay.service.redaction.assignments import redact_assignments
from relay.service.redaction.commands import redact_command_lines
from relay.service.redaction.documents import redact_blocks, redact_manifests
from relay.service.redaction.encodings import HINT as ENCODED
from relay.service.redaction.encodings import MAX_LAYERS, RUN, decoded, without_escapes
from relay.service.redaction.names import Names, normal
from relay.service.redaction.private_keys import PRIVATE_KEY_SHAPES
from relay.service.redaction.providers import PROVIDER_SHAPES
from relay.service.redaction.sentences import SENTENCE_SHAPES, redact_pairs
from relay.service.redaction.shape import LONG_RUN, Shape
from relay.service.redaction.statements import STATEMENT_SHAPES, redact_statements
from relay.service.redaction.tables import redact_tables
from relay.service.redaction.values import REDACTED

JSON_OPENINGS: Final = ("{", "[", " ", "\n", "\t", "\r")

# Letters, digits and the underscore become "w": a long run is then found by a plain search.
_RUNS: Final = bytes(
    ord("w") if re.match(r"\w", chr(code), re.ASCII) else ord(" ") for code in range(256)
)
_LONG_RUN: Final = LONG_RUN.encode()
_NUMBER: Final = re.compile(r"[0-9a-fx]{1,23}|[0-9a-f]{64}")
"""A number, or a digest of SHA-256, which hides nothing."""
_SHAPES: Final = (*PRIVATE_KEY_SHAPES, *PROVIDER_SHAPES, *STATEMENT_SHAPES, *ADDRESS_SHAPES)
_ANYWHERE: Final = ("{", "[", "%", "&")
"""Hints of JSON, and of what is escaped."""

Step: TypeAlias = tuple[frozenset[str], Callable[[str], str]]


class Texts:
    """Redacts texts. *json*: redacts a text that is JSON, and returns None where it is none."""

    def __init__(
        self,
        names: Names,
        further: Sequence[str],
        patterns: Iterable[str | re.Pattern[str]],
        json: Callable[[str, int], str | None],
    ) -> None:
        own = [Shape((), re.compile(pattern), REDACTED) for pattern in patterns]
        self._steps = tuple(_steps(names, tuple(map(_hint, further)), own))
        self._is_open = bool(own)
        hints = {hint for hints, _ in self._steps for hint in hints} | {*_ANYWHERE}
        self._hints = sorted(hints - {LONG_RUN})
        self._json = json

    def suspects(self, texts: Sequence[str]) -> Sequence[str]:
        """Return those of *texts* that may hold a secret."""
        if self._is_open:
            return texts
        # One search through all texts is much cheaper than one for each, and mostly the end.
        joined = "\n".join(texts).lower()
        hints = [hint for hint in self._hints if hint in joined]
        if not hints and not _has_long_run(joined):
            return ()
        return [
            text
            for text in texts
            if (low := text.lower()) and (any(hint in low for hint in hints) or _has_long_run(low))
        ]

    def redact(self, text: str, layer: int = 0) -> str:
        """Return *text* without its secrets. *layer*: how many encodings it was hidden under."""
        if text.startswith(JSON_OPENINGS) and (inside := self._json(text, layer)) is not None:
            return inside
        return self._decoded(self._plain(text), layer + 1)

    def _plain(self, text: str) -> str:
        lowered = text.lower()
        present = [hint for hint in self._hints if hint in lowered]
        if _has_long_run(lowered):
            present.append(LONG_RUN)
        for hints, redacted in self._steps:
            if not hints or not hints.isdisjoint(present):
                text = redacted(text)
        return text

    def _decoded(self, text: str, layer: int) -> str:
        """Return *text* without what turns out to be a secret once it is decoded."""
        if not ENCODED.search(text):
            return text
        plain = without_escapes(text)
        if layer > MAX_LAYERS:
            # So deep nothing is encoded but to be hidden.
            hides = plain is not None or any(decoded(run[0]) for run in RUN.finditer(text))
            return REDACTED if hides else text
        if plain is not None and plain != text and plain != (shown := self.redact(plain, layer)):
            return shown
        return RUN.sub(lambda run: self._unless_secret(run[0], layer), text)

    def _unless_secret(self, run: str, layer: int) -> str:
        inside = decoded(run)
        hides = inside is not None and self.redact(inside, layer) != inside
        return REDACTED if hides else run


def _has_long_run(text: str) -> bool:
    """Tell whether letters and digits follow each other as in a token, or in something encoded."""
    runs = text.encode("latin-1", "replace").translate(_RUNS)
    start = runs.find(_LONG_RUN)
    while start >= 0:
        end = runs.find(b" ", start)
        run = text[start : end if end >= 0 else None]
        if not _NUMBER.fullmatch(run):
            return True
        start = runs.find(_LONG_RUN, start + len(run))
    return False


def _steps(names: Names, further: Sequence[str], own: Iterable[Shape]) -> Iterator[Step]:
    """Yield what is done to a text in turn, each with the hints of which it needs one."""
    assigned = frozenset({*assignments.HINTS, *further})
    for shape in (*_SHAPES, *own):
        yield frozenset(shape.hints), shape.redact
    yield frozenset(statements.HINTS), partial(redact_statements, names=names)
    yield frozenset(commands.HINTS), partial(redact_command_lines, names=names)
    yield frozenset({"secret"}), redact_manifests
    yield assigned, partial(redact_blocks, names=names)
    yield assigned, partial(redact_tables, names=names)
    yield assigned, partial(redact_pairs, names=names)
    yield assigned, partial(redact_assignments, names=names)
    for shape in SENTENCE_SHAPES:
        yield frozenset(shape.hints), shape.redact


def _hint(name: str) -> str:
    """Return the beginning of *name* that every spelling of it has."""
    first = re.split(r"[\W_]|(?<=[a-z])(?=[A-Z])", name.strip("-_. "))[0]
    return min(first.lower(), normal(name)[:3], key=len)
