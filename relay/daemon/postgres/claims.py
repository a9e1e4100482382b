"""Claims: shards with pending rows, locked for one lease."""

from collections.abc import Sequence
from dataclasses import dataclass

from relay.daemon.postgres import queries
from relay.daemon.postgres.low_watermark import LowWatermarks
from relay.daemon.postgres.row_filter import RowFilter
from relay.database.connection import BoundedConnection
from relay.settings import SHARDS


@dataclass(frozen=True, slots=True)
class Claimed:
    """A locked shard: where to read from, and whether its last holder died.

    Holders are named by their transaction, as the xmax of a shard row shows it.
    """

    shard: int
    after: int
    isolated_until: int | None
    died: bool
    holder: int
    transaction: int


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
            "last": self._last % SHARDS,
            "shards": self._share(other_leases),
        }).fetchall()  # fmt: skip
        if found and not found[0][3]:
            watermarks.reset()
        if found and only is None:
            self._last = found[-1][0]
        return [
            Claimed(shard, watermarks.ids[shard], isolated_until, died, holder, transaction)
            for shard, isolated_until, died, _, holder, transaction in found
        ]

    def _share(self, other_leases: int) -> int:
        """Return the number of shards to lock: relays share them, and leave room for one more."""
        if not other_leases:
            return self._shards_max
        return min(self._shards_max, SHARDS // (other_leases + 2))
