import pytest

from relay.daemon.floor import First, Floors, Sample


@pytest.fixture
def floors() -> Floors:
    return Floors()


def sample(drawn: int, *writers: str, requeues: int = 0) -> Sample:
    return Sample(drawn, requeues, now_ms=0, writers=frozenset(writers))


def test_nothing_is_decided_at_the_first_look(floors: Floors) -> None:
    assert floors.observe(sample(10)) is None


def test_what_was_drawn_is_decided_when_the_writers_of_that_moment_have_ended(
    floors: Floors,
) -> None:
    floors.observe(sample(10, "a", "b"))
    assert floors.observe(sample(20, "b", "c")) is None
    # "c" may hold what was drawn from 11 to 20.
    assert floors.observe(sample(30, "c")) == 10
    assert floors.observe(sample(40, "d")) == 30


def test_what_a_long_writer_lets_others_draw_is_decided_with_it_unless_they_are_still_open(
    floors: Floors,
) -> None:
    floors.observe(sample(10, "long"))
    assert floors.observe(sample(20, "long")) is None
    assert floors.observe(sample(30, "long", "late")) is None
    assert floors.observe(sample(40, "late")) == 20


def test_a_floor_stays_below_the_oldest_pending_row_of_its_shard(floors: Floors) -> None:
    floors.raise_to(100, {3: First(id=41, created_ms=0)})
    assert (floors.ids[3], floors.ids[4]) == (40, 100)


def test_a_floor_never_falls_by_being_raised(floors: Floors) -> None:
    floors.raise_to(100, {})
    floors.raise_to(50, {})
    assert set(floors.ids) == {100}


def test_rows_that_were_read_and_settled_are_passed_but_only_as_far_as_all_is_decided(
    floors: Floors,
) -> None:
    floors.passed({5: 80})
    assert floors.ids[5] == 0
    floors.observe(sample(60))
    assert floors.observe(sample(90)) == 60
    floors.passed({5: 40, 6: 80})
    assert (floors.ids[5], floors.ids[6], floors.ids[7]) == (40, 60, 0)


def test_a_requeued_row_lets_everything_start_from_the_beginning(floors: Floors) -> None:
    floors.observe(sample(10))
    floors.raise_to(10, {})
    assert floors.observe(sample(20, requeues=1)) is None
    assert set(floors.ids) == {0}


def test_a_sequence_that_was_set_back_lets_everything_start_from_the_beginning(
    floors: Floors,
) -> None:
    floors.observe(sample(1000))
    floors.raise_to(1000, {})
    assert floors.observe(sample(500)) is None
    assert set(floors.ids) == {0}


def test_no_floor_passes_a_writer_that_stays_open(floors: Floors) -> None:
    floors.observe(sample(10, "slow"))
    for drawn in range(20, 100):
        assert floors.observe(sample(drawn, "slow")) is None
        floors.passed({5: drawn})
    assert set(floors.ids) == {0}
    assert floors.observe(sample(100)) == 99
