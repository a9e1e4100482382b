"""Any value of any setting: it works, or it is a fault with the variable's name."""

import os
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.daemon.kafka.property_faults import property_faults
from relay.errors import ConfigurationError
from relay.settings import GROUPS, load
from relay.settings.kafka import property_variable
from relay.settings.loading import no_faults

BASE = {
    "ENABLE_EVENT_STREAMING": "true",
    "DATABASE_URL": "postgresql://user@database/service",
    # No name: the client that is made to ask librdkafka would look it up before it ends.
    "KAFKA_BOOTSTRAP_SERVER": "127.0.0.1:9092",
    "KAFKA_EVENT_STREAM_TOPIC": "events-stream",
    "RELAY_API_AUTHENTICATION": "off",
}
VARIABLES = [group.variable(field) for group in GROUPS for field in group.model_fields]
PROPERTIES = [
    property_variable(name)
    for name in (
        "linger.ms", "queue.buffering.max.kbytes", "compression.type", "socket.keepalive.enable",
        "client.id", "topic.blacklist", "debug", "no.such", "",
    )
]  # fmt: skip
# Everything that an environment can hold: no NUL; bytes that are no UTF-8 come as surrogates.
TEXT = st.binary(min_size=1).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"0")))
# More than the 1,000 frames of Python's JSON decoder, and the 4,300 digits of its integers.
DEEP, LONG = 3_000, 4_400
TELLING = st.sampled_from([
    "0", "-1", "5s", "1e999", "nan", "inf", "9" * LONG, "99999999999", "1.5", "0x10", "true",
    "[1]", "[" * DEEP, "(" * DEEP, "[" + "9" * LONG + "]", '{"a": "99999999999d"}', '{"a": null}',
    "null", '["("]', '["(?P<a>"]', "https://[", "http://[::1", "a..b", "a" * 300, "::1", "\udcff",
    "postgresql://[", "postgresql://h:1,2,3/x", "postgresql://h:9999999999999/x", "host=' ", "..",
])  # fmt: skip


def judged(environment: dict[str, str]) -> None:
    with patch.dict(os.environ, BASE | environment, clear=True):
        # It makes clients, for some of whose ends librdkafka 2.6 takes a second.
        concerned = any(name.startswith("KAFKA_") for name in environment)
        found = load(
            database=True, stream=True, relay=True, api=True, events=True,
            kafka_faults=property_faults if concerned else no_faults,
        )  # fmt: skip
        found.database.conninfo()
        found.database.address()


def faults(environment: dict[str, str]) -> tuple[str, ...]:
    try:
        judged(environment)
    except ConfigurationError as error:
        return error.faults
    return ()


@given(st.sampled_from(VARIABLES + PROPERTIES), TEXT | TELLING)
@example("EVENT_RATE_LIMITS", '{"HostLost": "99999999999d"}')
@example("RELAY_API_JWKS", "https://[")
@settings(max_examples=200)
def test_it_works_or_is_a_fault(variable: str, value: str) -> None:
    assert all(faults({variable: value}))


@given(st.fixed_dictionaries({name: st.none() | TEXT for name in VARIABLES}))
@settings(max_examples=25)
def test_all_of_them_together(values: dict[str, str | None]) -> None:
    assert all(faults({name: value for name, value in values.items() if value is not None}))
