"""Django: bring the outbox's tables to the installed release from a migration of the service.

``operations = [OutboxMigrate()]``; docs/django.md has a complete example.
"""

from typing import Any

import psycopg
from django.db.migrations.operations.base import Operation

from relay.database.migration import migrate_within
from relay.database.migrations import Phase
from relay.errors import SchemaError


class OutboxMigrate(Operation):  # type: ignore[misc]
    """Do what `relay migrate` does, within the transaction of the migration.

    *phase*: "pre" before a rollout, "post" after it. *schema*: that of the tables, created if need
    be. There is no way back, because rows may wait; the tables stay if it is undone.
    """

    reduces_to_sql = False
    reversible = True

    def __init__(self, phase: str = "pre", schema: str | None = None) -> None:
        self.phase = Phase(phase)
        self.schema = schema

    def state_forwards(self, app_label: str, state: object) -> None:
        """Leave the state of the models alone: the tables are none of theirs."""

    def database_forwards(
        self,
        app_label: str,  # noqa: ARG002 - as Django calls it
        schema_editor: Any,  # noqa: ANN401 - Django has no types
        from_state: object,  # noqa: ARG002
        to_state: object,  # noqa: ARG002
    ) -> None:
        """Migrate.

        Raises:
            SchemaError: something else has a name of the outbox's; or the driver is no psycopg 3.
        """
        connection = schema_editor.connection
        connection.ensure_connection()
        driver = connection.connection
        if not isinstance(driver, psycopg.Connection) or schema_editor.collect_sql:
            raise SchemaError(
                "OutboxMigrate needs a connection of psycopg 3, and writes no SQL for sqlmigrate: "
                "run `relay migrate` on that database instead."
            )
        migrate_within(driver, phase=self.phase, into=self.schema)

    def database_backwards(
        self, app_label: str, schema_editor: object, from_state: object, to_state: object
    ) -> None:
        """Leave the tables where they are: rows may wait in them."""

    def describe(self) -> str:
        """Return the line of `migrate --plan`."""
        return "Bring the outbox's tables to the installed release"
