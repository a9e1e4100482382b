"""Every error that this package raises on purpose.

A message says what is wrong and what to do about it. None ever holds a payload, a secret or a
connection string.
"""

from collections.abc import Sequence


class RelayError(Exception):
    """Base of all errors of this package."""

    exit_code = 1


class ConfigurationError(RelayError):
    """The settings cannot work. Names every fault at once, so that one restart is enough."""

    exit_code = 2

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        listed = "".join(f"\n  - {fault}" for fault in self.faults)
        super().__init__(f"The configuration cannot work:{listed}")


class SchemaError(RelayError):
    """The outbox tables are missing, too old, or too new for this relay."""

    exit_code = 2


class DatabaseUnavailableError(RelayError):
    """PostgreSQL cannot be reached, or refuses the connection."""

    exit_code = 3


class BrokerUnavailableError(RelayError):
    """No Kafka broker answered, or it refused the client; says what the client heard last."""

    exit_code = 3


class PayloadError(RelayError, ValueError):
    """A payload, key, name or header cannot be stored or published as it is."""


class NoTransactionError(RelayError):
    """There is no transaction of the caller that rows could belong to."""


class EventDefinitionError(RelayError, TypeError):
    """An event class or a tracked class is declared in a way that cannot work."""


class UntrackedWriteError(RelayError):
    """A statement would change a tracked table behind the session's back."""
