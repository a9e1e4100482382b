"""Names of fields, and what they say of their values."""

import re
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from typing import Final

from relay.service.redaction import words

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_SEPARATORS: Final = re.compile(r"[\W_]+")
_STEM: Final = re.compile("|".join((*words.PASSWORD_STEMS, *words.STEMS)))
_MERGED: Final = {"word", "words", "phrase", "code", "wd"}


class Verdict(Enum):
    """Verdict of a name on its value.

    INNOCENT: nothing. UNSURE: a secret, unless the value looks like an id or a word, as that of
    "order_key". HOLDER: a secret, or the path or name of what holds it. HOLDERS: several, or their
    number. SECRET: a secret.
    """

    INNOCENT = 0
    UNSURE = 1
    HOLDER = 2
    HOLDERS = 3
    SECRET = 4


class Names:
    """Judges names of fields; case and separators do not matter.

    *further*: parts of names that mean a secret as well. *keep*: whole names that do not.
    """

    def __init__(self, further: Iterable[str] = (), keep: Iterable[str] = ()) -> None:
        self._further = tuple(map(normal, further))
        self._keep = frozenset(map(normal, keep))
        # Field names are few and come again and again.
        self.verdict = lru_cache(maxsize=4096)(self._verdict)

    def _verdict(self, name: str) -> Verdict:
        whole = normal(name)
        if whole in self._keep or whole in words.NAMED_WHOLE or whole in words.DATES_WHOLE:
            return Verdict.INNOCENT
        if any(part in whole for part in self._further) or whole in words.SECRET_WHOLE:
            return Verdict.SECRET
        return _judged(_split(name))


def normal(name: str) -> str:
    """Return *name* without case and separators: API-Key, apiKey and api_key are one."""
    return _SEPARATORS.sub("", name).lower()


def _split(name: str) -> list[str]:
    """Return the words of *name*, without those that only say how the secret is written."""
    found = [word.lower() for word in _WORDS.findall(name)]
    for position in range(len(found) - 1, 0, -1):
        if found[position - 1] == "pass" and found[position] in _MERGED:
            found[position - 1 : position + 1] = ["pass" + found[position]]
    while len(found) > 1 and (found[-1] in words.CARRIERS or found[-1].isdigit()):
        found.pop()
    return found


def _judged(found: list[str]) -> Verdict:
    if not found or found[-1] in words.ABOUT or (len(found) > 1 and found[0] in words.ABOUT_FIRST):
        return Verdict.INNOCENT
    last = found[-1]
    if last in {"key", "keys"}:
        return _key(found[:-1])
    if last == "auth":
        return Verdict.UNSURE
    if last == "community" and not words.COMMUNITIES.isdisjoint(found):
        return Verdict.SECRET
    for word in found:
        if (verdict := _stem(word)) is not Verdict.INNOCENT:
            # Or their number.
            return Verdict.HOLDERS if last == "changes" else verdict
    return _ending(last, found[:-1])


def _key(kinds: list[str]) -> Verdict:
    """Judge a key by the nearest word that says of which kind it is."""
    if any(kind in {"private", "secret"} for kind in kinds):
        return Verdict.HOLDER
    for kind in reversed(kinds):
        if kind in words.SECRET_KEYS or _STEM.search(kind):
            return Verdict.HOLDER
        if kind in words.PUBLIC_KEYS:
            return Verdict.INNOCENT
    return Verdict.UNSURE if kinds else Verdict.INNOCENT


def _stem(word: str) -> Verdict:
    match = _STEM.search(word)
    if match is None:
        return Verdict.INNOCENT
    tail = word[match.end() :].removeprefix("s")
    if tail in words.TAILS_OF_OTHER_WORDS or tail in words.ABOUT:
        return Verdict.INNOCENT
    if match[0] in words.PASSWORD_STEMS:
        return Verdict.SECRET
    return Verdict.HOLDERS if word.endswith("s") else Verdict.HOLDER


def _ending(last: str, before: list[str]) -> Verdict:
    single = last.removesuffix("s") if last not in {"pass", "auths"} and len(last) > 3 else last  # noqa: PLR2004 - plural
    if last == "pass" and not before:
        # Often the number of those that passed.
        return Verdict.HOLDERS
    if last in words.ENDS_LIKE_PASS or (before and before[-1] in words.PASSES):
        return Verdict.INNOCENT
    if last.endswith(words.PASSWORD_ENDINGS) or single in words.PASSWORD_ENDINGS:
        return Verdict.HOLDER if last == "pwd" and not before else Verdict.SECRET
    if last in words.ENDINGS or single in words.ENDINGS:
        return Verdict.HOLDER
    if last.endswith("key") and last.removesuffix("key") in words.SECRET_KEYS:
        return Verdict.HOLDER
    return Verdict.INNOCENT
