"""One emit goes its way once: rendered, redacted, checked, recorded."""

import json
import uuid

import pytest

from relay import Event, Message, Redactor, Severity
from relay.errors import PayloadError
from relay.formats import format_of
from relay.service.composer import Composer
from relay.service.message import Overrides
from relay.settings.preset import Preset

CLUSTER = uuid.uuid4()


class LoggedIn(Event, severity=Severity.INFO, message="Login with {password} and {note}"):
    password: str
    note: str


class CountingRedactor(Redactor):
    """Remembers each value that it was asked to redact."""

    def __init__(self) -> None:
        super().__init__(patterns=["note"])
        self.seen: list[object] = []

    def redact(self, value: object, name: str = "") -> object:
        self.seen.append(value)
        return super().redact(value, name)


def composer(preset: Preset = Preset.STANDARD, **options: bool) -> Composer:
    form = format_of(preset)
    return Composer(format=form, metadata="{}", redactor=CountingRedactor(), **options)  # type: ignore[arg-type]


def login() -> LoggedIn:
    return LoggedIn(cluster_id=CLUSTER, password="hunter2", note="ghp_" + "a1B2c3D4e5F6" * 3)


@pytest.mark.parametrize("preset", Preset)
def test_an_event_is_redacted_in_every_part(preset: Preset) -> None:
    emitted = composer(preset).emitted(login(), Overrides(headers={"authorization": "Bearer x"}))
    assert emitted.event is not None
    assert emitted.outbox is not None
    for text in (*emitted.event, *emitted.outbox):
        assert "hunter2" not in (text or "")
        assert "ghp_" not in (text or "")
        assert "Bearer x" not in (text or "")
    assert emitted.event.message.startswith("Login with [redacted] and ")
    assert emitted.outbox.event_id == emitted.event.event_id == str(emitted.event_id)


def test_nothing_is_redacted_twice() -> None:
    made = composer()
    redactor = made.redactor
    assert isinstance(redactor, CountingRedactor)
    made.emitted(login(), Overrides())
    assert len(redactor.seen) == 1
    made.emitted(Message("Plain", {"a": 1}), Overrides(headers={"traceparent": "00"}))
    assert redactor.seen[1:] == [{"a": 1}, {"traceparent": "00"}]
    made.snapshot(Message("Host", {"id": 1}))
    assert redactor.seen[3:] == [{"id": 1}]


def test_what_is_given_replaces_what_the_item_says() -> None:
    message = Message("Plain", {}, key="k", topic="t", headers={"a": "1"})
    given = Overrides(key="", topic="other", headers={}, ordered=True)
    emitted = composer().emitted(message, given)
    assert emitted.outbox is not None
    assert emitted.outbox[1:3] == ("other", "")
    assert emitted.outbox.headers is None
    assert emitted.lock
    untouched = composer(ordered=True).emitted(message, Overrides())
    assert untouched.outbox is not None
    assert untouched.outbox[1:3] == ("t", "k")
    assert untouched.outbox.headers == '{"a": "1"}'
    assert untouched.lock
    assert not composer(ordered=True).emitted(message, Overrides(ordered=False)).lock


def test_while_streaming_is_off_what_could_not_be_published_is_refused_all_the_same() -> None:
    off = composer(streaming=False)
    assert off.emitted(login(), Overrides()).outbox is None
    assert off.emitted(login(), Overrides()).event is not None
    with pytest.raises(PayloadError, match="key"):
        off.emitted(login(), Overrides(key="x" * 1025))


def test_a_replayed_event_is_the_message_that_was_emitted() -> None:
    for preset in Preset:
        made = composer(preset)
        emitted = made.emitted(login(), Overrides())
        assert emitted.event is not None
        assert emitted.outbox is not None
        again = made.replayed(emitted.event, json.loads(emitted.event.props))
        assert again == emitted.outbox._replace(replayed="true")
