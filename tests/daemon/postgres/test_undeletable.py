"""Published rows that PostgreSQL refuses to delete are set aside alone; their relay copies none."""

import psycopg
import pytest
from psycopg import errors

from relay.daemon.postgres.store import Store
from tests.daemon.conftest import MakeStore
from tests.daemon.postgres.test_others_settings import KEPT_BY_A_TRIGGER
from tests.daemon.postgres.test_unsettled import end_other_connections, publish
from tests.support.outbox import Outbox

TRIGGER = """
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.name = 'Kept' THEN {instead}; END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER kept {when} ON outbox {deferred} FOR EACH ROW EXECUTE FUNCTION keep()
"""
REFUSED = TRIGGER.format(when="BEFORE DELETE", deferred="", instead="RAISE 'not %', OLD.payload")
DIVIDED = TRIGGER.format(when="BEFORE DELETE", deferred="", instead="RAISE division_by_zero")
SKIPPED = TRIGGER.format(when="BEFORE DELETE", deferred="", instead="RETURN NULL")
REFERENCE = """
CREATE TABLE note (row_id bigint REFERENCES outbox {deferred});
INSERT INTO note SELECT id FROM outbox WHERE name = 'Kept'
"""
KEEPERS = {
    "a trigger refuses": (REFUSED, "SQLSTATE P0001, RaiseException"),
    "a trigger errs": (DIVIDED, "SQLSTATE 22012, DivisionByZero"),
    "a trigger skips": (SKIPPED, "a trigger or rule does"),
    "a foreign key": (
        REFERENCE.format(deferred=""),
        "SQLSTATE 23503, ForeignKeyViolation, constraint note_row_id_fkey",
    ),
    "a foreign key at the commit": (
        REFERENCE.format(deferred="DEFERRABLE INITIALLY DEFERRED"),
        "SQLSTATE 23503, ForeignKeyViolation, constraint note_row_id_fkey",
    ),
}  # fmt: skip


def relay(store: Store) -> list[int]:
    """Publish what waits, and connect anew where that breaks the lease, as a worker does."""
    try:
        published = publish(store)
    except psycopg.Error:
        store.close()
        store.connect()
        return []
    store.settle_unsettled()
    return published


@pytest.mark.parametrize("rows", [40, 600], ids=["small", "large"])
@pytest.mark.parametrize(("keeper", "why"), KEEPERS.values(), ids=KEEPERS.keys())
def test_it_is_parked_with_the_reason_and_the_others_go(
    outbox: Outbox, make_store: MakeStore, keeper: str, why: str, rows: int
) -> None:
    outbox.fill(rows, keys=30)
    outbox.emit("Kept", '{"secret": 1}')
    outbox.fill(rows, keys=30)
    outbox.connection.execute(keeper.encode())
    store = make_store(lease_shards=64)
    while outbox.count("parked_at IS NULL"):
        relay(store)
    ((name, error),) = outbox.connection.execute("SELECT name, last_error FROM outbox").fetchall()
    assert (name, f"({why})" in error, "secret" in error) == ("Kept", True, False)
    assert len(store.take_kept()) == 1
    assert store.take_kept() == []
    # It is discarded once that is mended, and nobody else has taken it for one that waits.
    outbox.emit("Later")
    assert len(relay(make_store(lease_shards=64))) == 1


def test_what_is_refused_as_such_parks_nothing(outbox: Outbox, make_store: MakeStore) -> None:
    outbox.fill(10, keys=10)
    store = make_store(lease_shards=64)
    with pytest.raises(psycopg.OperationalError):
        publish(store, at_the_end=lambda: end_other_connections(outbox))
    outbox.connection.execute(KEPT_BY_A_TRIGGER.encode())
    with pytest.raises(errors.RaiseException):
        store.connect()
    assert outbox.count("parked_at IS NULL") == 10
    outbox.connection.execute("DROP TRIGGER kept ON outbox")
    store.connect()
    assert outbox.count() == 0
