"""Message of a row: its value and headers, or the reason why it cannot be sent."""

import json
from collections.abc import Iterator
from typing import Final

from relay.daemon.kafka.producer import Headers, Partition
from relay.daemon.rows import Reason, Row
from relay.formats import Format

# Of one record: the batch's own 61 bytes, lengths, timestamps, and the headers id and seq.
_RECORD_OVERHEAD_BYTES: Final = 256
# Below a limit by this much, key, name and further headers need not be counted.
_AMPLE_BYTES: Final = 16_384
LARGE_ADVICE: Final = (
    "raise the topic's max.message.bytes, then requeue the row, or for a state `relay replay "
    "--cluster ID` and discard the row"
)


class UnpublishableRowError(Exception):
    """The row cannot be sent as it is; holds the reason and a text for the operator."""

    def __init__(self, reason: Reason, text: str) -> None:
        self.reason = reason
        super().__init__(text)


class Composer:
    """Composes the messages of one format; *metadata* fills a row that was written without."""

    def __init__(self, form: Format, metadata: str) -> None:
        self._names = form.names
        self._envelope = form.envelope
        self._metadata = metadata

    def compose(self, row: Row, partition: Partition) -> tuple[bytes, Headers]:
        """Return value and headers of the message of *row*, as *partition* takes them.

        Raises:
            UnpublishableRowError: what is wrong with the row.
        """
        # By name, one after the other, they would cost a fiftieth of the throughput.
        id_, event_id, _, _, _, name, payload, metadata, own_headers, _, size = row
        if self._names is not None and name not in self._names:
            raise UnpublishableRowError(
                Reason.UNKNOWN_NAME, "existing consumers would stop at a message of this name"
            )
        if payload is None:
            raise _too_large(f"at least {size}", partition)
        value = self._envelope(name, payload, metadata or self._metadata)
        headers: Headers = [("id", event_id), ("seq", str(id_))]
        if own_headers is not None:
            headers.extend(_own_headers(own_headers))
        if own_headers is not None or len(value) + _AMPLE_BYTES > partition.max_bytes:
            _check_size(row, value, headers, partition)
        return value, headers


def _check_size(row: Row, value: bytes, headers: Headers, partition: Partition) -> None:
    size = (
        len(value)
        + len((row.key or "").encode())
        + sum(len(name) + len(text or b"") for name, text in headers)
        + _RECORD_OVERHEAD_BYTES
    )
    if size > partition.max_bytes:
        raise _too_large(f"{size}", partition)


def _too_large(size: str, partition: Partition) -> UnpublishableRowError:
    return UnpublishableRowError(
        Reason.TOO_LARGE,
        f"{size} bytes with the envelope, and topic {partition.topic} takes "
        f"{partition.max_bytes}; {LARGE_ADVICE}",
    )


def _own_headers(headers: str) -> Iterator[tuple[str, str | bytes]]:
    """Yield name and text of each header; PostgreSQL stores more than that as JSON."""
    try:
        found = json.loads(headers)
    except (ValueError, RecursionError):
        raise _unreadable("its headers cannot be read: they must be text to text") from None
    for name, text in found.items():
        if not isinstance(text, str):
            raise _unreadable(f"its header {name!r} is not text")
        if "\0" in name:
            raise _unreadable("the name of a header of its ends early for the Kafka client: U+0000")
        try:
            (name + text).encode()
        except UnicodeEncodeError:
            raise _unreadable(f"its header {name!r} holds half a surrogate pair") from None
        # Text ends for the client where bytes go on.
        yield name, text.encode() if "\0" in text else text


def _unreadable(text: str) -> UnpublishableRowError:
    return UnpublishableRowError(Reason.UNREADABLE, text)
