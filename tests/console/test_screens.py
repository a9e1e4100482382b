"""Screens: each answers in HTML and in text, with what is there, and escapes all of it."""

import re

import pytest
from starlette.testclient import TestClient

from relay.console.menu import SCREENS
from tests.support.outbox import Outbox

TEXT = {"Accept": "text/plain"}
MARKUP = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
every_screen = pytest.mark.parametrize("path", [screen.path for screen in SCREENS])


@every_screen
@pytest.mark.usefixtures("incident")
def test_a_screen_is_html_within_the_limit(console: TestClient, path: str) -> None:
    answer = console.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert len(answer.content) < 60_000
    # Nothing that the policy would forbid, or that is fetched from elsewhere.
    assert not re.search(
        r"<script>|<style|\son\w+=|\sstyle=|(src|href)=\"(https?:)?//", answer.text
    )


@every_screen
@pytest.mark.usefixtures("incident")
def test_a_screen_is_text_for_whoever_prefers_that(console: TestClient, path: str) -> None:
    answer = console.get(path, headers=TEXT)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "<" not in answer.text


@every_screen
def test_an_empty_outbox_has_every_screen(console: TestClient, path: str) -> None:
    assert console.get(path).status_code == 200


@pytest.mark.usefixtures("incident")
def test_now_says_what_holds_rows_up_with_buttons(console: TestClient) -> None:
    page = console.get("/").text
    assert "No: 1,695 rows wait" in page
    assert "on hold: billing" in page
    assert page.count('<path d="M') >= 4
    # Read-only: the buttons are there, and say why they do nothing.
    assert 'title="The console is read-only: RELAY_CONSOLE_ACTIONS is off."' in page
    assert 'href="/change/' not in page


def test_shards_say_who_paused_and_holds_them(
    incident: Outbox, console: TestClient, database_connection: Outbox
) -> None:
    with database_connection.connection.transaction():
        database_connection.connection.execute(
            "SELECT FROM outbox_shard WHERE shard = 12 FOR UPDATE"
        )
        page = console.get("/shards", headers=TEXT).text
    assert "2 paused" in page
    assert "consumer of region eu is down" in page
    assert re.search(r"\(pid \d+\) +postgres", page)
    pending = incident.count("parked_at IS NULL AND shard = 12")
    assert re.search(rf"\b12 +{pending}\b", page)


def test_one_shard_shows_its_oldest_rows(incident: Outbox, console: TestClient) -> None:
    row = incident.connection.execute(
        "SELECT id, shard FROM outbox WHERE parked_at IS NULL ORDER BY id LIMIT 1"
    ).fetchone()
    assert row
    page = console.get(f"/shards/{row[1]}").text
    assert f'href="/rows/{row[0]}"' in page
    assert console.get("/shards/64").status_code == 404


@pytest.mark.usefixtures("incident")
def test_relays_say_how_they_are(console: TestClient) -> None:
    page = console.get("/relays", headers=TEXT).text
    assert "2 relays are alive" in page
    assert re.search(r"outbox-relay-5d77-q8r2w +ended", page)
    assert "Broker: Topic authorization failed" in page


def test_hostile_text_stays_text(outbox: Outbox, console: TestClient) -> None:
    outbox.emit(MARKUP, key=MARKUP)
    outbox.connection.execute(
        "UPDATE outbox SET parked_at = clock_timestamp(), last_error = %s", [MARKUP]
    )
    outbox.emit(MARKUP, key=MARKUP)
    row = outbox.connection.execute("SELECT max(id), max(shard) FROM outbox").fetchone()
    assert row
    for path in ("/", "/shards", f"/shards/{row[1]}", "/relays"):
        page = console.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in console.get(f"/shards/{row[1]}").text


@pytest.mark.parametrize("path", ["/nowhere", "/shards/x", "/shards/-1", "/static/../app.py"])
def test_what_is_not_there_is_said_on_a_page(console: TestClient, path: str) -> None:
    answer = console.get(path)
    assert answer.status_code == 404
    assert "The menu has every screen" in answer.text
    assert "Traceback" not in answer.text


def test_pages_keep_to_themselves(console: TestClient) -> None:
    for path in ("/", "/nowhere", "/static/console.css"):
        headers = console.get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
    assert console.get("/").headers["cache-control"] == "no-store"
