"""Limit of attempts to sign in, an address at a time."""

import threading
import time
from collections import OrderedDict
from http import HTTPStatus
from typing import Final

from relay.console.access.refusals import Refusal

ADDRESSES_MAX: Final = 10_000
_MINUTE: Final = 60.0


class LoginLimit:
    """Bucket of attempts for each address; those that were quiet longest are forgotten."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def spend(self, address: str) -> None:
        """Take one attempt.

        Raises:
            Refusal: 429, there is none left.
        """
        now = time.monotonic()
        with self._lock:
            left, at = self._left.pop(address, (float(self._per_minute), now))
            left = min(self._per_minute, left + (now - at) * self._per_minute / _MINUTE)
            allowed = left >= 1
            self._left[address] = (left - 1 if allowed else left, now)
            if len(self._left) > ADDRESSES_MAX:
                self._left.popitem(last=False)
        if not allowed:
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS, "Too many attempts to sign in. Wait a minute."
            )
