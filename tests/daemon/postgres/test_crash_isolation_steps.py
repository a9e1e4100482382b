from relay.daemon.postgres.crash_isolation import next_step


def test_rows_that_were_never_blamed_go_together() -> None:
    assert next_step([(1, 0), (2, 0), (3, 0)]) == [1, 2, 3]


def test_a_blamed_row_goes_alone() -> None:
    assert next_step([(1, 1), (2, 1), (3, 0)]) == [1]


def test_a_step_ends_before_a_blamed_row() -> None:
    assert next_step([(1, 0), (2, 0), (3, 2), (4, 0)]) == [1, 2]


def test_nothing_is_left_to_do_without_rows() -> None:
    assert next_step([]) == []
