"""Pages of a list: bounded in rows and bytes, one after the other by their cursors."""

from itertools import count

import pytest
from starlette.testclient import TestClient

from tests.service.api.conftest import Store, store_large_events
from tests.service.api.own.test_listing import EVENTS, messages
from tests.support.postgres import Database


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_pages_neither_repeat_nor_leave_out_while_events_come_and_go(
    admin: TestClient, store: Store, database: Database, order: str
) -> None:
    # Two and two at the same microsecond, across the ends of pages.
    for number in range(20):
        store(message=str(number), event_time=f"2026-11-24T12:00:00.{number // 2:06}Z")
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for page in count():
        answer = admin.get(EVENTS, params={"limit": 3, "order": order, **cursor})
        assert ("Event-Count" in answer.headers) == (page == 0)
        seen += [event["message"] for event in answer.json()]
        if "Next-Cursor" not in answer.headers:
            break
        cursor = {"cursor": answer.headers["Next-Cursor"]}
        # What is purged and what is written meanwhile would move an offset.
        store(message="new", event_time=f"2026-11-2{3 if order == 'ascending' else 5}T12:00:00Z")
        with database.connect() as connection:
            connection.execute("DELETE FROM outbox_event WHERE message = %s", (seen[-1],))
    expected = [str(number) for number in range(20)]
    assert seen == (expected if order == "ascending" else expected[::-1])


@pytest.mark.parametrize("large", [False, True])
def test_there_is_a_next_page_only_where_events_are_left(
    admin: TestClient, database: Database, *, large: bool
) -> None:
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO outbox_event (name, severity, message, props) SELECT 'x',"
            " (ARRAY['info', 'warning', 'error'])[n], n::text, json_build_object('log',"
            " repeat('x', %s)) FROM generate_series(1, 3) AS n",
            (1_500_000 if large else 1,),
        )
    for limit, leads_on in ((2, True), (3, False), (4, False)):
        answer = admin.get(EVENTS, params={"limit": limit})
        assert ("Next-Cursor" in answer.headers) == leads_on
        assert len(answer.json()) == min(limit, 3)
        # Of all, whether they are on the page or were counted.
        assert [value for name, value in answer.headers.items() if "count" in name] == [
            *("1", "1", "1", "0"), "3",
        ]  # fmt: skip


@pytest.mark.parametrize(
    "time",
    [
        "0001-01-01T00:00:00Z",
        "2255-06-05T23:47:34.740993Z",
        "5138-11-16T09:46:40.000001Z",
        "9999-12-31T23:59:59.999999Z",
    ],
)
@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_a_cursor_of_any_time_leads_on(
    admin: TestClient, store: Store, time: str, order: str
) -> None:
    store(message="a", event_time=time)
    store(message="b", event_time=time)
    first = admin.get(EVENTS, params={"limit": 1, "order": order})
    cursor = first.headers["Next-Cursor"]
    second = admin.get(EVENTS, params={"limit": 1, "order": order, "cursor": cursor})
    assert [answer.json()[0]["message"] for answer in (first, second)] == sorted(
        "ab", reverse=order == "descending"
    )
    assert first.json()[0]["event_time"] == time.replace("00Z", "00.000000Z")


def test_a_page_of_large_events_ends_early_and_leads_on(
    admin: TestClient, database: Database
) -> None:
    store_large_events(database, 10)
    seen: list[str] = []
    query: dict[str, str] = {}
    for page in count():
        answer = admin.get(EVENTS, params=query)
        assert len(answer.content) < 6_000_000
        seen += [event["message"] for event in answer.json()]
        if page == 0:
            assert answer.headers["Event-Count"] == "10"
        if "Next-Cursor" not in answer.headers:
            break
        query = {"cursor": answer.headers["Next-Cursor"]}
    assert seen == [str(number) for number in range(10)]


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_small_and_large_events_are_one_list(
    admin: TestClient, database: Database, order: str
) -> None:
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO outbox_event (name, severity, message, props)"
            " SELECT 'mixed', 'info', lpad(n::text, 3, '0'), json_build_object('log',"
            "        repeat('x', CASE WHEN n IN (70, 71, 140) THEN 1000000 ELSE 1 END))"
            " FROM generate_series(0, 150) AS n"
        )
    stored = sorted((f"{number:03}" for number in range(151)), reverse=order == "descending")
    for query, expected in (
        ({}, stored),
        ({"offset": 2, "limit": 145}, stored[2:147]),
        ({"offset": 70, "limit": 2}, stored[70:72]),
        ({"offset": 71, "limit": 1}, stored[71:72]),
    ):
        assert messages(admin, order=order, **query) == expected


@pytest.mark.parametrize("offset", [0, 1])
def test_what_is_left_out_behind_large_events_spoils_no_page(
    admin: TestClient, database: Database, offset: int
) -> None:
    # More than fits into what is on its way: the rest of the query is cancelled.
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO outbox_event (name, severity, message, props)"
            " SELECT 'mixed', 'info', n::text, json_build_object('log',"
            "        repeat('x', CASE WHEN n < 8 THEN 1000000 ELSE 1000 END))"
            " FROM generate_series(0, 9999) AS n"
        )
    answer = admin.get(EVENTS, params={"offset": offset, "limit": 10_000})
    assert (answer.status_code, answer.headers.get("Event-Count")) == (200, "10000")
    assert "Next-Cursor" in answer.headers


@pytest.mark.parametrize("cursor", ["9" * 19 + "." + "9" * 19, "-" + "9" * 19 + ".0"])
def test_a_cursor_beyond_all_times_is_at_the_end(
    admin: TestClient, store: Store, cursor: str
) -> None:
    store(message="a")
    expected = [] if cursor.startswith("9") else ["a"]
    assert messages(admin, cursor=cursor) == expected
