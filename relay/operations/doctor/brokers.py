"""Brokers as the cluster advertises them: each address is connected to, from this machine."""

import socket
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from relay.daemon.kafka.properties import client_properties
from relay.operations.findings import Finding, unknown
from relay.operations.preflight import BROKER_SECONDS
from relay.settings import KafkaSettings

SUBJECT: Final = "advertised addresses"
_AT_ONCE: Final = 16

Address = tuple[str, int]


def examine(kafka: KafkaSettings) -> Iterator[Finding]:
    """Yield a finding for each advertised address that does not resolve or answer, or one for all.

    Bootstrap may answer at its own address while the leaders are out of reach at theirs.
    """
    properties: dict[str, Any] = {**client_properties(kafka), "log_level": 0}
    try:
        known = AdminClient(properties).list_topics(timeout=BROKER_SECONDS)
    except KafkaException as error:
        yield from unknown(error.args[0].str(), SUBJECT)
        return
    yield from addresses((str(each.host), int(each.port)) for each in known.brokers.values())


def addresses(advertised: Iterable[Address]) -> Iterator[Finding]:
    """Yield a finding for each of *advertised* where nobody answers, or one for all."""
    every = sorted(advertised)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        faults = list(pool.map(_fault, every))
    found = [(address, fault) for address, fault in zip(every, faults, strict=True) if fault]
    for (host, port), fault in found:
        detail = (
            f"the cluster advertises {host}:{port}, and this machine cannot use it ({fault}): "
            "partitions that it leads cannot be written from here. Mend the name service, the "
            "network, or the broker's advertised.listeners"
        )
        none_answers = len(found) == len(every)
        yield Finding(
            f"broker {host}:{port}", "failed" if none_answers else "warning", detail,
            int(none_answers), "advertised-address", f"nc -vz {host} {port}",
        )  # fmt: skip
    if not found:
        detail = f"{len(every)} of {len(every)} brokers answer there"
        yield Finding(SUBJECT, "ok", detail, code="advertised-address")


def _fault(address: Address) -> str | None:
    """Return the reason why nobody can connect to *address*; None where somebody can."""
    try:
        socket.create_connection(address, BROKER_SECONDS).close()
    except OSError as error:
        return error.strerror or str(error) or type(error).__name__
    return None
