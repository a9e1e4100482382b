"""Debian's Chromium, driven by Playwright, and a console that it can reach."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from relay.console.app import Console
from relay.settings import load
from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.requirements import lacking

AXE = (Path(__file__).parent / "vendor" / "axe-4.14.1.min.js").read_text(encoding="utf-8")
Scheme = Literal["light", "dark"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; nothing is downloaded for it."""
    path = shutil.which("chromium")
    if path is None:
        lacking("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        # Root, as in CI, has no sandbox.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def served() -> Iterator[str]:
    """A console as the environment says, on a port of its own; its address."""
    console = Console(load(database=True, stream=True, console=True))
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(console.application(), host="127.0.0.1", port=port, log_config=None)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        console.live.end()
        server.should_exit = True
        thread.join()


@contextmanager
def tab(
    browser: Browser,
    base: str,
    *,
    width: int = 1440,
    scheme: Scheme = "light",
    **options: Any,  # noqa: ANN401 - Playwright's own
) -> Iterator[tuple[Page, list[str]]]:
    """A page of a new profile, and what it complains about: errors, dialogs, broken policies."""
    context = browser.new_context(
        base_url=base, viewport={"width": width, "height": 900}, color_scheme=scheme, **options
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    # One that is opened stays open, and would stop the test.
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    yield page, complaints
    context.close()


def violations(page: Page) -> list[str]:
    """What axe-core finds on the page as it is."""
    page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html'][:200]} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]
