"""Pages as text: every block that a page can have, and nothing that a terminal would obey."""

from datetime import UTC, datetime

from relay.console import plain
from relay.console.content import (
    Block,
    Cell,
    Change,
    Chart,
    Code,
    Facts,
    Field,
    Grid,
    Moment,
    Notice,
    Page,
    Search,
    Square,
    Table,
    Tile,
    Tiles,
    Timeline,
)

AT = datetime(2026, 11, 27, 21, 30, 1, tzinfo=UTC)


def shown(*blocks: Block) -> list[str]:
    return plain.text(Page("now", "Title", blocks)).splitlines()[2:]


def test_a_page_has_its_title_its_sentence_and_its_time() -> None:
    page = Page("now", "Now", (), lead="All is well. " * 12, as_of=AT)
    lines = plain.text(page).splitlines()
    assert lines[0] == "Now"
    assert lines[1].startswith("All is well.")
    assert all(len(line) <= plain.WIDTH for line in lines)
    assert lines[-1] == "As of 2026-11-27 21:30:01Z."


def test_figures_and_facts_are_aligned() -> None:
    assert shown(Tiles((Tile("Waiting", Cell("7")), Tile("Rate", Cell("1/s"))))) == [
        "Waiting  7",
        "Rate     1/s",
    ]
    assert shown(Facts("Row", (("Id", Cell("4711")), ("Name", Cell("Event"))))) == [
        "Row",
        "  Id    4711",
        "  Name  Event",
    ]


def test_a_table_has_its_columns_or_says_that_it_is_empty() -> None:
    rows = [(Cell("1"), Cell("long name")), (Cell("22"), Cell("b"))]
    assert shown(Table("Rows", ("Id", "Name"), rows, "none")) == [
        "Rows",
        "  Id  Name",
        "  1   long name",
        "  22  b",
    ]
    assert shown(Table("Rows", ("Id",), [], "Nothing waits.")) == ["Rows", "  Nothing waits."]


def test_a_finding_has_its_command() -> None:
    notice = Notice("bad", "shards paused", "by ada", "relay resume --all")
    assert shown(notice) == ["failed: shards paused", "  by ada", "  $ relay resume --all"]


def test_shards_events_and_texts_are_there() -> None:
    squares = [Square(n, n * 10, "good", "", "", "") for n in range(16)]
    grid = shown(Grid("All shards", squares, ()))
    assert len(grid) == 3
    assert "15     150" in grid[2]
    event = Moment(AT, "bad", "error", "name", "It broke", ())
    assert shown(Timeline("Timeline", [event], "none")) == [
        "Timeline",
        "  2026-11-27 21:30:01Z error    It broke",
    ]
    assert shown(Timeline("Timeline", [], "No event.")) == ["Timeline", "  No event."]
    assert shown(Code("Payload", '{\n "a": 1\n}')) == ["Payload", "  {", '   "a": 1', "  }"]


def test_forms_and_charts_are_for_browsers() -> None:
    change = Change("pause", "Relays will leave shard 1 alone.", (), "Pause", 1)
    assert shown(change) == ["Relays will leave shard 1 alone."]
    assert shown(Search((Field("q", "Key"),), "Find")) == []
    assert shown(Chart("The last hour", [1], (("rows", [1.0]),))) == []


def test_a_terminal_is_given_no_orders() -> None:
    hostile = "\x1b[2J\x07\x9b31m\u202e\r\n"
    blocks: list[Block] = [
        Notice("bad", hostile, hostile, hostile),
        Facts(hostile, ((hostile, Cell(hostile)),)),
        Table(hostile, (hostile,), [(Cell(hostile),)], hostile),
        Timeline(hostile, [Moment(AT, "bad", hostile, hostile, hostile, ())], hostile),
        Code(hostile, hostile),
    ]
    text = plain.text(Page("now", hostile, blocks, lead=hostile))
    assert all(each.isprintable() or each == "\n" for each in text)
