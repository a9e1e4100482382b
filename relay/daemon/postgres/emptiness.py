"""Emptiness: proof that no row waits, which one look at the id sequence can renew.

Once all ids that were drawn are decided and their rows gone, new work must draw an id, or come back
under another epoch: requeues are counted there. Only COPY writes rows that did neither, so that a
proof does not last for ever.
"""

from collections.abc import Collection
from typing import Final

from relay.daemon.timing import Interval

_LASTS_SECONDS: Final = 5.0


class Emptiness:
    """Up to which id, and in which epoch, the outbox was found empty, if it was."""

    def __init__(self) -> None:
        self._proof: tuple[int, str] | None = None
        self._lasts = Interval(_LASTS_SECONDS)

    @property
    def known(self) -> bool:
        """True while there is a proof to compare with."""
        return self._proof is not None and not self._lasts.due

    def found(self, drawn: int, epoch: str) -> None:
        """Take in that a look at all rows found none, and none undecided."""
        self._proof = (drawn, epoch)
        self._lasts.restart()

    def lost(self) -> None:
        """Take in that rows may wait."""
        self._proof = None

    def still(self, drawn: int, epoch: str) -> bool:
        """Return whether nothing came since, given how far ids are drawn now."""
        return self._proof == (drawn, epoch)

    def settled(self, ids: Collection[int], drawn: int) -> bool:
        """Take in that rows with these *ids* are gone, of ids up to *drawn*; return if all are."""
        if self._proof is None:
            return False
        before, epoch = self._proof
        # If they are all that was drawn since, none is missing that could still be committed.
        if len(ids) == drawn - before and min(ids) > before and max(ids) <= drawn:
            self._proof = (drawn, epoch)
        else:
            self._proof = None
        return self._proof is not None
