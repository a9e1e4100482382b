"""The routes of the existing service, as a router that can be part of another application."""

import logging
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Body, Depends, Query, Response, Security
from fastapi.responses import StreamingResponse
from fastapi.security import APIKeyHeader, APIKeyQuery
from starlette.concurrency import iterate_in_threadpool

from relay.service.api.access.caller import Caller
from relay.service.api.access.credentials import API_KEY
from relay.service.api.core.adding import Adding
from relay.service.api.core.count_headers import COUNT_HEADERS, count_headers
from relay.service.api.core.filter import EventFilter
from relay.service.api.core.listing import Listing, Page
from relay.service.api.core.refusal import CutOffError, Refusal, refusal
from relay.service.api.existing_service import body
from relay.service.api.existing_service.errors import documented, error
from relay.service.api.existing_service.query import EVERYWHERE, LISTS, ListQuery
from relay.service.api.existing_service.representation import EVENT, ListedEvent
from relay.service.api.serving.route import Authenticate, Contract, TheCaller, add_routes
from relay.settings.api import EXISTING_SERVICE_PATH

_CREDENTIALS: Final = (
    Security(APIKeyHeader(name="Authorization", auto_error=False)),
    Security(APIKeyHeader(name="Watcher-Authorization", auto_error=False)),
    Security(APIKeyQuery(name=API_KEY, auto_error=False)),
)

_PART_BYTES: Final = 256 << 10

logger = logging.getLogger(__name__)


class ExistingServiceFace:
    """The face of the existing service.

    *streams_rate_limited*: an event that a rate limit keeps from being stored is streamed, so
    adding it succeeds. *deleted_hosts*: SQL for the ids of deleted hosts.
    """

    def __init__(
        self,
        listing: Listing,
        adding: Adding,
        authenticate: Authenticate,
        client_seconds: float,
        *,
        streams_rate_limited: bool,
        deleted_hosts: str = "",
    ) -> None:
        self._listing = listing
        self._adding = adding
        self._streams_rate_limited = streams_rate_limited
        self._deleted_hosts = deleted_hosts
        contract = Contract(
            authenticate=authenticate,
            show=error,
            client_seconds=client_seconds,
            lists=LISTS,
            everywhere=EVERYWHERE,
        )
        self.router = APIRouter(
            route_class=contract.route_class(),
            tags=["existing service"],
            dependencies=list(_CREDENTIALS),
            responses=documented(400, 401, 403, 404, 503),
        )
        add_routes(
            self.router, EXISTING_SERVICE_PATH, self.list_events, methods=["GET"],
            summary="List events, for existing clients",
            responses={200: {"model": list[ListedEvent], "headers": COUNT_HEADERS}},
        )  # fmt: skip
        add_routes(
            self.router, EXISTING_SERVICE_PATH, self.add_event, methods=["POST"],
            summary="Add an event, for existing clients", status_code=HTTPStatus.CREATED,
            dependencies=[Depends(contract.refuse_query)], response_class=Response,
            responses={201: {"description": "The event was added"}}
            | documented(408, 413, 429),
        )  # fmt: skip

    def list_events(self, wanted: Annotated[ListQuery, Query()], caller: TheCaller) -> Response:
        """List events in the order in which they happened."""
        if not caller.owns([wanted.cluster_id], [wanted.infra_env_id]):
            raise Refusal(HTTPStatus.NOT_FOUND, "There is no such cluster or infra-env")
        asked = wanted.filter(self._deleted_hosts)
        counts, page = self._listing.first(asked, caller)
        headers = count_headers(counts)
        if page.next is None or len(page.events) == asked.limit:
            text = b"[" + b",".join(page.events) + b"]"
            return Response(text, HTTPStatus.OK, headers, media_type="application/json")
        return StreamingResponse(
            self._parts(page, asked, caller), HTTPStatus.OK, headers, media_type="application/json"
        )

    def add_event(self, new: Annotated[body.Body, Body()], caller: TheCaller) -> Response:
        """Add an event: it is stored and streamed in one transaction, like those of the service."""
        self._adding.add(new.new(), caller, EVENT, or_streamed=self._streams_rate_limited)
        return Response(status_code=HTTPStatus.CREATED)

    async def _parts(self, page: Page, wanted: EventFilter, caller: Caller) -> AsyncIterator[bytes]:
        """Yield the whole list in parts: clients here know no cursor."""
        buffer, separator = bytearray(), b"["
        async for each in self._pages(page, wanted, caller):
            for event in each.events:
                buffer += separator + event
                separator = b","
                # What is on its way is copied several times: never a whole page.
                while len(buffer) > _PART_BYTES:
                    yield bytes(buffer[:_PART_BYTES])
                    del buffer[:_PART_BYTES]
        yield bytes(buffer) + b"]"

    async def _pages(self, page: Page, wanted: EventFilter, caller: Caller) -> AsyncIterator[Page]:
        try:
            async for each in iterate_in_threadpool(self._listing.pages(page, wanted, caller)):
                yield each
        except Exception as error:  # noqa: BLE001 - the status is sent: nobody else can answer
            logger.warning("a list was cut off: %s", refusal(error).detail)
            raise CutOffError from None
