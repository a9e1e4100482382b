"""Content of a page as plain values: blocks of cells, shown as HTML or as text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

Tone = Literal["", "good", "note", "warning", "bad", "muted"]


@dataclass(frozen=True)
class Cell:
    """A text, and how it is shown. *moment*: a browser shows it in the time of its place."""

    text: str
    href: str = ""
    tone: Tone = ""
    moment: datetime | None = None
    is_code: bool = False
    is_number: bool = False
    title: str = ""


@dataclass(frozen=True)
class Button:
    """Link to an action or another page. *blocked*: the reason why it cannot be used."""

    label: str
    href: str
    tone: Tone = ""
    blocked: str = ""


@dataclass(frozen=True)
class Notice:
    """Finding with its details, its command and its buttons."""

    tone: Tone
    title: str
    text: str
    command: str = ""
    buttons: Sequence[Button] = ()


@dataclass(frozen=True)
class Tile:
    """Figure with a label, a note, and its last hour: values from old to new, null for unknown."""

    label: str
    value: Cell
    note: str = ""
    spark: Sequence[float | None] = ()


@dataclass(frozen=True)
class Tiles:
    """Figures in a row."""

    tiles: Sequence[Tile]


@dataclass(frozen=True)
class Chart:
    """Lines over time: *times* in seconds since 1970, and values of each line."""

    title: str
    times: Sequence[int]
    lines: Sequence[tuple[str, Sequence[float | None]]]


@dataclass(frozen=True)
class Table:
    """Rows of cells under column names. *more* leads to the next page."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str
    buttons: Sequence[Button] = ()
    more: str = ""
    note: str = ""


@dataclass(frozen=True)
class Facts:
    """Names with values."""

    title: str
    rows: Sequence[tuple[str, Cell]]
    buttons: Sequence[Button] = ()


@dataclass(frozen=True)
class Square:
    """Shard in the grid."""

    shard: int
    rows: int
    tone: Tone
    mark: str
    title: str
    href: str


@dataclass(frozen=True)
class Grid:
    """All shards, eight by eight."""

    title: str
    squares: Sequence[Square]
    legend: Sequence[tuple[Tone, str]]


@dataclass(frozen=True)
class Moment:
    """Event in a timeline."""

    at: datetime
    tone: Tone
    label: str
    name: str
    text: str
    about: Sequence[Cell]
    details: str = ""


@dataclass(frozen=True)
class Timeline:
    """Events, the newest first. *more* leads to the next page."""

    title: str
    moments: Sequence[Moment]
    empty: str
    more: str = ""


@dataclass(frozen=True)
class Code:
    """Text as it is: a payload, or an error."""

    title: str
    text: str


@dataclass(frozen=True)
class Field:
    """Input of a form. *choices* make it a selection."""

    name: str
    label: str
    value: str = ""
    choices: Sequence[tuple[str, str]] = ()
    kind: Literal["text", "search", "datetime-local", "hidden"] = "text"
    hint: str = ""


@dataclass(frozen=True)
class Search:
    """Form that looks for something, with GET."""

    fields: Sequence[Field]
    submit: str


@dataclass(frozen=True)
class Change:
    """Form that changes something, with POST, after a reason is given."""

    verb: str
    consequence: str
    fields: Sequence[Field]
    submit: str
    count: int
    danger: bool = False
    blocked: str = ""
    cancel: str = ""
    buttons: Sequence[Button] = ()


Block: TypeAlias = Notice | Tiles | Chart | Table | Facts | Grid | Timeline | Code | Search | Change


@dataclass(frozen=True)
class Page:
    """Page: its place in the menu, a sentence, fixed blocks above, and blocks that are kept live.

    *again*: a browser asks for it once more at once, for what takes longer. *status* is that of
    HTTP. *as_of*: when what it shows was looked up; null for now.
    """

    here: str
    title: str
    blocks: Sequence[Block]
    lead: str = ""
    tone: Tone = ""
    above: Sequence[Block] = ()
    status: int = 200
    live: bool = True
    again: bool = False
    as_of: datetime | None = None
    crumbs: Sequence[tuple[str, str]] = field(default_factory=tuple)
