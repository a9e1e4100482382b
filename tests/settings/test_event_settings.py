from datetime import timedelta

import pytest

from relay.errors import ConfigurationError
from relay.settings import load
from relay.settings.duration import duration
from relay.settings.preset import Preset


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h30m", 5400),
        ("90s", 90),
        ("1d", 86400),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("1m1ms", 60.001),
        ("500us", 0.0005),
        ("0s", 0),
    ],
)
def test_a_duration(text: str, seconds: float) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "90", "1 h", "h", "1h30", "-1h", "1w", "1H", 5, None, "99999999999d", "1\u0663s"]
)
def test_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration(text)


def test_limits_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENT_RATE_LIMITS", '{"HostLost": "1h30m", "b": "1s"}')
    limits = load(events=True).events.rate_limits
    assert limits == {"HostLost": timedelta(minutes=90), "b": timedelta(seconds=1)}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("nonsense", "EVENT_RATE_LIMITS: .*write JSON"),
        ('{"HostLost": "99999999999d"}', "EVENT_RATE_LIMITS: HostLost: .*at most 36500d"),
        ("[" * 50_000, "EVENT_RATE_LIMITS: .*write JSON"),
        ("[]", "EVENT_RATE_LIMITS: .*write JSON"),
        ('{"HostLost": "90"}', "EVENT_RATE_LIMITS: .*HostLost: write a duration such as 1h30m"),
    ],
)
def test_limits_that_cannot_work(monkeypatch: pytest.MonkeyPatch, value: str, fault: str) -> None:
    monkeypatch.setenv("EVENT_RATE_LIMITS", value)
    with pytest.raises(ConfigurationError, match=fault):
        load(events=True)


def test_the_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(events=True).events.stream_preset is Preset.STANDARD
    monkeypatch.setenv("EVENT_STREAM_PRESET", "existing-consumers")
    assert load(events=True).events.stream_preset is Preset.EXISTING_CONSUMERS


def test_no_such_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENT_STREAM_PRESET", "other")
    with pytest.raises(ConfigurationError, match=r"EVENT_STREAM_PRESET: .*existing-consumers"):
        load(events=True)
