"""Triggers that take snapshots of a table, whichever program writes it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relay.errors import ConfigurationError
from relay.operations.queries import triggers as queries
from relay.service.redaction.redactor import Redactor

TRIGGER: Final = "outbox_snapshot"
"""The name of every such trigger; `relay replay` finds the tables by it."""

MAX_IDENTIFIER_BYTES: Final = 63


@dataclass(frozen=True)
class TrackedTable:
    """Table whose rows are published by a trigger.

    *table* may name its schema, as "schema.table". *key*: the first of these columns that is not
    null. *columns* are published beside *identity*, which is the primary key.
    """

    table: str
    name: str
    key: Sequence[str]
    columns: Sequence[str]
    identity: Sequence[str] = ("id",)
    topic: str | None = None

    def check(self, redactor: Redactor) -> None:
        """Make sure that the trigger works, and publishes no secret.

        Raises:
            ConfigurationError: names every fault.
        """
        faults = [
            f"the column {column} sounds like a secret, and SQL has no redactor: leave it out"
            for column in self.published
            if redactor.is_secret_name(column)
        ]
        if not self.name:
            faults.append(f"the table {self.table} has no known name on the stream: give a name")
        for what, names in (("key", self.key), ("primary key", self.identity)):
            if not all(names) or not names:
                faults.append(f"the {what} names no column")
        if not all(self.table.split(".")) or self.table.count(".") > 1:
            faults.append(f"{self.table!r} is no name of a table: write TABLE or SCHEMA.TABLE")
        if len(self._function("trigger").encode()) > MAX_IDENTIFIER_BYTES:
            faults.append(f"{self.table} is too long: the functions of its trigger carry its name")
        if faults:
            raise ConfigurationError(faults)

    @property
    def published(self) -> tuple[str, ...]:
        """The columns of a snapshot, in order."""
        return tuple(dict.fromkeys((*self.identity, *self.columns)))

    @property
    def row_function(self) -> str:
        """The function that publishes a row: (row, deleted, replayed); unquoted."""
        return self._function("row")

    def create(self, schema: str | None = None) -> str:
        """Return the SQL that creates the trigger, or brings it up to date.

        *schema*: where the outbox tables are, if the search_path does not say.
        """
        return queries.CREATE.format(
            emit=f"{quoted(schema)}.outbox_emit" if schema else "outbox_emit",
            limits=queries.LIMITS,
            table=_table(self.table),
            trigger=TRIGGER,
            row=quoted(self.row_function),
            function=quoted(self._function("trigger")),
            name=_literal(self.name),
            topic=_literal(self.topic) if self.topic else "NULL",
            state=quoted(self._function("state")),
            present=quoted(self._function("present")),
            columns=", ".join(
                f"(state).{quoted(column)} AS {quoted(column)}" for column in self.published
            ),
            key=", ".join(f"(state).{quoted(column)}::text" for column in self.key),
            same=" AND ".join(
                f"present.{quoted(column)} = (state).{quoted(column)}" for column in self.identity
            ),
            # By its name on the stream, which stays.
            moved=" OR ".join(
                f"former.payload -> {_literal(column)} IS DISTINCT FROM"
                f" latest.payload -> {_literal(column)}"
                for column in self.identity
            ),
            description=_literal(
                json.dumps(
                    {
                        "row": self.row_function,
                        "name": self.name,
                        "key": list(self.key),
                        "id": list(self.identity),
                    }
                )
            ),
        )

    def drop(self) -> str:
        """Return the SQL that takes the trigger away again."""
        return queries.DROP.format(
            table=_table(self.table),
            trigger=TRIGGER,
            row=quoted(self.row_function),
            function=quoted(self._function("trigger")),
            state=quoted(self._function("state")),
            present=quoted(self._function("present")),
        )

    def _function(self, kind: str) -> str:
        return f"outbox_{kind}_{self.table.replace('.', '_')}"


def quoted(identifier: str) -> str:
    """Return *identifier* as PostgreSQL reads it, whatever its letters."""
    return '"' + identifier.replace('"', '""') + '"'


def listed(names: str) -> tuple[str, ...]:
    """Split "a,b" into its parts."""
    return tuple(part.strip() for part in names.split(",") if part.strip())


def _table(name: str) -> str:
    return ".".join(quoted(part) for part in name.split("."))


def _literal(value: str) -> str:
    # With a backslash in it, only this form means the same under every setting of the server.
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'" if "\\" in value else f"'{escaped}'"
