"""The SQL of triggers that take snapshots of a table, whoever writes it.

A trigger fires at the commit, once for each change of a row, and only the change that left the row
as it is now speaks: so a transaction yields one snapshot a row, and its id is drawn under the
row's lock, in commit order.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relay.errors import ConfigurationError
from relay.service.redaction.redactor import Redactor

TRIGGER: Final = "outbox_snapshot"
"""The name of every such trigger; `relay replay` finds the tables by it."""

MAX_IDENTIFIER_BYTES: Final = 63

LIMITS: Final = """\
-- What a trigger cannot do:
--   It has no redactor: the columns below are an allow list, and go out as they are.
--   Snapshots come after what the transaction emits itself. To have the state first, say
--   SET CONSTRAINTS ALL IMMEDIATE after the changes and before outbox_emit().
--   It does not see TRUNCATE. A row that came and went in one transaction is published as deleted.
--   Numbers stay JSON numbers, whatever their precision.
"""


@dataclass(frozen=True)
class TrackedTable:
    """A table whose rows are published by a trigger.

    *table* may name its schema, as "schema.table". *key*: the first of these columns that is not
    null. *columns* are published beside *identity*, which is the primary key.

    Raises:
        ConfigurationError: names every fault.
    """

    table: str
    name: str
    key: Sequence[str]
    columns: Sequence[str]
    identity: Sequence[str] = ("id",)
    topic: str | None = None

    def check(self, redactor: Redactor) -> None:
        """Refuse what could not work, or would publish a secret."""
        faults = [
            f"the column {column} sounds like a secret, and SQL has no redactor: leave it out"
            for column in self.published
            if redactor.is_secret_name(column)
        ]
        if not self.name:
            faults.append(f"the name on the stream is not known for {self.table}: give --name")
        for what, names in (("--key", self.key), ("--id", self.identity)):
            if not all(names) or not names:
                faults.append(f"{what} names no column")
        if not all(self.table.split(".")) or self.table.count(".") > 1:
            faults.append(f"{self.table!r} is no table: write TABLE or SCHEMA.TABLE")
        if len(self._function("trigger").encode()) > MAX_IDENTIFIER_BYTES:
            faults.append(f"{self.table} is too long a name for the functions made of it")
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
        return _CREATE.format(
            emit=f"{quoted(schema)}.outbox_emit" if schema else "outbox_emit",
            limits=LIMITS,
            table=_table(self.table),
            trigger=TRIGGER,
            row=quoted(self.row_function),
            function=quoted(self._function("trigger")),
            name=_literal(self.name),
            topic=_literal(self.topic) if self.topic else "NULL",
            columns=", ".join(f"(state).{quoted(column)}" for column in self.published),
            key=", ".join(f"(state).{quoted(column)}::text" for column in self.key),
            same=self._matches("NEW"),
            gone=self._matches("OLD"),
            moved=" OR ".join(
                f"OLD.{quoted(column)} IS DISTINCT FROM NEW.{quoted(column)}"
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
        return _DROP.format(
            table=_table(self.table),
            trigger=TRIGGER,
            row=quoted(self.row_function),
            function=quoted(self._function("trigger")),
        )

    def _function(self, kind: str) -> str:
        return f"outbox_{kind}_{self.table.replace('.', '_')}"

    def _matches(self, record: str) -> str:
        return " AND ".join(
            f"present.{quoted(column)} = {record}.{quoted(column)}" for column in self.identity
        )


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


_CREATE: Final = """\
-- Snapshots of {table} as {name}. Apply it where the outbox is, as the owner of the table; it may
-- be applied again, and waits two seconds at most for writers to let it.
{limits}
BEGIN;
SET LOCAL lock_timeout = '2s';

-- As version 1 of the outbox had it. Beside the next one no call would be clear.
DROP FUNCTION IF EXISTS {row}({table}, boolean, jsonb);

-- Publishes one row. Also for a replay; a column that does not exist is refused here, not later.
CREATE OR REPLACE FUNCTION {row}(
    state {table}, deleted boolean DEFAULT false, replayed boolean DEFAULT false
) RETURNS uuid LANGUAGE sql SET search_path FROM CURRENT SET timezone = 'UTC' AS $outbox$
    SELECT {emit}(
        {name},
        (SELECT to_jsonb(published) FROM (SELECT {columns}) AS published)
            || CASE WHEN deleted THEN '{{"deleted": true}}'::jsonb ELSE '{{}}' END,
        key => coalesce({key}),
        topic => {topic},
        replayed => replayed
    );
$outbox$;

-- As its owner, so that whoever may write the table needs no right on the outbox.
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $outbox$
BEGIN
    -- Only the last version of a row speaks: the others are not there any more.
    IF TG_OP <> 'DELETE' AND EXISTS (
        SELECT FROM {table} AS present WHERE {same} AND present.ctid = NEW.ctid
    ) THEN
        PERFORM {row}(NEW);
    END IF;
    IF (TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND ({moved})) AND NOT EXISTS (
        SELECT FROM {table} AS present WHERE {gone}
    ) THEN
        PERFORM {row}(OLD, deleted => true);
    END IF;
    RETURN NULL;
END
$outbox$;

DROP TRIGGER IF EXISTS {trigger} ON {table};
CREATE CONSTRAINT TRIGGER {trigger} AFTER INSERT OR UPDATE OR DELETE ON {table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {function}();
COMMENT ON TRIGGER {trigger} ON {table} IS {description};
COMMIT;
"""

_DROP: Final = """\
BEGIN;
SET LOCAL lock_timeout = '2s';
DROP TRIGGER IF EXISTS {trigger} ON {table};
DROP FUNCTION IF EXISTS {function}();
DROP FUNCTION IF EXISTS {row}({table}, boolean, boolean);
DROP FUNCTION IF EXISTS {row}({table}, boolean, jsonb);
COMMIT;
"""
