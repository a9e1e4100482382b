"""Saved rows: rows that are kept in a file before they are discarded, and restored from it.

A line of the file is a row, as JSON.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from psycopg.rows import tuple_row

from relay.database.session import Connection, needing
from relay.errors import RelayError
from relay.operations.actions import Why, discard, named
from relay.operations.queries import saved_rows as queries

# Payloads are about customers.
_FILE_MODE: Final = 0o600
_FETCHED_ROWS: Final = 50
_BATCH_BYTES: Final = 4 << 20

Keep = Callable[[Iterable[bytes]], None]


@dataclass(frozen=True)
class Restored:
    """Ids of rows that are back, and of those that were left out."""

    ids: Sequence[int]
    left: Sequence[int]


def discard_saved(connection: Connection, ids: Sequence[int], why: Why, keep: Keep) -> list[int]:
    """Discard rows after *keep* has made their lines durable; return the ids of those deleted.

    All in one transaction: a row that is deleted is in the file, whatever fails and whenever.

    Raises:
        SchemaError: the user is no operator, or may not read payloads.
        RelayError: the rows could not be saved; nothing was changed.
    """
    saved: list[int] = []
    with connection.transaction():
        connection.execute(queries.ONE_AT_A_TIME)
        with needing("outbox_payload_reader"):
            keep(_lines(connection, ids, saved))
        discarded = discard(connection, saved, why)
        if discarded != saved:
            missing = sorted(set(saved) - set(discarded))
            raise RelayError(
                f"Rows changed while they were saved; nothing was discarded: {named(missing)}. "
                "Repeat with another file."
            )
    return discarded


def saved_lines(connection: Connection, ids: Sequence[int]) -> list[bytes]:
    """Return the lines of rows that could be discarded now, for somebody who keeps them.

    Raises:
        SchemaError: the user may not read payloads.
    """
    with needing("outbox_payload_reader"), connection.transaction():
        return list(_lines(connection, ids, []))


def _lines(connection: Connection, ids: Sequence[int], saved: list[int]) -> Iterator[bytes]:
    with connection.cursor("saved_rows", row_factory=tuple_row) as cursor:
        cursor.itersize = _FETCHED_ROWS
        for row_id, line in cursor.execute(queries.SAVE, {"ids": list(ids)}):
            saved.append(row_id)
            yield bytes(line)


def into(path: Path) -> Keep:
    """Return what keeps lines in a new file at *path*, on the disk when it returns.

    Raises:
        RelayError: when called, the file exists already or cannot be written.
    """

    def keep(lines: Iterable[bytes]) -> None:
        try:
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
            with os.fdopen(opened, "wb") as file:
                file.writelines(line + b"\n" for line in lines)
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(path.absolute().parent)
        except OSError as error:
            raise RelayError(
                f"{path} could not be written ({error.strerror}); nothing was changed. Name a new "
                "file with --save."
            ) from None

    return keep


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file durable, which its own fsync does not."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def restore(connection: Connection, lines: Iterable[bytes], why: Why) -> Restored:
    """Put saved rows back as they were: same id, event id, key, headers and bytes.

    All or none. Left out is what was not discarded here, is back already, or is not what was saved.

    Raises:
        SchemaError: the user is no operator.
        RelayError: a line is no saved row.
    """
    given: list[int] = []
    restored: list[int] = []
    with needing("outbox_operator"), connection.transaction():
        for batch in _batches(lines, given):
            parameters = {"rows": batch, "reason": why.reason, "person": why.person}
            found = connection.execute(queries.RESTORE, parameters)
            restored += [row_id for (row_id,) in found]
    return Restored(restored, sorted(set(given) - set(restored)))


def _batches(lines: Iterable[bytes], given: list[int]) -> Iterator[bytes]:
    batch: list[bytes] = []
    size = 0
    for number, line in enumerate(lines, start=1):
        given.append(_id(line, number))
        batch.append(line)
        size += len(line)
        if size >= _BATCH_BYTES:
            yield b"[" + b",".join(batch) + b"]"
            batch, size = [], 0
    if batch:
        yield b"[" + b",".join(batch) + b"]"


def _id(line: bytes, number: int) -> int:
    try:
        row_id = json.loads(line.decode(errors="replace"))["id"]
    except (ValueError, TypeError, KeyError):
        row_id = None
    if not isinstance(row_id, int):
        raise RelayError(
            f"Line {number} is no saved row; nothing was changed. Give a file that `relay discard "
            "--save` wrote."
        )
    return row_id
