"""Screens: each answers in HTML and in text, with what is there, and escapes all of it."""

import re
from html import unescape
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from relay.console import database
from relay.console.menu import SCREENS
from relay.console.pages import finding
from relay.operations.queries import browsing
from tests.console.conftest import Serve
from tests.console.incident import CLUSTER
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
    assert page.index("tzm4d") < page.index("5d77-q8r2w")
    assert "Broker: Topic authorization failed" in page


def test_hostile_text_stays_text(outbox: Outbox, console: TestClient) -> None:
    outbox.emit(MARKUP, key=MARKUP)
    outbox.connection.execute(
        "UPDATE outbox SET parked_at = clock_timestamp(), last_error = %s", [MARKUP]
    )
    outbox.emit(MARKUP, key=MARKUP)
    outbox.connection.execute("SELECT outbox_pause('{1}', %s, %s)", [MARKUP, MARKUP])
    row = outbox.connection.execute("SELECT min(id), max(shard) FROM outbox").fetchone()
    assert row
    find = f"/find?{urlencode({'q': MARKUP})}"
    more = (f"/shards/{row[1]}", f"/rows/{row[0]}", "/parked/rows", find)
    for path in (*(screen.path for screen in SCREENS), *more):
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


def test_a_refusal_leaves_no_traceback_and_no_broken_connection(
    console: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    # An exception that left the application would be raised here.
    for path, status in (("/events?of=cluster&id=x", 400), ("/shards/64", 404), ("/rows/9", 404),
                         ("/change/requeue", 400), ("/change/requeue?ids=x", 400)):  # fmt: skip
        assert console.get(path).status_code == status, path
    assert [each for each in caplog.records if each.exc_info] == []


def test_pages_keep_to_themselves(console: TestClient) -> None:
    for path in ("/", "/nowhere", "/static/console.css"):
        headers = console.get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
    assert console.get("/").headers["cache-control"] == "no-store"


@pytest.mark.usefixtures("incident")
def test_parked_rows_are_grouped_and_lead_to_one(console: TestClient) -> None:
    page = console.get("/parked").text
    assert "9 rows are parked, of 2 kinds." in page
    group = re.findall(r'href="(/parked/rows[^"]+)"', page)[0]
    rows = console.get(unescape(group)).text
    assert rows.count('href="/rows/') == 6
    row = console.get(re.findall(r'href="(/rows/\d+)"', rows)[0]).text
    assert "Parked: Broker: Message size too large" in row
    assert "installing" in row
    assert "hunter2" not in row


@pytest.mark.usefixtures("incident")
def test_topics_say_what_waits_and_what_is_held(console: TestClient) -> None:
    page = console.get("/topics", headers=TEXT).text
    assert re.search(r"billing +1,280 +\S +on hold +\S +Kafka refuses the relays", page)
    default = r"events-stream \(default\) +340 +317/s +flows +1,000,000 bytes +relays write it"
    assert re.search(default, page)


def test_find_says_at_once_what_is_known_and_goes_on_looking(
    incident: Outbox, console: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident.emit("Event", key="host-1")
    with monkeypatch.context() as many:
        many.setattr(browsing, "WAITING", "SELECT pg_sleep(60)")
        page = console.get("/find?q=host-1").text
        unknown = console.get("/find?q=nobody").text
    for each in (page, unknown):
        assert "Still looking among the rows that wait" in each
        assert 'hx-trigger="load, look from:body"' in each
    assert "2 rows are parked" in page
    assert "is known" not in unknown
    # The browser asks again at once, or the reader does; a terminal waits in the first place.
    asked = [
        console.get("/find?q=host-1", headers={"HX-Request": "true"}).text,
        console.get("/find?q=host-1&patient=1").text,
        console.get("/find?q=host-1", headers=TEXT).text,
    ]
    for each in asked:
        assert "1 row is waiting" in each
        assert "Still looking" not in each
        assert "load, look" not in each


def test_find_claims_nothing_of_rows_that_it_could_not_look_at(
    outbox: Outbox, console: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.emit("Event", key="mine")
    monkeypatch.setattr(finding, "PATIENCE_MS", 20)
    monkeypatch.setattr(browsing, "WAITING", "SELECT pg_sleep(60)")
    page = console.get("/find?q=mine", headers=TEXT).text
    assert "Not found in the time there was. Unknown: the rows that wait." in page


def test_find_says_where_a_key_an_event_and_a_row_are(
    incident: Outbox, console: TestClient
) -> None:
    row = incident.connection.execute(
        "SELECT id, event_id FROM outbox WHERE parked_at IS NOT NULL ORDER BY id LIMIT 1"
    ).fetchone()
    assert row
    for wanted in ("host-1", row[0], row[1]):
        page = console.get("/find", params={"q": str(wanted)}, headers=TEXT).text
        assert "parked: Broker: Message size too large" in page, wanted
    event = incident.connection.execute("SELECT event_id FROM outbox_event LIMIT 1").fetchone()
    assert event
    assert "has left the outbox" in console.get(f"/find?q={event[0]}").text
    about = console.get(f"/find?q={CLUSTER}", headers=TEXT).text
    assert "Registered cluster prod-eu-3" in about
    assert "Nothing of it" in console.get("/find?q=no-such-key").text
    held = console.get("/find?q=cluster-1", headers=TEXT).text
    assert "topic on hold: Broker: Topic authorization failed" in held


def test_events_are_filtered_as_in_the_api(incident: Outbox, console: TestClient) -> None:
    page = console.get(f"/events?of=cluster&id={CLUSTER}&severity=critical", headers=TEXT).text
    assert "has not made progress" in page
    assert "Registered" not in page
    assert "Registered" in console.get("/events?message=registered", headers=TEXT).text
    assert console.get(f"/events?of=host&id={CLUSTER}", headers=TEXT).text.count("worker") == 0
    worse = console.get("/events?severity=error,critical", headers=TEXT).text
    assert ("could not be pulled" in worse, "has not made" in worse, "ntp" in worse) == (
        True, True, False,
    )  # fmt: skip
    names = console.get("/events?name=host_stage,validation_fixed", headers=TEXT).text
    assert ("is fixed" in names, "Writing image" in names, "failed" in names) == (True, True, False)
    incident.connection.execute(
        "UPDATE outbox_event SET request_id = 'r-1' WHERE name = 'host_stage'"
    )
    asked = console.get("/events?request=r-1", headers=TEXT).text
    assert ("Writing image" in asked, "is fixed" in asked) == (True, False)


@pytest.mark.parametrize(
    "query", ["of=cluster&id=x", "severity=bad", "since=yesterday", "after=1", "of=host&id=%00"]
)
def test_a_filter_that_makes_no_sense_is_said(console: TestClient, query: str) -> None:
    assert console.get(f"/events?{query}").status_code == 400


@pytest.mark.usefixtures("incident")
def test_history_and_database_answer(console: TestClient) -> None:
    assert re.search(r"ada +pause +shard 7, 41", console.get("/history", headers=TEXT).text)
    assert "outbox_event" in console.get("/database", headers=TEXT).text


def test_the_database_away_is_a_page_that_comes_back(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "POOL_SECONDS", 0.1)
    client = serve(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    for path in ("/", "/parked"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert "comes back by itself" in answer.text
        assert "data-live" in answer.text
        assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    "value", ["%00", "%ED%A0%80", "x" * 3_000, "-1", "9" * 40, "%27%3B--", "[]"]
)
def test_no_value_of_an_address_breaks_a_page(console: TestClient, value: str) -> None:
    for path in (
        "/find?q={}",
        "/parked/rows?topic={0}&reason={0}&after={0}",
        "/parked/rows?ids={}",
        "/history?action={0}&person={0}&key={0}&topic={0}&before={0}",
        "/events?of={0}&id={0}&kind={0}",
        "/events?name={0}&message={0}&category={0}&request={0}",
        "/events?severity={0}",
        "/events?since={0}&after={0}",
        "/rows/{}",
        "/shards/{}",
        "/change/requeue?ids={}",
        "/change/redirect?topic={}",
        "/change/pause?shards={}",
        "/change/end?pid={}",
        "/export?ids={}",
        "/{}",
    ):
        answer = console.get(path.format(value))
        assert answer.status_code < 500, (path, answer.text)
        assert "Traceback" not in answer.text
