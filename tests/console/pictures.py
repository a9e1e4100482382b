"""Pictures of docs/console.md, taken of an incident: `make pictures`. Needs Debian's pngquant."""

import os
import subprocess
from pathlib import Path
from typing import Final

import psycopg

from relay.database.migration import migrate
from relay.demo.postgres import EmbeddedPostgres
from tests.console.browser import Scheme, chromium, served, tab
from tests.console.incident import CLUSTER, fill
from tests.console.test_changes import GROUP
from tests.support.repository import ROOT
from tests.support.requirements import program

FOLDER: Final = ROOT / "docs" / "images"
BYTES_MAX: Final = 60_000

PICTURES: Final[dict[str, tuple[str, int, Scheme]]] = {
    "now": ("/", 1200, "light"),
    "now-dark": ("/", 1200, "dark"),
    "shards": ("/shards", 1200, "light"),
    "shards-phone": ("/shards", 375, "dark"),
    "parked": ("/parked", 1200, "light"),
    "topics": ("/topics", 1200, "light"),
    "find": (f"/find?q={CLUSTER}", 1200, "light"),
    "events": (f"/events?of=cluster&id={CLUSTER}", 1200, "light"),
    "relays": ("/relays", 1200, "light"),
    "database": ("/database", 1200, "light"),
    "history": ("/history", 1200, "light"),
    "doctor": ("/doctor", 1200, "light"),
    "requeue": (GROUP, 1200, "light"),
}


def take(address: str) -> None:
    """Take all pictures of the console at *address*."""
    with chromium() as browser:
        for name, (path, width, scheme) in PICTURES.items():
            with tab(browser, address, width=width, scheme=scheme, locale="en-GB") as (page, _):
                page.goto(path)
                # Charts, and the findings of the doctor.
                page.get_by_text("Examining").wait_for(state="detached")
                page.wait_for_timeout(1_000)
                file = FOLDER / f"console-{name}.png"
                clip_height = min(page.evaluate("document.documentElement.scrollHeight"), 1_000)
                page.set_viewport_size({"width": width, "height": clip_height})
                page.screenshot(path=file)
                _shrink(file)


def _shrink(file: Path) -> None:
    quantize = [program("pngquant", package="pngquant"), "--quality", "60-95", "--speed", "1"]
    subprocess.run([*quantize, "--strip", "--force", "--output", file, file], check=True)
    size = file.stat().st_size
    print(f"{size:>7,} {file.relative_to(ROOT)}")  # noqa: T201 - it tells what it wrote
    assert size <= BYTES_MAX, file


def main() -> None:
    """Fill a database of our own, and take the pictures."""
    with EmbeddedPostgres({"fsync": "off"}) as server:
        dsn = server.dsn()
        migrate(dsn)
        with psycopg.connect(dsn, autocommit=True) as connection:
            fill(connection)
        os.environ |= {"DATABASE_URL": dsn, "RELAY_CONSOLE_ACTIONS": "true", "LOGNAME": "ada"}
        holder = psycopg.connect(dsn, application_name="psql")
        holder.execute("SELECT FROM outbox_shard WHERE shard = 12 FOR UPDATE")
        with served() as address:
            take(address)
        holder.close()


if __name__ == "__main__":
    main()
