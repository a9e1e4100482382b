"""Pages as text, for `curl -H 'Accept: text/plain'`."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from relay.console.content import (
    Block,
    Cell,
    Change,
    Chart,
    Code,
    Facts,
    Grid,
    Notice,
    Page,
    Search,
    Table,
    Tiles,
    Timeline,
)

WIDTH: Final = 100
_MARKS: Final = {"good": "ok", "warning": "warning", "bad": "failed", "note": "note", "muted": "-"}


def text(page: Page) -> str:
    """Return *page* as lines of text."""
    return "\n".join(_lines(page)) + "\n"


def _lines(page: Page) -> Iterator[str]:
    yield printable(page.title)
    if page.lead:
        yield from textwrap.wrap(printable(page.lead), WIDTH)
    for block in (*page.above, *page.blocks):
        lines = list(_block(block))
        if lines:
            yield ""
            yield from lines
    if page.as_of:
        yield f"\nAs of {page.as_of:%Y-%m-%d %H:%M:%S}Z."


def _block(block: Block) -> Iterator[str]:
    match block:
        case Notice():
            yield from _notice(block)
        case Tiles():
            yield from _pairs([(tile.label, tile.value) for tile in block.tiles])
        case Change():
            yield from textwrap.wrap(printable(block.consequence), WIDTH)
        case Chart() | Search():
            return
        case _:
            yield printable(block.title)
            yield from (f"  {line}" for line in _within(block))


def _notice(block: Notice) -> Iterator[str]:
    yield printable(f"{_MARKS.get(block.tone, 'note')}: {block.title}")
    text = printable(block.text)
    yield from textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")
    if block.command:
        yield printable(f"  $ {block.command}")


def _within(block: Facts | Table | Grid | Timeline | Code) -> Iterator[str]:
    match block:
        case Facts():
            yield from _pairs(block.rows)
        case Table():
            yield from _table(block.columns, block.rows) if block.rows else (block.empty,)
        case Grid():
            for begin in range(0, len(block.squares), 8):
                row = block.squares[begin : begin + 8]
                yield "".join(f"{each.shard:>3} {each.rows:>7,}" for each in row)
        case Timeline():
            yield from (
                printable(f"{each.at:%Y-%m-%d %H:%M:%S}Z {each.label:<8} {each.text}")
                for each in block.moments
            )
            if not block.moments:
                yield block.empty
        case Code():
            yield from map(printable, block.text.splitlines())


def _pairs(rows: Iterable[tuple[str, Cell]]) -> Iterator[str]:
    pairs = list(rows)
    width = max((len(name) for name, _ in pairs), default=0)
    yield from (printable(f"{name:<{width}}  {cell.text}") for name, cell in pairs)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    texts = [
        list(map(printable, columns)),
        *([printable(cell.text) for cell in row] for row in rows),
    ]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        padded = (f"{value:<{width}}" for value, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def printable(value: str) -> str:
    """Return *value* without anything that a terminal would obey."""
    return "".join(each if each.isprintable() else "?" for each in value)
