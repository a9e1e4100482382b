"""The truth to compare with: rows that were committed, and where they are."""

from typing import Final, NamedTuple, Self

import psycopg
from psycopg.rows import class_row

from relay.demo.history import Written

# Each transaction's rows are noted by that transaction itself, however it ends.
_WITNESS: Final = """
CREATE TABLE demo_written (seq bigint, event_id uuid, key text);
CREATE FUNCTION demo_witness() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO demo_written VALUES (NEW.id, NEW.event_id, NEW.key);
    RETURN NULL;
END
$$;
CREATE TRIGGER demo_witness AFTER INSERT ON outbox
    FOR EACH ROW EXECUTE FUNCTION demo_witness();
"""
_LEAVE: Final = "DROP TRIGGER demo_witness ON outbox"
_WRITTEN: Final = "SELECT seq, event_id::text, key FROM demo_written"
_FIGURES: Final = """
SELECT (SELECT count(*) FROM demo_written) AS committed,
       count(*) FILTER (WHERE parked_at IS NULL) AS waiting,
       count(*) FILTER (WHERE parked_at IS NOT NULL) AS parked
  FROM outbox
"""


class Figures(NamedTuple):
    """Rows at one moment: committed so far; of these waiting, and parked."""

    committed: int
    waiting: int
    parked: int


class Witness:
    """Connection that only looks; `install` first."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)

    def install(self) -> None:
        """Note every row from now on."""
        self.connection.execute(_WITNESS)

    def leave(self) -> None:
        """Note no more."""
        self.connection.execute(_LEAVE)

    def figures(self) -> Figures:
        """Return the counts of this moment."""
        with self.connection.cursor(row_factory=class_row(Figures)) as cursor:
            return cursor.execute(_FIGURES).fetchall()[0]

    def written(self) -> list[Written]:
        """Return every committed row."""
        return [Written(*row) for row in self.connection.execute(_WRITTEN)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.connection.close()
