"""Triggers that take snapshots of a table, whichever program writes it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from relay.database.location import quoted
from relay.errors import ConfigurationError, EventDefinitionError
from relay.formats import Format
from relay.operations.allow_list import selected
from relay.operations.queries import triggers as queries
from relay.operations.sql_text import literal
from relay.service.redaction.redactor import Redactor

TRIGGER: Final = "outbox_snapshot"
"""The name of every such trigger; `relay replay` finds the tables by it."""

INSERT_TRIGGER: Final = "outbox_inserted"
"""The name of those that publish inserts alone; a replay leaves their tables out."""

MAX_IDENTIFIER_BYTES: Final = 63


@dataclass(frozen=True)
class TrackedTable:
    """Table whose rows are published by a trigger.

    *table* may name its schema, as "schema.table". *key*: the first of these columns that is not
    null, else *no_key*. *columns* are published beside *identity*, which is the primary key; of a
    JSON column "a.b.c" is a path. *absent*: the texts of columns without a value. *inserts*:
    publish nothing but inserted rows.
    """

    table: str
    name: str
    key: Sequence[str]
    columns: Sequence[str]
    identity: Sequence[str] = ("id",)
    topic: str | None = None
    no_key: str | None = None
    absent: Mapping[str, str] = field(default_factory=dict)
    inserts: bool = False

    def check(self, redactor: Redactor, form: Format | None = None) -> None:
        """Make sure that the trigger works, and publishes no secret.

        Raises:
            ConfigurationError: names every fault.
        """
        faults = [
            f"the column {column} sounds like a secret, and SQL has no redactor: leave it out"
            for column in self.published
            if any(map(redactor.is_secret_name, column.split(".")))
        ]
        faults += (
            f"{column} is a path into a column that is published as a whole: choose one of both"
            for column in self.published
            if "." in column and column.partition(".")[0] in self.published
        )
        faults += self._stream_faults(form) if form else ()
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

    def _stream_faults(self, form: Format) -> Iterator[str]:
        """Yield what consumers of the format could not read."""
        if form.names is not None and self.name and self.name not in form.names:
            yield f"{self.name}: existing consumers stop at it; --name takes {sorted(form.names)}"
        if self.name in form.states:
            owner = "id" if self.name == "ClusterState" else "cluster_id"
            try:
                form.check_snapshot(self.name, self.published, keyed=tuple(self.key) != (owner,))
            except EventDefinitionError as error:
                yield f"{error} (--key {owner})"

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
        place = f"{quoted(schema)}." if schema else ""
        template = queries.CREATE_INSERTS if self.inserts else queries.CREATE
        return template.format(
            emit=f"{place}outbox_emit",
            limits=queries.LIMITS,
            refusal=queries.REFUSAL,
            table=_table(self.table),
            trigger=self._trigger,
            row=quoted(self.row_function),
            function=quoted(self._function("trigger")),
            name=literal(self.name),
            topic=literal(self.topic) if self.topic else "NULL",
            state=quoted(self._function("state")),
            present=quoted(self._function("present")),
            columns=selected(self.published, self.absent, f"{place}outbox_json"),
            key=", ".join(self._key_parts()),
            same=" AND ".join(
                f"present.{quoted(column)} = (state).{quoted(column)}" for column in self.identity
            ),
            # By its name on the stream, which stays.
            moved=" OR ".join(
                f"former.payload -> {literal(column)} IS DISTINCT FROM"
                f" latest.payload -> {literal(column)}"
                for column in self.identity
            ),
            description=literal(
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
            trigger=self._trigger,
            row=quoted(self.row_function),
            function=quoted(self._function("trigger")),
            state=quoted(self._function("state")),
            present=quoted(self._function("present")),
        )

    @property
    def _trigger(self) -> str:
        return INSERT_TRIGGER if self.inserts else TRIGGER

    def _key_parts(self) -> Iterator[str]:
        yield from (f"(state).{quoted(column)}::text" for column in self.key)
        if self.no_key is not None:
            yield literal(self.no_key)

    def _function(self, kind: str) -> str:
        # A table may have both kinds of triggers, each with its own columns.
        of_inserts = "inserted_" if self.inserts else ""
        return f"outbox_{of_inserts}{kind}_{self.table.replace('.', '_')}"


def listed(names: str) -> tuple[str, ...]:
    """Split "a,b" into its parts."""
    return tuple(part.strip() for part in names.split(",") if part.strip())


def _table(name: str) -> str:
    return ".".join(quoted(part) for part in name.split("."))
