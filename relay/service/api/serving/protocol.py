import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE_SECONDS: Final = 10.0


class PatientProtocol(H11Protocol):
    """HTTP that cuts a client off which takes too long to send a request or to read an answer.

    Uvicorn has a timeout for idle connections alone, and ASGI sees neither of the two. What the
    application reads of a body has a limit of its own; this one is for the head, and for what is
    still sent of a request that was answered.
    """

    def __init__(self, *args: Any, patience: float = PATIENCE_SECONDS, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._patience = patience
        self._request: asyncio.TimerHandle | None = None
        self._answer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Go on waiting while no request is complete."""
        super().data_received(data)
        self._watch()

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        self._answer = self.loop.call_later(self._patience, self.transport.abort)

    def resume_writing(self) -> None:
        """Wait no more: the client has read."""
        super().resume_writing()
        self._stop_waiting_for_reader()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        super().connection_lost(exc)
        self._stop_waiting_for_request()
        self._stop_waiting_for_reader()

    def _watch(self) -> None:
        is_at_work = bool(self.cycle) and not self.cycle.response_complete
        if is_at_work or self.transport.is_closing():
            self._stop_waiting_for_request()
        elif self._request is None:
            self._request = self.loop.call_later(self._patience, self.transport.abort)

    def _stop_waiting_for_request(self) -> None:
        if self._request is not None:
            self._request.cancel()
            self._request = None

    def _stop_waiting_for_reader(self) -> None:
        if self._answer is not None:
            self._answer.cancel()
            self._answer = None
