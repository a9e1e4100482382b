"""Values that errors of databases and of validation quote."""

import re
from typing import Final

from relay.service.redaction.names import Names, Verdict
from relay.service.redaction.shape import Shape
from relay.service.redaction.values import REDACTED

STATEMENT_SHAPES: Final = (
    # SQLAlchemy appends what a statement was given.
    Shape(
        ("[",),
        re.compile(r"(\[parameters: ).*?(?:\](?=\n\(Background|\s*\Z|\s*\n)|\Z)", re.DOTALL),
        rf"\1{REDACTED}]",
    ),
    Shape(("=",), re.compile(r"(parameters: )\$1 = [^\n]*"), rf"\1{REDACTED}"),
    # PostgreSQL quotes the whole row that a constraint refuses.
    Shape(
        ("contains (",),
        re.compile(r"(row contains )\(.*?(?:\)\.?(?=\s*\n|\s*\Z)|\Z)", re.DOTALL),
        rf"\1({REDACTED})",
    ),
    Shape(
        ("=",),
        re.compile(r"((?:after|option) )\"[^\"\n]{1,500}\"( in connection info)"),
        rf'\1"{REDACTED}"\2',
    ),
)

_HOST_NAME: Final = re.compile(r"(host name \")[^\"\n]{1,500}@(?=[^\"\n@]*\")")
_COLUMNS: Final = re.compile(
    r"(Key \((?P<names>[^()\n]{1,500}(?:\([^()\n]{0,200}\)[^()\n]{0,200})?)\)=\()"
    r"[^\n]*?(\)(?= [a-z]|\.|\n|\Z)|(?=\n|\Z))"
)
_ENTRY: Final = re.compile(
    r"(Duplicate entry ')[^\n]{0,500}?(' for key '(?P<names>[\w.-]{1,100})')"
)
_INSERT: Final = re.compile(
    r"(?P<before>INSERT INTO [\w.\"`]{1,130} ?\((?P<names>[^()]{1,4000})\) ?VALUES ?)"
    r"(?=[^%:?$])(?P<rows>\([^\n]*)",
    re.IGNORECASE,
)
_VALIDATED: Final = re.compile(
    r"(?P<before>^(?P<names>[\w.\[\]-]{1,200})\n[ ]{2}[^\n]{1,500}?\[type=\w{1,100}, )"
    r"input_value=[^\n]*?(?=, input_type=|\]$|$)",
    re.MULTILINE,
)
HINTS: Final = ("key", "=", "pass", "secret", "token", "@")
_NAME: Final = re.compile(r"\w+")


def redact_statements(text: str, names: Names) -> str:
    """Return *text* without the values of columns whose names are secret."""

    def secret(match: re.Match[str]) -> bool:
        found = _NAME.findall(match["names"])
        return any(names.verdict(name) not in {Verdict.INNOCENT, Verdict.UNSURE} for name in found)

    def key(match: re.Match[str]) -> str:
        return f"{match[1]}{REDACTED}{match[3]}" if secret(match) else match[0]

    def entry(match: re.Match[str]) -> str:
        return f"{match[1]}{REDACTED}{match[2]}" if secret(match) else match[0]

    def insert(match: re.Match[str]) -> str:
        return f"{match['before']}({REDACTED})" if secret(match) else match[0]

    def validated(match: re.Match[str]) -> str:
        return f"{match['before']}input_value={REDACTED}" if secret(match) else match[0]

    if "Key (" in text:
        text = _COLUMNS.sub(key, text)
    if "Duplicate entry" in text:
        text = _ENTRY.sub(entry, text)
    if "host name" in text:
        text = _HOST_NAME.sub(rf"\1{REDACTED}@", text)
    if "input_value=" in text:
        text = _VALIDATED.sub(validated, text)
    return _INSERT.sub(insert, text) if "VALUES" in text.upper() else text
