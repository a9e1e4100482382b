"""librdkafka properties that cannot work, found by asking librdkafka; nothing is sent.

It reads numbers with C's strtol and takes what comes before the first other character: `5s` is 5,
`1.048576e+06` is 1, `99999999999` is something else again. So a value must be a number as a whole.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from confluent_kafka import KafkaException, Producer

from relay.daemon.kafka.properties import OWN, RESERVED, producer_properties
from relay.settings import KafkaSettings
from relay.settings.environment import text_fault
from relay.settings.kafka import property_variable
from relay.settings.numbers import number_fault, whole_number_fault

# Set last, and unknown: librdkafka stops there before it makes a client.
_LAST: Final = "outbox.relay.no.such.property"
# Objects that the Python client takes beside them.
_CLIENTS_OWN: Final = frozenset({"default.topic.config", "logger"})
_WHOLE_MAX: Final = 2**31 - 1
_BYTES: Final = 1 << 20


def property_faults(kafka: KafkaSettings) -> Iterator[str]:
    """Yield each fault of the properties passed through, then that of the whole configuration."""
    whole = {**producer_properties(kafka, _BYTES), "log_level": 0}
    # It would write to standard error.
    whole.pop("debug", None)
    for name, value in kafka.properties.items():
        if fault := _fault(name, value):
            if name not in OWN:
                whole.pop(name, None)
            yield f"{property_variable(name)}: {fault}"
    if said := _refusal(whole):
        yield f"Kafka client: {said}"


def _fault(name: str, value: str) -> str | None:
    if name in RESERVED:
        return "cannot be set: order and delivery depend on the relay's own value"
    if name in _CLIENTS_OWN:
        return "is not a property of librdkafka"
    if fault := text_fault(value):
        return fault
    if (said := _refusal({name: value, _LAST: ""})) and _LAST not in said:
        # It quotes values, and somebody may have put a secret into the wrong variable.
        return said.replace(f' "{value}"', "")
    return _number_fault(name, value)


def _number_fault(name: str, value: str) -> str | None:
    kind = _refusal({name: "", _LAST: ""}) or ""
    if kind.startswith("Float"):
        return number_fault(value)
    if not kind.startswith("Integer"):
        return None
    if value[:1].isalpha():
        # One of its names for a number: librdkafka compares those as a whole.
        return None
    fault = whole_number_fault(value)
    return fault or (f"at most {_WHOLE_MAX}" if abs(int(value)) > _WHOLE_MAX else None)


def _refusal(properties: Mapping[str, Any]) -> str | None:
    """Return what librdkafka says against *properties*; None is nothing."""
    try:
        Producer(dict(properties))
    except KafkaException as error:
        return str(error.args[0].str()).strip()
    except (TypeError, ValueError) as error:
        return str(error)
    return None
