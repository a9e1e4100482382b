"""Live: tells browsers that there is a new look, by server-sent events."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import StreamingResponse

from relay.console.watch import Watch

TICK_SECONDS: Final = 0.5
KEEP_ALIVE_SECONDS: Final = 15.0
# Then a browser comes back, and is asked again who it is.
LONGEST_SECONDS: Final = 300.0


class Live:
    """Streams of events, one a browser; none has a thread."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._ending = False

    def begin(self) -> None:
        """Allow streams, from now on."""
        self._ending = False

    def end(self) -> None:
        """End every stream, so that the process may stop."""
        self._ending = True

    def stream(self) -> StreamingResponse:
        """Return a stream with an event for each look from now on."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(), headers=headers, media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[str]:
        seen = self._watch.number
        begun = said = time.monotonic()
        yield "retry: 3000\n\n"
        while not self._ending and time.monotonic() - begun < LONGEST_SECONDS:
            self._watch.attend()
            number = self._watch.number
            if number != seen:
                seen, said = number, time.monotonic()
                yield f"event: look\ndata: {number}\n\n"
            elif time.monotonic() - said > KEEP_ALIVE_SECONDS:
                said = time.monotonic()
                yield ": \n\n"
            await asyncio.sleep(TICK_SECONDS)
