"""YAML in texts: blocks that belong to a secret name, and Secrets of Kubernetes."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from relay.service.redaction.names import Names, Verdict
from relay.service.redaction.values import REDACTED

_BLOCK_HEAD: Final = re.compile(
    r"(?P<indent>[ \t]*(?:- +)*)(?:\? )?[\"']?(?P<name>[\w.-]{1,100})[\"']?[ \t]*:"
    r"(?P<mark>[ \t]*(?:[|>][-+\d]{0,3})?(?:[&!][\w!]{1,40})?[ \t]*)"
)
_KIND: Final = re.compile(r"(?m)^[ \t]*(?:- )?[\"']?kind[\"']?:[ \t]*[\"']?Secret[\"']?[ \t]*\r?$")
_DOCUMENT: Final = re.compile(r"(?m)^---")
_DATA: Final = re.compile(r"(?P<indent>[ \t]*)(?:data|stringData):(?P<rest>.*)", re.DOTALL)
_ENTRY: Final = re.compile(r"([ \t]*[\"']?[\w.-]{1,250}[\"']?:[ \t]*)(.*)", re.DOTALL)
_CREDENTIAL: Final = re.compile(
    r"(?P<before>Data:map\[string\]\[\]byte|StringData:map\[string\]string)\{[^}]*(?:\}|\Z)"
)


def redact_blocks(text: str, names: Names) -> str:
    """Return *text* without the indented lines below a secret name."""
    if "\n" not in text:
        return text
    return "".join(_blocks(text.splitlines(keepends=True), names))


def redact_manifests(text: str) -> str:
    """Return *text* without the data of Kubernetes Secrets."""
    if "Secret" not in text or "ata:" not in text:
        return text
    text = _CREDENTIAL.sub(rf"\g<before>{{{REDACTED}}}", text)
    if not _KIND.search(text):
        return text
    starts = [0, *(match.start() for match in _DOCUMENT.finditer(text)), len(text)]
    documents = (text[a:b] for a, b in pairwise(starts))
    return "".join(
        "".join(_data(document.splitlines(keepends=True))) if _KIND.search(document) else document
        for document in documents
    )


def _blocks(lines: list[str], names: Names) -> Iterator[str]:
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        yield line
        head = _BLOCK_HEAD.fullmatch(line.rstrip("\r\n"))
        if head is None:
            continue
        verdict = names.verdict(head["name"])
        if verdict is Verdict.INNOCENT:
            continue
        end = _end_of_block(lines, position, len(head["indent"]), list_too=not head["mark"].strip())
        block = lines[position:end]
        if block and not _is_reference(block, verdict):
            yield f"{_indent(block[0])}{REDACTED}\n"
            position = end


def _end_of_block(lines: list[str], start: int, indent: int, *, list_too: bool) -> int:
    """Return the line after those that are indented deeper, or that are items of a list."""
    end = start
    while end < len(lines):
        line = lines[end]
        deeper = len(_indent(line)) > indent
        item = list_too and len(_indent(line)) == indent and line.lstrip().startswith("- ")
        if line.strip() and not deeper and not item:
            break
        end += 1
    return end


def _is_reference(block: list[str], verdict: Verdict) -> bool:
    """Tell whether the lines name an object that holds the secret, or are redacted by now."""
    if verdict is Verdict.SECRET:
        return all(line.strip() in {"", REDACTED} for line in block)
    fields = [line.strip().removeprefix("- ").partition(":") for line in block if line.strip()]
    known = {"name", "key", "namespace", "secretName", "optional", "kind", "apiVersion", REDACTED}
    return all(name in known and (colon or name == REDACTED) for name, colon, _ in fields)


def _data(lines: list[str]) -> Iterator[str]:
    inside: int | None = None
    for line in lines:
        if inside is not None and line.strip() and len(_indent(line)) <= inside:
            inside = None
        if inside is None:
            head = _DATA.fullmatch(line)
            if head is None:
                yield line
                continue
            inside = len(head["indent"])
            rest = head["rest"].strip()
            yield line if not rest else line.replace(rest, REDACTED)
        else:
            entry = _ENTRY.fullmatch(line)
            hidden = f"{entry[1]}{REDACTED}\n" if entry else f"{_indent(line)}{REDACTED}\n"
            yield hidden if line.strip() else line


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]
