"""The rules of the house that no linter knows. CONTRIBUTING.md says why each is there."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.repository import ROOT

MODULE_LINES_MAX = 350
FUNCTION_LINES_MAX = 50
CODE = ("relay", "tests", "benchmarks", "deploy")
QUESTION_WORDS = re.compile(r"(What|Whether|How|Which|Who|Whom|Whose|Where|When|Why|From)\b")
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "misc", "common"}
# A link in Markdown to a file of the repository, with or without a heading.
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#([\w-]+))?\)")

SOURCES = sorted(path for folder in CODE for path in (ROOT / folder).rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "helm").glob("*.md")])


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def documented(path: Path) -> Iterator[tuple[int, str]]:
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(tree(path)):
        if isinstance(node, kinds) and (text := ast.get_docstring(node)):
            yield getattr(node, "lineno", 1), text


def begun(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the line of the first statement: the options of a command are a table, not a flow."""
    statements = function.body[1:] if ast.get_docstring(function) else function.body
    return statements[0].lineno if statements else function.lineno


def headings(page: Path) -> set[str]:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_module_is_longer_than_can_be_read_at_once() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: n for name, n in lengths.items() if n > MODULE_LINES_MAX} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{named(path)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - begun(node) >= FUNCTION_LINES_MAX
    ]
    assert long == []


def test_a_docstring_names_the_thing_or_begins_with_a_verb() -> None:
    asking = [
        f"{named(path)}:{line} {text.splitlines()[0]}"
        for path in SOURCES
        if path.is_relative_to(ROOT / "relay")
        for line, text in documented(path)
        if QUESTION_WORDS.match(text)
    ]
    assert asking == []


def test_a_file_is_named_after_what_it_holds() -> None:
    assert [named(path) for path in SOURCES if path.stem in VAGUE_NAMES] == []


def test_there_is_more_test_than_code_and_not_twice_as_much() -> None:
    lines = {
        folder: sum(len(p.read_text().splitlines()) for p in (ROOT / folder).rglob("*.py"))
        for folder in ("relay", "tests")
    }
    assert 1.0 <= lines["tests"] / lines["relay"] <= 2.0


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    dead = []
    for target, heading in LINK.findall(page.read_text(encoding="utf-8")):
        there = (page.parent / target).resolve()
        known = heading == "" or there.suffix != ".md" or heading in headings(there)
        if not there.exists() or not known:
            dead.append(f"{target}#{heading}" if heading else target)
    assert dead == []


def test_a_lock_names_no_registry() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        assert "://" not in lock.read_text(), lock.name
