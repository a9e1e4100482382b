import pytest

from tests.support.repository import ROOT
from tests.support.scheduling import TOGETHER, together


@pytest.mark.parametrize("shared", TOGETHER)
def test_what_is_run_together_is_there(shared: str) -> None:
    assert (ROOT / shared).exists()


def test_tests_of_a_shared_server_are_one_piece_of_work() -> None:
    assert together("tests/faults/kafka/test_sizes.py::test_one") == "tests/faults/kafka/"
    assert together("tests/test_logs.py::test_one") is None
