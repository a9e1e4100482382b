import pytest

from tests.support.requirements import lacking, program


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI", "TEST_REQUIRE_ALL"):
        monkeypatch.delenv(name, raising=False)


def test_elsewhere_a_missing_program_skips_and_is_named() -> None:
    with pytest.raises(pytest.skip.Exception, match="no-such is not installed: apt-get install"):
        program("no-such", package="such")


@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("TEST_REQUIRE_ALL", "1")])
def test_where_everything_is_required_it_fails(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(pytest.fail.Exception, match="Nothing may be missing here: no broker"):
        lacking("no broker")


def test_a_program_is_found_by_its_path() -> None:
    assert program("sh", package="dash").endswith("/sh")
