"""Texts of SQL, read as far as needed: the tables they write, and the savepoints they set."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

_TOKEN: Final = re.compile(
    r"""
    (?P<space>\s+ | --[^\n]*)
  | (?P<comment>/\*)
  | [eE]'(?:[^'\\]|\\.|'')*'
  | (?P<text>[uU]&'(?:[^']|'')*' | '(?:[^']|'')*')
  | \$(?P<tag>\w*)\$(?P<body>.*?)\$(?P=tag)\$
  | (?P<quoted>(?:[uU]&)?"(?:[^"]|"")*")
  | (?P<word>[^\W\d][\w$]*)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_NUMBERED: Final = re.compile(r"\\(?:\+([0-9a-fA-F]{6})|([0-9a-fA-F]{4}))")
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")
_WRITING: Final = re.compile(r"(?i)\b(?:insert|update|delete|merge|truncate|copy)\b")
_BEFORE_NAME: Final = frozenset({"into", "from", "only", "table"})


# "FOR UPDATE", "FOR NO KEY UPDATE", "ON CONFLICT DO UPDATE", "ON UPDATE CASCADE".
_NOT_AN_UPDATE: Final = frozenset({"for", "key", "do", "on"})
_STEP: Final = re.compile(
    r"(?i)(?:^|;|\*/|\n)\s*(?:savepoint|release|rollback|abort|commit|end|prepare)\b"
)


class Name(NamedTuple):
    """The name of a table; *schema* is None where the text leaves it to the search_path."""

    schema: str | None
    table: str


class Word(NamedTuple):
    """A word, a quoted name, or one other character; *plain* words may be keywords."""

    text: str
    plain: bool


Statement: TypeAlias = Sequence[Word]


@lru_cache(maxsize=1024)
def written_tables(text: str) -> frozenset[Name]:
    """Return the tables that *text* writes: none by what stands in strings and comments."""
    if not _WRITING.search(text):
        return frozenset()
    return frozenset(name for _, name in _writes(text))


@lru_cache(maxsize=1024)
def emptied_tables(text: str) -> frozenset[Name]:
    """Return the tables of which *text* deletes rows, or all."""
    if not _WRITING.search(text):
        return frozenset()
    return frozenset(name for verb, name in _writes(text) if verb in {"delete", "truncate"})


def _writes(text: str) -> Iterator[tuple[str, Name]]:
    """Yield the verb and the table of each write in *text*."""
    for statement in statements(text):
        yield from _written(statement)


@lru_cache(maxsize=1024)
def statements(text: str) -> tuple[Statement, ...]:
    """Return the statements of *text*, those of a DO block in it included."""
    found: list[list[Word]] = [[]]
    for word in _words(text):
        if word == Word(";", plain=False):
            found.append([])
        elif word.text.startswith("$") and not word.plain:
            # Only DO runs its body; that of CREATE FUNCTION is a text.
            if found[-1][:1] == [Word("do", plain=True)]:
                found += map(list, statements(word.text[1:]))
        else:
            found[-1].append(word)
    return tuple(statement for statement in found if statement)


def _words(text: str) -> Iterator[Word]:
    place = 0
    while match := _TOKEN.match(text, place):
        place = match.end()
        if match["comment"]:
            place = _after_comment(text, place)
        elif match["body"] is not None:
            yield Word("$" + match["body"], plain=False)
        elif match["word"]:
            yield Word(match["word"].lower(), plain=True)
        elif match["quoted"]:
            yield Word(_unquoted(match["quoted"]), plain=False)
        elif match["other"]:
            yield Word(match["other"], plain=False)


def _unquoted(name: str) -> str:
    """Return the name in quotes; U&"…" may write characters by their numbers."""
    found = name.partition('"')[2][:-1].replace('""', '"')
    if name.startswith('"'):
        return found
    return _NUMBERED.sub(lambda match: chr(int(match[1] or match[2], 16)), found)


def _after_comment(text: str, place: int) -> int:
    """Return where the comment ends that began before *place*; comments may lie in one another."""
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(text, place)):
        depth += 1 if edge[0] == "/*" else -1
        place = edge.end()
    return len(text) if depth else place


def _written(statement: Statement) -> Iterator[tuple[str, Name]]:
    words = [word.text if word.plain else "" for word in statement]
    if words[0] == "explain" and "analyze" not in words:
        return
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        following = words[place + 1] if place + 1 < len(words) else ""
        names: Iterable[Name] = ()
        match word, following:
            case ("insert" | "merge", "into") | ("delete", "from"):
                names = _names(statement, place + 2)
            case "update", _ if following != "on" and before not in _NOT_AN_UPDATE:
                names = _names(statement, place + 1)
            case "truncate", _ if place == 0:
                names = _names(statement, place + 1, many=True)
            case "copy", _ if place == 0 and "from" in words:
                names = _names(statement, place + 1)
        for name in names:
            yield word, name


def _names(statement: Statement, place: int, *, many: bool = False) -> Iterator[Name]:
    """Yield the name at *place*, and with *many* those after commas."""
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
        if not many or statement[place : place + 1] != [Word(",", plain=False)]:
            return
        place += 1


class Step(NamedTuple):
    """One change of a transaction: savepoint, release, rollback to (of a savepoint), or its end."""

    verb: str
    savepoint: str = ""


@lru_cache(maxsize=1024)
def transaction_steps(text: str) -> tuple[Step, ...]:
    """Return the steps by which *text* changes the transaction that it runs in."""
    if not _STEP.search(text):
        return ()
    return tuple(step for statement in statements(text) if (step := _step(statement)) is not None)


def _step(statement: Statement) -> Step | None:
    words = [word.text for word in statement]
    match words[0]:
        case "savepoint" | "release" if len(words) > 1:
            return Step(words[0], words[-1])
        case "rollback" | "abort":
            return Step("rollback to", words[-1]) if "to" in words else Step("rollback")
        case "commit" | "end":
            return Step("commit")
        case "prepare" if words[1:2] == ["transaction"]:
            return Step("commit")
        case _:
            return None
