"""Alembic: leave the outbox's tables to the outbox, and migrate them from a revision.

`include_object` goes into `context.configure()` of env.py. A revision calls `op.outbox_migrate()`,
after `import relay.alembic`. docs/alembic.md has a complete example.
"""

from typing import TYPE_CHECKING, Any

import psycopg
from alembic.operations import MigrateOperation, Operations

from relay.database.migration import Migrated, migrate_within
from relay.database.migrations import Phase
from relay.database.ownership import TABLES
from relay.errors import SchemaError

if TYPE_CHECKING:
    from sqlalchemy import Connection


def include_object(
    object_: Any,  # noqa: ANN401 - whatever Alembic compares
    name: str | None,
    type_: str,
    reflected: bool,  # noqa: FBT001, ARG001 - as Alembic calls it
    compare_to: object,  # noqa: ARG001
) -> bool:
    """Return whether autogenerate may compare *object_*: the outbox's tables it may not.

    A table of the service's own that only has such a name is told by its columns.
    """
    if type_ != "table":
        return True
    ours = TABLES.get(name or "")
    return ours is None or not ours.keys() <= set(object_.columns.keys())


@Operations.register_operation("outbox_migrate")
class OutboxMigrate(MigrateOperation):
    """Bring the outbox's tables to the version of the installed release."""

    def __init__(self, phase: str, schema: str | None) -> None:
        self.phase = Phase(phase)
        self.schema = schema

    @classmethod
    def outbox_migrate(
        cls, operations: Operations, phase: str = "pre", schema: str | None = None
    ) -> Migrated:
        """Do what `relay migrate` does, within the transaction of the revision.

        *phase*: "pre" before a rollout, "post" after it. *schema*: that of the tables, created if
        need be.

        Raises:
            SchemaError: something else has one of the outbox's names; or the driver is not psycopg.
        """
        migrated: Migrated = operations.invoke(cls(phase, schema))
        return migrated

    def reverse(self) -> MigrateOperation:
        """Refuse: rows that wait would be lost.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            "outbox_migrate has no way back, because rows may wait: docs/operations.md says how to "
            "roll back"
        )


@Operations.implementation_for(OutboxMigrate)
def _migrate(operations: Operations, operation: OutboxMigrate) -> Migrated:
    if operations.get_context().as_sql:
        raise SchemaError(
            "outbox_migrate cannot be written as SQL, because what is due depends on the database: "
            "run `relay migrate` there instead."
        )
    bind: Connection = operations.get_bind()
    driver = bind.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise SchemaError(
            f"outbox_migrate needs a connection of psycopg 3, and {bind.dialect.driver} is another "
            "driver: use postgresql+psycopg:// in env.py, or run `relay migrate` before Alembic."
        )
    return migrate_within(driver, phase=operation.phase, into=operation.schema)
