import pytest

from relay.daemon.postgres.crash_isolation import next_step


def test_rows_that_were_never_blamed_go_together() -> None:
    assert next_step([(1, 0), (2, 0), (3, 0)]) == [1, 2, 3]


@pytest.mark.parametrize(("deaths", "rows"), [(0, 1_000), (1, 32), (2, 1), (3, 1), (9, 1)])
def test_a_step_is_smaller_after_each_death(deaths: int, rows: int) -> None:
    assert len(next_step([(id_, deaths) for id_ in range(2_000)])) == rows


def test_a_step_ends_before_a_blamed_row() -> None:
    assert next_step([(1, 0), (2, 0), (3, 2), (4, 0)]) == [1, 2]


def test_nothing_is_left_to_do_without_rows() -> None:
    assert next_step([]) == []
