from itertools import count

import pytest

from tests.support.eventually import eventually


def test_returns_the_first_true_answer() -> None:
    answers = iter([0, None, 7, 8])
    assert eventually(lambda: next(answers)) == 7


def test_waits_through_failed_assertions() -> None:
    tries = count()

    def third_time_lucky() -> bool:
        assert next(tries) >= 2, "too early"
        return True

    assert eventually(third_time_lucky)


def test_says_what_it_waited_for() -> None:
    with pytest.raises(AssertionError, match=r"not within 0 s: the moon; last answer: \[\]"):
        eventually(list, timeout=0, what="the moon")


def test_names_the_last_failed_assertion() -> None:
    def never() -> bool:
        assert not tables, "two tables are left"
        return True

    tables = ["a", "b"]
    with pytest.raises(AssertionError, match="two tables are left"):
        eventually(never, timeout=0)
