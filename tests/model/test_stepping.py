"""Steps of the model: what fails in one is raised, and ends the play instead of hanging it."""

import pytest

from tests.model.stepping import Stepped, gate


def test_the_error_of_a_step_is_raised_by_it_and_by_each_later_one() -> None:
    def fails() -> None:
        gate("first")
        raise ValueError("at the second step")

    stepped = Stepped(fails)
    stepped.step()
    assert stepped.at == "first"
    for _ in range(2):
        with pytest.raises(ValueError, match="at the second step"):
            stepped.step()
    assert stepped.ended


def test_a_step_after_the_end_does_nothing() -> None:
    stepped = Stepped(lambda: None)
    stepped.step()
    stepped.step()
    stepped.kill()
    assert stepped.ended
