"""Texts of SQL, read as far as needed: their words, and the savepoints they set."""

import re
from collections.abc import Iterator, Sequence
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
_STEP: Final = re.compile(
    r"(?i)(?:^|;|\*/|\n)\s*(?:savepoint|release|rollback|abort|commit|end|prepare)\b"
)


class Word(NamedTuple):
    """A word, a quoted name, or one other character; *plain* words may be keywords."""

    text: str
    plain: bool


Statement: TypeAlias = Sequence[Word]


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
