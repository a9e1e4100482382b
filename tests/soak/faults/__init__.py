"""All faults of a soak, by name."""

from collections.abc import Mapping

from tests.soak.faults.fault import Fault
from tests.soak.faults.kafka import kafka_faults
from tests.soak.faults.postgres import postgres_faults
from tests.soak.faults.relay import relay_faults


def faults(relays: int) -> Mapping[str, Fault]:
    """Return all faults by name, for a stage with so many *relays*."""
    return {**relay_faults(), **kafka_faults(relays), **postgres_faults(relays)}
