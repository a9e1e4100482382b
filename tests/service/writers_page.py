"""The tables of docs/writers.md: what holds for which kind of writer."""

from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Final

import pytest

PAGE: Final = Path(__file__).parents[2] / "docs" / "writers.md"


@cache
def cells() -> dict[str, dict[str, str]]:
    """Return what the page says, by promise and kind of writer: yes, no or n/a."""
    found: dict[str, dict[str, str]] = {}
    kinds: list[str] = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        promise, *said = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if promise == "promise":
            kinds = said
        elif line.startswith("| "):
            # Without the footnotes.
            found[promise] = dict(zip(kinds, (cell.rstrip("¹²³⁴⁵") for cell in said), strict=True))
    return found


async def assert_documented(promise: str, kind: str, prove: Callable[[], Awaitable[None]]) -> None:
    """Let *prove* try the *promise* with a writer of this *kind*: the page says what comes out."""
    said = cells()[promise][kind]
    match said:
        case "yes":
            await prove()
        case "no":
            with pytest.raises((Exception, pytest.fail.Exception)):
                await prove()
        case _:
            assert said == "n/a", f"{kind}, {promise}: {said}"
