"""Settings that would shred everything are refused; so are those of a redactor made by hand."""

from collections.abc import Callable

import pytest

from relay import Redactor
from relay.errors import ConfigurationError
from relay.settings.loading import load
from tests.support.process import ProcessUnderTest

RunRelay = Callable[..., ProcessUnderTest]

NOT_LISTS = ["bmc_pin", "{}", "[1]", "[null]", '"bmc_pin"', "[[]]", "[", "7"]
SHREDDING_NAMES = ["_", "", "-.-", "id", "a", "x_y", "_a_b_"]
SHREDDING_PATTERNS = [
    "",
    "(",
    ".*",
    ".",
    r"\w+",
    "[a-z]",
    r"\S",
    "x*",
    "a|",
    r"(?i)[a-z0-9]",
    "^",
    "$",
    r"\b",
    r".+",
]


@pytest.mark.parametrize("variable", ["NAMES", "PATTERNS", "KEEP"])
@pytest.mark.parametrize("value", NOT_LISTS)
def test_anything_but_a_list_of_texts(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(f"RELAY_REDACT_{variable}", value)
    with pytest.raises(ConfigurationError, match=f"RELAY_REDACT_{variable}: .*JSON list of texts"):
        Redactor.from_environment()


@pytest.mark.parametrize("name", SHREDDING_NAMES)
def test_names_found_in_nearly_every_name(name: str) -> None:
    with pytest.raises(ValueError, match="less than 3 letters"):
        Redactor(names=[name])


@pytest.mark.parametrize("pattern", SHREDDING_PATTERNS)
def test_patterns_that_match_nearly_everything(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"matches (the empty|nearly every) text|no valid regular"):
        Redactor(patterns=[pattern])


def test_what_is_fit_is_taken() -> None:
    Redactor(names=["pin", "bmc_pin"], patterns=[r"\d{4}-\d{4}", "hunter2"], keep=["token", "a"])


def test_they_are_read_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_REDACT_NAMES", '["_"]')
    with pytest.raises(ConfigurationError, match="RELAY_REDACT_NAMES"):
        load(events=True)


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        ("RELAY_REDACT_NAMES", '["_"]', "less than 3 letters"),
        ("RELAY_REDACT_PATTERNS", '[""]', "matches the empty text"),
        ("RELAY_REDACT_PATTERNS", '[".+"]', "matches nearly every text"),
        ("RELAY_REDACT_PATTERNS", "[1]", "JSON list of texts"),
    ],
)
def test_check_refuses_them(run_relay: RunRelay, variable: str, value: str, fault: str) -> None:
    process = run_relay("check", environment={variable: value})
    assert process.wait(60) == 2
    said = "\n".join((*process.stdout, *process.stderr))
    assert variable in said
    assert fault in said.replace("\n", " ")
    assert "Traceback" not in said
