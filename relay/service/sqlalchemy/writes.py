"""Writes in a text of SQL: the tables it names, and its part in what foreign keys do to others."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from relay.service.sqlalchemy.sqltext import Statement, Word, statements

_WRITING: Final = re.compile(r"(?i)\b(?:insert|update|delete|merge|truncate|copy)\b")
_BEFORE_NAME: Final = frozenset({"into", "from", "only", "table"})
# "FOR UPDATE", "FOR NO KEY UPDATE", "ON CONFLICT DO UPDATE", "ON UPDATE CASCADE", and MERGE's.
_NOT_AN_UPDATE: Final = frozenset({"for", "key", "do", "on", "then"})
_AFTER_SET: Final = frozenset({"from", "where", "returning", "when"})


class Name(NamedTuple):
    """The name of a table; *schema* is None where the text leaves it to the search_path."""

    schema: str | None
    table: str


class Write(NamedTuple):
    """A write on *table*: its rows are deleted, truncated with all that refer, or changed.

    *sets* has the columns that get a value in a row that exists.
    """

    table: Name
    deletes: bool = False
    truncates: bool = False
    sets: frozenset[str] = frozenset()


@lru_cache(maxsize=1024)
def writes(text: str) -> frozenset[Write]:
    """Return the writes of *text*: none by what stands in strings and comments."""
    if not _WRITING.search(text):
        return frozenset()
    return frozenset(write for statement in statements(text) for write in _written(statement))


def _written(statement: Statement) -> Iterator[Write]:
    words = [word.text if word.plain else "" for word in statement]
    if words[0] == "explain" and "analyze" not in words:
        return
    sets = frozenset(_set_columns(statement))
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        following = words[place + 1] if place + 1 < len(words) else ""
        match word, following:
            case "insert", "into":
                found = Write(_name(statement, place + 2), sets=sets)
            case "merge", "into":
                deletes = ("then", "delete") in pairwise(words)
                found = Write(_name(statement, place + 2), deletes=deletes, sets=sets)
            case "delete", "from":
                found = Write(_name(statement, place + 2), deletes=True)
            case "update", _ if following != "on" and before not in _NOT_AN_UPDATE:
                found = Write(_name(statement, place + 1), sets=sets)
            case "copy", _ if place == 0 and "from" in words:
                found = Write(_name(statement, place + 1))
            case "truncate", _ if place == 0:
                for name in _names(statement, place + 1):
                    yield Write(name, truncates="cascade" in words)
                return
            case _:
                continue
        yield found


def _name(statement: Statement, place: int) -> Name:
    """Return the first name from *place*."""
    return next(iter(_names(statement, place)), Name(None, ""))


def _names(statement: Statement, place: int) -> Iterator[Name]:
    """Yield the name at *place* and those after commas."""
    while place < len(statement):
        if statement[place].plain and statement[place].text in _BEFORE_NAME:
            place += 1
            continue
        parts = [statement[place].text]
        place += 1
        while place + 1 < len(statement) and statement[place] == Word(".", plain=False):
            parts.append(statement[place + 1].text)
            place += 2
        yield Name(parts[-2] if len(parts) > 1 else None, parts[-1])
        if statement[place : place + 1] == [Word("*", plain=False)]:
            place += 1
        if statement[place : place + 1] != [Word(",", plain=False)]:
            return
        place += 1


def _set_columns(statement: Statement) -> Iterator[str]:
    """Yield the columns that *statement* assigns after SET: those before "=", in a row or alone."""
    for place, word in enumerate(statement):
        if word == Word("set", plain=True):
            yield from _assigned(statement[place + 1 :])


def _assigned(words: Iterable[Word]) -> Iterator[str]:
    depth, is_target = 0, True
    for word in words:
        match word.text:
            case "(":
                depth += 1
            case ")":
                depth -= 1
                if depth < 0:
                    return
            case "," if depth == 0:
                is_target = True
            case "=" if depth == 0:
                is_target = False
            case text if depth == 0 and word.plain and text in _AFTER_SET:
                return
            case text if is_target:
                yield text
