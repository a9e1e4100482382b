"""Format: all that depends on whom the messages are for."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Protocol

from relay.formats.event_record import EventRecord
from relay.formats.message import Message
from relay.settings.preset import Partitioner
from relay.settings.versions import VersionSettings


class Format(Protocol):
    """The form of all messages on a stream: names, keys, payloads, metadata and envelope.

    A format keeps no state; services and relays of one stream use the same one.
    """

    @property
    def names(self) -> frozenset[str] | None:
        """Names that may be on the stream; None is any."""

    @property
    def states(self) -> frozenset[str]:
        """Names of states that an older one must not follow, because consumers know no `seq`."""

    @property
    def table_names(self) -> Mapping[str, str]:
        """Names of the snapshots that triggers take, by table, where none is given."""

    @property
    def partitioner(self) -> Partitioner:
        """Default partitioner: key to partition."""

    @property
    def streams_rate_limited(self) -> bool:
        """Default for events that a rate limit keeps from being stored: stream them or not."""

    @property
    def rate_limits(self) -> Mapping[str, timedelta]:
        """Default limits by the name of the event, beside those of the service."""

    @property
    def no_key(self) -> str | None:
        """The key of a trigger's message whose columns have none."""

    def absent(self, name: str) -> Mapping[str, str]:
        """Return the text that a trigger's message *name* has in a column without a value."""

    def versions(self, settings: VersionSettings) -> dict[str, object]:
        """Return the object under "versions" in the metadata of a row."""

    def event(self, event: EventRecord, fields: Mapping[str, object]) -> Message:
        """Return the message of an event; *fields* are its own fields, redacted.

        Raises:
            PayloadError: consumers would take a field for something else.
        """

    def snapshot(self, message: Message) -> Message:
        """Return *message*, the plain snapshot of a row, as consumers read it."""

    def snapshot_name(self, entity: str, name: str | None) -> str:
        """Return the name for snapshots of the class *entity*; *name* is the wish of the service.

        Raises:
            EventDefinitionError: that name may not be on the stream.
        """

    def check_snapshot(self, name: str, fields: Collection[str], *, keyed: bool) -> None:
        """Make sure that snapshots of *name* have the *fields* that consumers need.

        *keyed*: the service wants a key of its own.

        Raises:
            EventDefinitionError: they have not, or the key is not the service's to choose.
        """

    def checked(self, message: Message) -> Message:
        """Return *message* with the key that it must have.

        Raises:
            PayloadError: its name or its key may not be on the stream.
        """

    def envelope(self, name: str, payload: str, metadata: str) -> bytes:
        """Return the value of the Kafka message; *payload* and *metadata* are JSON texts."""
