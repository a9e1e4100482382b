"""Tables in texts: a heading names the columns, and some of them hold secrets."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from relay.service.redaction.names import Names, Verdict
from relay.service.redaction.values import REDACTED, is_harmless_text, is_prose

_NAME: Final = r"[\w.-]{1,60}"


class _Form(NamedTuple):
    """A way to write tables: its heading, and the cells of any line."""

    heading: re.Pattern[str]
    cell: re.Pattern[str]

    def cells(self, line: str) -> list[re.Match[str]]:
        """Return the cells of *line*."""
        return [found for found in self.cell.finditer(line) if found[0]]


class _Table(NamedTuple):
    """A table in a text: its columns, and the verdicts on those that hold secrets."""

    form: _Form
    width: int
    secret: Mapping[int, Verdict]
    may_be_prose: bool


def _separated(sign: str) -> _Form:
    """Values with *sign* between them, in quotes or not."""
    name = rf"[ ]{{0,4}}\"?{_NAME}\"?[ ]{{0,4}}"
    cell = rf"[ ]{{0,9}}+(?:\"(?P<quoted>(?:[^\"]|\"\")*+)\"|(?P<plain>[^{sign}]*+))[^{sign}]*+"
    return _Form(
        re.compile(rf"{name}(?:{sign}{name}){{1,100}}\s*"), re.compile(rf"{cell}(?:{sign}|$)")
    )


_FORMS: Final[Mapping[str, _Form]] = {
    "|": _Form(
        re.compile(
            rf"\s*\|?(?:[ ]{{0,40}}{_NAME}(?:[ ]{_NAME}){{0,2}}[ ]{{0,40}}\|){{1,100}}"
            rf"(?:[ ]{{0,40}}{_NAME}[ ]{{0,40}})?\s*"
        ),
        re.compile(r"[ ]{0,40}+(?P<quoted>(?!))?(?P<plain>[^|]*+)(?:\||$)"),
    ),
    "\t": _separated("\t"),
    ";": _separated(";"),
    ",": _separated(","),
    "  ": _Form(
        re.compile(r"\s*[A-Z][A-Z0-9_.-]{1,60}(?:[ ]{2,40}[A-Z][A-Z0-9_.-]{1,60}){1,100}\s*"),
        re.compile(r"[ ]*+(?P<quoted>(?!))?(?P<plain>[^\s]++(?:[ ][^\s]++)*+)(?:[ ]{2}|[ ]?$)"),
    ),
}
_OBJECT: Final = re.compile(r"[a-z]{2,}(?:-[a-z0-9]+)+")
"""The name of a Secret of Kubernetes."""
_RULE: Final = re.compile(r"[\s|:+=-]+")
"""The line between the heading and the rows, in Markdown and of psql."""


def redact_tables(text: str, names: Names) -> str:
    """Return *text* without the cells below a heading that names a secret."""
    if "\n" not in text or not any(sign in text for sign in _FORMS):
        return text
    return "".join(_lines(text, names))


def _lines(text: str, names: Names) -> Iterator[str]:
    table: _Table | None = None
    for line in text.splitlines(keepends=True):
        body = line.rstrip("\r\n")
        if table is not None and _RULE.fullmatch(body):
            yield line
        elif table is not None and len(cells := table.form.cells(body)) == table.width:
            yield _redacted(body, cells, table) + line[len(body) :]
        else:
            table = _table(body, names)
            yield line


def _table(line: str, names: Names) -> _Table | None:
    """Return the table of which *line* is the heading, if it has a column of secrets."""
    for sign, form in _FORMS.items():
        if sign in line and form.heading.fullmatch(line):
            cells = form.cells(line)
            verdicts = {place: _verdict(cell, names) for place, cell in enumerate(cells)}
            secret = {
                place: verdict
                for place, verdict in verdicts.items()
                if verdict is not Verdict.INNOCENT
            }
            # "user, password" may be a part of a sentence.
            may_be_prose = sign == "," and ", " in line
            return _Table(form, len(cells), secret, may_be_prose) if secret else None
    return None


def _verdict(cell: re.Match[str], names: Names) -> Verdict:
    return names.verdict(_value(cell)[1].strip().replace(" ", "_"))


def _redacted(line: str, cells: list[re.Match[str]], table: _Table) -> str:
    for place in sorted(table.secret, reverse=True):
        group, value = _value(cells[place])
        bare = value.strip()
        if not bare or _is_harmless(bare, table.secret[place], table):
            continue
        start = cells[place].start(group) + len(value) - len(value.lstrip())
        line = line[:start] + REDACTED + line[start + len(bare) :]
    return line


def _value(cell: re.Match[str]) -> tuple[str, str]:
    """Return the group that holds the value of *cell*, and the value."""
    group = "plain" if cell["quoted"] is None else "quoted"
    return group, cell[group] or ""


def _is_harmless(value: str, verdict: Verdict, table: _Table) -> bool:
    if is_harmless_text(value, verdict) or is_prose(value, verdict):
        return True
    if verdict is not Verdict.SECRET and _OBJECT.fullmatch(value):
        return True
    return table.may_be_prose and value.isalpha()
