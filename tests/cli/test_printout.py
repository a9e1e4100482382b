from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from relay.cli.printout.findings import print_findings
from relay.cli.printout.status import print_status
from relay.cli.printout.summary import count, summary
from relay.cli.printout.terminal import age
from relay.operations.findings import Finding
from relay.operations.outlook import Facts, Outlook, Relay
from relay.operations.outlook.facts import Parked, Session, Waiting
from relay.operations.status import Holder, Key, ParkedRow, Shard, Status

MOMENT = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

EMPTY = Status(
    database="db:5432/service",
    schema_version=1,
    streaming=True,
    pending=0,
    pending_is_capped=False,
    oldest_age_seconds=None,
    parked=0,
    parked_is_capped=False,
    shards=tuple(Shard(number, 0, None, None, None) for number in range(64)),
    keys=(),
    newest_parked=(),
    notes=(),
)
NO_FACTS = Facts(
    flag=None, relays=[], backlog=[], oldest={}, held_rows={}, paused=[], shard_locks=[],
    table_locks=[], blockers=[], writers=[], parked=[], former=[], unsettled=[],
    sequence=None, encoding=None, unknown={},
)  # fmt: skip
NO_OUTLOOK = Outlook("yes", "Yes: nothing waits.", 0, 0, None, 0.0, None, (), NO_FACTS)
RELAY = Relay(
    name="relay-7d9f", host="10.0.0.1", pid=7, version="1", started_at=MOMENT, seen_at=MOMENT,
    silent_seconds=1.0, alive=True, ended_at=None, drain_timed_out=False, streaming=True,
    topic="events", wake_up="poll", published=5000, parked=2, rate=1200.0, missed=0,
    leased_shards=3, holds=[{"topic": "audit", "partition": None, "partitions": 0}],
    broker_errors=[],
)  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (0.04, "0.0 s"),
        (59.9, "59.9 s"),
        (90, "1.5 min"),
        (7200, "2.0 h"),
        (90_000, "1.0 d"),
    ],
)
def test_an_age_has_the_largest_unit_that_fits(seconds: float | None, shown: str) -> None:
    assert age(seconds) == shown


def test_a_count_says_when_it_is_not_exact() -> None:
    assert count(12_345) == "12,345"
    assert count(1_000_000, capped=True) == "≥ 1,000,000"
    assert count(None) == "?"


def test_nothing_to_say_is_only_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    print_status(EMPTY, NO_OUTLOOK)
    shown = capsys.readouterr().out
    assert shown.startswith("Yes: nothing waits.")
    assert "db:5432/service" in shown
    assert "Shards" not in shown


def test_a_busy_outbox_fits_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(9, "psql", "ann", None, None, shards=[2])
    facts = replace(
        NO_FACTS,
        relays=[RELAY],
        backlog=[Waiting(0, None, 40), Waiting(1, "audit", 2)],
        shard_locks=[session],
        parked=[Parked("too large: N bytes", 7, 1)],
    )
    outlook = replace(NO_OUTLOOK, sentence="No.", rate=1200.0, empty_in_seconds=0.04, facts=facts)
    shards = list(EMPTY.shards)
    shards[0] = replace(shards[0], pending=40)
    shards[3] = replace(shards[3], paused_at=MOMENT)
    print_status(replace(EMPTY, pending=42, shards=tuple(shards)), outlook)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    for expected in (
        "pending   42, 1,200 rows/s go out, empty in 0.0 s",
        "relays    1 alive, 5,000 published, 2 parked",
        "          alive, seen 1.0 s ago, 1,200/s, 3 shards: relay-7d9f (pid 7)",
        "topics    40: events",
        "2 (on hold): audit",
        "shards    o.LP" + 60 * ".",
        "7: too large: N bytes",
    ):
        assert any(expected in line for line in lines), expected


def test_all_shards_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    print_status(EMPTY, NO_OUTLOOK, all_shards=True)
    assert "\n63\t0\t" in capsys.readouterr().out


def test_the_worst_of_all_fits_80_columns_and_24_lines() -> None:
    relays = [replace(RELAY, name=f"relay-{'x' * 60}-{n}", rate=float(n)) for n in range(20)]
    facts = replace(
        NO_FACTS,
        relays=relays,
        backlog=[Waiting(n, f"{'topic' * 40}-{n}", 60_000) for n in range(20)],
        parked=[Parked(f"{'reason ' * 40} {n}", 7, n) for n in range(20)],
    )
    outlook = replace(
        NO_OUTLOOK, answer="no", sentence="No: " + "a topic is on hold " * 40,
        empty_in_seconds=90.0, facts=facts,
    )  # fmt: skip
    status = replace(EMPTY, pending=1_200_000, pending_is_capped=True, parked=140)
    lines = [line.plain for line in summary(status, outlook, 80)]
    assert len(lines) <= 23, "with the prompt"
    assert max(map(len, lines)) <= 80
    assert "pending   ≥ 1,000,000, 0 rows/s go out, empty in ≥ 1.5 min" in lines
    assert any(line.startswith("topics    ≥ 60,000: topictopic") for line in lines)
    assert "          and 17 more" in lines


def test_shards_keys_parked_rows_and_notes_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    held = Shard(7, 3, 60.0, None, 99, Holder(4711, "relay-7", "10.0.0.1", MOMENT))
    parked = ParkedRow(5, UUID(int=1), 7, None, "k", "Event", 1, MOMENT, "too large")
    print_status(
        replace(
            EMPTY,
            pending=3,
            streaming=False,
            shards=(held, Shard(8, 0, None, MOMENT, None)),
            keys=(Key("k", 7, 3, 60.0),),
            newest_parked=(parked,),
            notes=("something is hidden",),
        ),
        NO_OUTLOOK,
        shards=True,
    )
    shown = capsys.readouterr().out
    for expected in (
        "relay-7, pid 4711 from 10.0.0.1",
        "isolated up to row 99",
        "paused since 2030-01-02 03:04:05",
        "too large",
        "(default)",
        "off (for triggers",
        "Note: something is hidden",
    ):
        assert expected in shown


def test_what_writers_chose_cannot_paint_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    print_status(replace(EMPTY, keys=(Key("[red]a\x1b[31m", 7, 3, 60.0),)), NO_OUTLOOK)
    shown = capsys.readouterr().out
    assert "[red]a" in shown
    assert "\x1b" not in shown


def test_findings_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    print_findings([Finding("broker", "warning", "no answer"), Finding("topic", "skipped", "why")])
    lines = capsys.readouterr().out.splitlines()
    assert any("broker" in line and "warning" in line and "no answer" in line for line in lines)
