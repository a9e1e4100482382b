"""Cells, links and sparklines: what a value looks like."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from relay.console import cells, spark
from relay.console.content import Cell
from relay.console.links import to
from relay.console.rendering import short


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1.0, "0.0 s"),
        (0.04, "0.0 s"),
        (59.9, "59.9 s"),
        (60, "1.0 min"),
        (5_400, "1.5 h"),
        (200_000, "2.3 d"),
    ],
)
def test_a_duration_has_the_largest_unit_that_fits(seconds: float, shown: str) -> None:
    assert cells.age(seconds).text == shown
    assert cells.age(seconds).is_number


@pytest.mark.parametrize(
    ("given", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 << 20, "5.0 MiB"), (3 << 30, "3.0 GiB")],
)
def test_bytes_have_the_largest_unit_that_fits(given: int, shown: str) -> None:
    assert cells.size(given).text == shown


def test_counts_say_where_there_may_be_more_and_what_is_unknown() -> None:
    assert cells.count(1_234_567).text == "1,234,567"
    assert cells.count(1_000, at_most=1_000).text == "≥ 1,000"
    assert cells.count(999, at_most=1_000).text == "999"
    assert cells.count(None).text == "unknown"


def test_what_is_missing_is_a_dash() -> None:
    dash = cells.NOTHING.text
    for cell in (cells.text(None), cells.text(""), cells.age(None), cells.size(None)):
        assert cell.text == dash
    assert cells.code(None) == cells.moment(None) == cells.NOTHING
    # An empty key is a key like any other.
    assert cells.code("") == Cell("", is_code=True)


def test_a_moment_is_in_utc_wherever_it_comes_from() -> None:
    summer = timezone(timedelta(hours=2))
    at = datetime(2026, 11, 27, 23, 30, 1, tzinfo=summer)
    expected = "2026-11-27 21:30:01Z"
    assert cells.moment(at).text == expected
    assert cells.moment("2026-11-27T21:30:01+00:00").text == expected
    assert cells.moment(at).moment == at
    found = cells.moment(at).moment
    assert found is not None
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0"), (999, "999"), (1_200, "1.2k"), (12_345, "12k"), (2_000_000, "2.0M")],
)
def test_a_square_has_room_for_few_characters(count: int, shown: str) -> None:
    assert short(count) == shown


def test_a_sparkline_has_a_gap_where_a_value_is_unknown() -> None:
    assert spark.points([]) == spark.points([1.0]) == spark.points([None, 2.0, None]) == ""
    path = spark.points([0, 10, None, 5, 5])
    assert path.count("M") == 2
    assert path.startswith("M0.0 23.0L25.0 1.0M75.0")
    # Nothing but zeros is a line at the bottom, and no division by zero.
    assert spark.points([0, 0, 0]) == "M0.0 23.0L50.0 23.0L100.0 23.0"


def test_a_link_escapes_whatever_it_names() -> None:
    assert to() == "/"
    assert to("rows", 7) == "/rows/7"
    assert to("find", q="a&b=c#d/e?") == "/find?q=a%26b%3Dc%23d%2Fe%3F"
    assert to("a/../b") == "/a%2F..%2Fb"
    assert to("events", of="", id=None, kind="order") == "/events?kind=order"
    # Zero is a value.
    assert to("history", before=0) == "/history?before=0"
