from collections.abc import Callable

import pytest

from relay.daemon.postgres.low_watermark import LOWEST_ID, First, Lasting, LowWatermarks, Sample


@pytest.fixture
def watermarks() -> LowWatermarks:
    return LowWatermarks()


def sample(drawn: int, *writers: str, epoch: str = "1") -> Sample:
    return Sample(drawn, epoch, now_ms=0, writers=frozenset(writers))


def test_nothing_is_decided_at_the_first_look_unless_nobody_writes(
    watermarks: LowWatermarks,
) -> None:
    assert watermarks.observe(sample(10, "a")) is None
    watermarks.reset()
    assert watermarks.observe(sample(10)) == 10


def test_what_was_drawn_is_decided_when_the_writers_of_that_moment_have_ended(
    watermarks: LowWatermarks,
) -> None:
    watermarks.observe(sample(10, "a", "b"))
    assert watermarks.observe(sample(20, "b", "c")) is None
    # "c" may hold what was drawn from 11 to 20.
    assert watermarks.observe(sample(30, "c")) == 10
    assert watermarks.observe(sample(40, "d")) == 30


def test_what_a_long_writer_lets_others_draw_is_decided_with_it_unless_they_are_still_open(
    watermarks: LowWatermarks,
) -> None:
    watermarks.observe(sample(10, "long"))
    assert watermarks.observe(sample(20, "long")) is None
    assert watermarks.observe(sample(30, "long", "late")) is None
    assert watermarks.observe(sample(40, "late")) == 20


def test_a_watermark_stays_below_the_oldest_pending_row_of_its_shard(
    watermarks: LowWatermarks,
) -> None:
    watermarks.raise_to(100, {3: First(id=41, created_ms=0)})
    assert (watermarks.ids[3], watermarks.ids[4]) == (40, 100)


def test_a_watermark_never_falls_by_being_raised(watermarks: LowWatermarks) -> None:
    watermarks.raise_to(100, {})
    watermarks.raise_to(50, {})
    assert set(watermarks.ids) == {100}


def test_rows_that_were_read_and_settled_are_passed_but_only_as_far_as_all_is_decided(
    watermarks: LowWatermarks,
) -> None:
    watermarks.passed({5: 80})
    assert watermarks.ids[5] == LOWEST_ID
    watermarks.observe(sample(60, "a"))
    assert watermarks.observe(sample(90, "b")) == 60
    watermarks.passed({5: 40, 6: 80})
    assert (watermarks.ids[5], watermarks.ids[6], watermarks.ids[7]) == (40, 60, LOWEST_ID)


def test_another_epoch_lets_everything_start_from_the_beginning(watermarks: LowWatermarks) -> None:
    watermarks.observe(sample(10))
    watermarks.raise_to(10, {})
    assert watermarks.observe(sample(20, "a", epoch="2")) is None
    assert set(watermarks.ids) == {LOWEST_ID}


def test_a_sequence_that_was_set_back_lets_everything_start_from_the_beginning(
    watermarks: LowWatermarks,
) -> None:
    watermarks.observe(sample(1000))
    watermarks.raise_to(1000, {})
    assert watermarks.observe(sample(500, "a")) is None
    assert set(watermarks.ids) == {LOWEST_ID}


def test_no_watermark_passes_a_writer_that_stays_open(watermarks: LowWatermarks) -> None:
    watermarks.observe(sample(10, "slow"))
    for drawn in range(20, 100):
        assert watermarks.observe(sample(drawn, "slow")) is None
        watermarks.passed({5: drawn})
    assert set(watermarks.ids) == {LOWEST_ID}
    assert watermarks.observe(sample(100, "new")) == 99


def test_what_is_decided_stays_so_while_nothing_is_drawn(watermarks: LowWatermarks) -> None:
    watermarks.observe(sample(10))
    assert watermarks.observe(sample(10)) == 10
    watermarks.raise_to(10, {})
    assert watermarks.observe(sample(10)) == 10
    assert set(watermarks.ids) == {10}


def test_writers_that_were_open_at_two_looks_last_and_all_that_others_drew_is_decided(
    watermarks: LowWatermarks,
) -> None:
    assert watermarks.lasting(sample(10, "long")) == Lasting(frozenset(), LOWEST_ID)
    # Nobody else came, so what was drawn up to now belongs to these or is decided.
    assert watermarks.lasting(sample(20, "long")) == Lasting(frozenset({"long"}), 20)
    # "new" may hold what was drawn since.
    assert watermarks.lasting(sample(30, "long", "new")) == Lasting(frozenset({"long"}), 20)
    assert watermarks.lasting(sample(40, "new")) == Lasting(frozenset({"new"}), 40)
    watermarks.reset()
    assert watermarks.lasting(sample(50, "new")) == Lasting(frozenset(), LOWEST_ID)


def test_reads_resume_beside_a_writer_below_the_first_row_of_their_shard(
    watermarks: LowWatermarks,
) -> None:
    assert watermarks.resume is watermarks.ids
    watermarks.raise_to(10, {})
    watermarks.resume_beside(["7"], 100, {3: First(id=41, created_ms=0), 4: First(5, 0)})
    # Never below the watermark, which stays where it is.
    assert [watermarks.resume[shard] for shard in (3, 4, 5)] == [40, 10, 100]
    assert set(watermarks.ids) == {10}


def test_what_was_read_and_settled_beside_a_writer_is_passed_as_far_as_the_look_went(
    watermarks: LowWatermarks,
) -> None:
    watermarks.resume_beside(["7"], 100, {5: First(id=41, created_ms=0)})
    watermarks.passed({5: 60, 6: 200})
    assert [watermarks.resume[shard] for shard in (5, 6, 7)] == [60, 100, 100]
    watermarks.passed({5: 50})
    assert watermarks.resume[5] == 60
    # Nothing of it is decided: the writer may still commit.
    assert set(watermarks.ids) == {LOWEST_ID}


@pytest.mark.parametrize(
    "ends",
    [
        lambda watermarks: watermarks.reset(),
        lambda watermarks: watermarks.raise_to(10, {}),
        lambda watermarks: watermarks.resume_beside((), 100, {}),
    ],
)
def test_without_a_writer_beside_them_reads_start_at_the_watermarks(
    watermarks: LowWatermarks, ends: Callable[[LowWatermarks], None]
) -> None:
    watermarks.resume_beside(["7"], 100, {})
    ends(watermarks)
    assert watermarks.resume is watermarks.ids


def test_what_was_drawn_by_nobody_else_is_passed_at_once(watermarks: LowWatermarks) -> None:
    watermarks.resume_beside(["7"], 100, {})
    watermarks.pass_all(20)
    assert (watermarks.decided_upto, set(watermarks.resume)) == (20, {20})
