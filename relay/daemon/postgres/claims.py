"""Claims: shards with pending rows, locked for one lease."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import sql

from relay.daemon.postgres import queries
from relay.daemon.postgres.arrays import array
from relay.daemon.postgres.low_watermark import LowWatermarks
from relay.daemon.postgres.row_filter import RowFilter
from relay.daemon.postgres.session import Session
from relay.daemon.rows import Row
from relay.database.connection import BoundedConnection
from relay.settings import SHARDS

# Of outbox_claim(); those of a row follow, without its shard.
_CLAIM_COLUMNS: Final = 8


@dataclass(frozen=True, slots=True)
class Claimed:
    """A locked shard: where to read from, and whether its last holder died.

    *resume*: where to read from beside writers that stay open. Holders are named by their
    transaction, as the xmax of a shard row shows it. *unsettled*: event ids, by id, of rows that an
    earlier lease published and had to leave.
    """

    shard: int
    after: int
    resume: int
    isolated_until: int | None
    died: bool
    holder: int
    transaction: int
    unsettled: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class SmallClaim:
    """Locked shards with their oldest rows. Ids were drawn up to *drawn* before those were read."""

    claimed: Sequence[Claimed]
    rows: Sequence[Row]
    drawn: int


class Claims:
    """Claims shards in turn, at most *shards_max* at a time."""

    def __init__(self, shards_max: int) -> None:
        self._shards_max = shards_max
        self._last = -1

    def claim(
        self,
        connection: BoundedConnection,
        row_filter: RowFilter,
        watermarks: LowWatermarks,
        *,
        other_leases: int,
        only: int | None,
    ) -> Sequence[Claimed]:
        """Lock shards with pending rows, or *only* one shard.

        Watermarks of another epoch are reset.
        """
        found = connection.execute(row_filter.applied_to(queries.CLAIM), {
            **row_filter.parameters,
            "only": only,
            "epoch": watermarks.epoch,
            "drawn": watermarks.drawn,
            "watermarks": watermarks.ids,
            "resume": watermarks.resume,
            "last": self._last % SHARDS,
            "shards": self.share(other_leases),
        }).fetchall()  # fmt: skip
        if found and only is None:
            self._last = found[-1][0]
        return _claimed(found, watermarks)

    def claim_small(
        self,
        session: Session,
        watermarks: LowWatermarks,
        *,
        other_leases: int,
        rows: int,
        reading: str,
    ) -> SmallClaim:
        """Begin a lease: lock shards, and read *rows* rows in all, in one message.

        *reading*: the bytes of a row that come with it, and those that are read at all.
        Watermarks of another epoch are reset.
        """
        arguments = [
            session.lease_arguments,
            sql.Literal(watermarks.epoch).as_string(),
            f"{watermarks.drawn}, '{array(watermarks.ids)}', {self._last % SHARDS}",
            f"{self.share(other_leases)}, {rows}, {reading}",
        ]
        if watermarks.beside:
            arguments.append(f"'{array(watermarks.resume)}', '{array(watermarks.beside)}'")
        statement = queries.CLAIM_SMALL.format(arguments=", ".join(arguments))
        found = session.begin_with(statement)
        shards = [row[:_CLAIM_COLUMNS] for row in found if row[_CLAIM_COLUMNS] is None]
        if not shards:
            return SmallClaim((), (), 0)
        self._last = shards[-1][0]
        drawn = shards[0][-1]
        return SmallClaim(
            _claimed([shard[:-1] for shard in shards], watermarks),
            [
                Row(
                    row[_CLAIM_COLUMNS], row[_CLAIM_COLUMNS + 1], row[0], *row[_CLAIM_COLUMNS + 2 :]
                )
                for row in found[len(shards) :]
            ],
            drawn,
        )

    def share(self, other_leases: int) -> int:
        """Return the number of shards to lock: relays share them, and leave room for one more."""
        if not other_leases:
            return self._shards_max
        return min(self._shards_max, SHARDS // (other_leases + 2))


def _claimed(found: Sequence[tuple[Any, ...]], watermarks: LowWatermarks) -> Sequence[Claimed]:
    if found and not found[0][3]:
        watermarks.reset()
    return [
        Claimed(
            shard,
            watermarks.ids[shard],
            watermarks.resume[shard],
            isolated_until,
            died,
            holder,
            transaction,
            {int(id_): event_id for id_, event_id in (unsettled or {}).items()},
        )
        for shard, isolated_until, died, _, holder, transaction, unsettled in found
    ]
