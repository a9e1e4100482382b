"""The console in a real browser: every screen, every way of acting, and no complaint."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from relay.console.menu import SCREENS
from tests.console.browser import Scheme, chromium, served, tab, violations
from tests.console.incident import CLUSTER
from tests.console.test_changes import GROUP
from tests.console.test_screens import MARKUP
from tests.support.outbox import Outbox
from tests.support.postgres import Database

pytestmark = pytest.mark.processes

PATIENCE_MS = 20_000

DETAILS = (
    f"/find?q={CLUSTER}",
    "/parked/rows?topic=audit",
    "/rows/1696",
    "/shards/7",
    GROUP,
    "/no",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def base(incident: Outbox, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    assert incident.count() > 0
    monkeypatch.setenv("DATABASE_URL", database.dsn)
    monkeypatch.setenv("RELAY_CONSOLE_ACTIONS", "true")
    # Each look is drawn anew, and costs a page that is examined its time.
    monkeypatch.setenv("RELAY_CONSOLE_LOOK_SECONDS", "2")
    monkeypatch.delenv("ENABLE_EVENT_STREAMING", raising=False)
    with served() as address:
        yield address


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (375, "dark")])
def test_every_screen_is_sound(browser: Browser, base: str, width: int, scheme: Scheme) -> None:
    with tab(browser, base, width=width, scheme=scheme) as (page, complaints):
        for path in (*(screen.path for screen in SCREENS), *DETAILS):
            page.goto(path)
            page.wait_for_load_state("load")
            assert violations(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        # The page that is not there is one of them.
        assert [each for each in complaints if "404" not in each] == []


def test_a_page_is_kept_live(browser: Browser, base: str, incident: Outbox) -> None:
    with tab(browser, base) as (page, complaints):
        page.goto("/topics")
        incident.emit("Event", topic="brand-new")
        expect(page.get_by_text("brand-new")).to_be_visible(timeout=PATIENCE_MS)
        assert complaints == []


def test_a_page_asks_by_itself_where_nothing_is_told(
    browser: Browser, base: str, incident: Outbox
) -> None:
    with tab(browser, base) as (page, _):
        page.route("**/live", lambda route: route.abort())
        page.clock.install()
        with page.expect_event("requestfailed"):
            page.goto("/topics")
        incident.emit("Event", topic="brand-new")
        page.clock.run_for(6_000)
        expect(page.get_by_text("brand-new")).to_be_visible(timeout=PATIENCE_MS)


def requeue_all(page: Page) -> None:
    """Requeue a whole group by keys alone."""
    page.goto("/parked")
    page.get_by_role("link", name="Rows", exact=True).first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Requeue all…").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("the limit was raised")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("6 rows requeued.")


def test_a_group_is_requeued_with_the_keyboard(
    browser: Browser, base: str, incident: Outbox
) -> None:
    with tab(browser, base) as (page, complaints):
        requeue_all(page)
        expect(page.get_by_role("cell", name="the limit was raised")).to_be_visible()
        assert complaints == []
    assert incident.count("parked_at IS NOT NULL") == 3


def test_everything_works_without_scripts(browser: Browser, base: str, incident: Outbox) -> None:
    with tab(browser, base, java_script_enabled=False) as (page, _):
        page.goto("/shards/7")
        page.get_by_role("link", name="Resume…").click()
        page.get_by_label("Reason").fill("the consumer is back")
        page.get_by_role("button", name="Resume shard 7").click()
        expect(page.get_by_role("status")).to_have_text("1 shard resumed.")
    row = incident.connection.execute("SELECT paused_at FROM outbox_shard WHERE shard = 7")
    assert row.fetchone() == (None,)


def test_keys_lead_to_screens_and_to_find(browser: Browser, base: str) -> None:
    with tab(browser, base) as (page, complaints):
        page.goto("/")
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the content")).to_be_focused()
        page.keyboard.press("g")
        page.keyboard.press("s")
        expect(page.get_by_role("heading", level=1)).to_have_text("Shards")
        # Nobody hears keys before the page has its script.
        page.wait_for_load_state()
        page.keyboard.press("/")
        page.keyboard.type("host-1")
        page.keyboard.press("Enter")
        expect(page.get_by_text("2 rows are parked")).to_be_visible()
        assert complaints == []


def test_times_are_local_with_utc_on_hover(browser: Browser, base: str) -> None:
    with tab(browser, base, timezone_id="Asia/Tokyo", locale="en-GB") as (page, _):
        page.goto("/history")
        time = page.locator("td time").first
        title, text = time.get_attribute("title"), time.inner_text()
    utc, local = re.search(r" (\d\d):", title or ""), re.search(r"(\d\d):\d\d:\d\d", text)
    assert utc
    assert local
    assert (int(local[1]) - int(utc[1])) % 24 == 9


def test_the_theme_that_was_chosen_stays(browser: Browser, base: str) -> None:
    with tab(browser, base, scheme="light") as (page, _):
        page.goto("/")
        page.get_by_role("button", name="Dark").click()
        page.goto("/shards")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        expect(page.get_by_role("button", name="Light")).to_be_visible()


def test_markup_in_rows_is_never_obeyed(browser: Browser, base: str, incident: Outbox) -> None:
    incident.emit(MARKUP, key=MARKUP)
    incident.connection.execute(
        "UPDATE outbox SET parked_at = clock_timestamp(), last_error = %s WHERE name = %s",
        [MARKUP, MARKUP],
    )
    with tab(browser, base) as (page, complaints):
        for path in ("/", "/parked", "/parked/rows", f"/find?q={MARKUP}"):
            page.goto(path)
            expect(page.get_by_text("<script>alert(").first).to_be_attached()
        assert complaints == []
