"""The routes, as a router that can be part of another application."""

from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Header, Query, Response, Security
from fastapi.security import HTTPBearer

from relay.service.api.access.caller import Caller
from relay.service.api.core.adding import Adding
from relay.service.api.core.count_headers import count_headers
from relay.service.api.core.listing import Listing
from relay.service.api.core.refusal import Refusal
from relay.service.api.own import body
from relay.service.api.own.problems import documented, problem
from relay.service.api.own.query import LISTS, ListQuery
from relay.service.api.own.representation import EVENT, LIST_HEADERS, StoredEvent
from relay.service.api.serving.route import Authenticate, Contract, TheCaller, add_routes

IdempotencyKey = Annotated[
    str | None, Header(min_length=1, max_length=200, description="adds the event once")
]
_BEARER: Final = HTTPBearer(auto_error=False, bearerFormat="JWT", description="a signed JWT")


class OwnFace:
    """The face of our own at *path*."""

    def __init__(
        self,
        path: str,
        listing: Listing,
        adding: Adding,
        authenticate: Authenticate,
        client_seconds: float,
    ) -> None:
        self._listing = listing
        self._adding = adding
        contract = Contract(
            authenticate=authenticate, show=problem, client_seconds=client_seconds, lists=LISTS
        )
        self.router = APIRouter(
            route_class=contract.route_class(),
            tags=["events"],
            dependencies=[Security(_BEARER)],
            responses=documented(400, 401, 403, 503),
        )
        no_query = [Depends(contract.refuse_query)]
        listed = {200: {"model": list[StoredEvent], "headers": LIST_HEADERS}}
        add_routes(
            self.router, path, self.list_events, methods=["GET"], summary="List events",
            responses=listed | documented(404, 422),
        )  # fmt: skip
        add_routes(
            self.router, path, self.count_events, methods=["HEAD"], summary="Count events",
            responses={200: {"headers": LIST_HEADERS}} | documented(404, 422),
            include_in_schema=False,
        )  # fmt: skip
        add_routes(
            self.router, path, self.add_event, methods=["POST"], summary="Add an event",
            status_code=HTTPStatus.CREATED, dependencies=no_query,
            responses={201: {"model": StoredEvent, "description": "The event as it was stored"}}
            | documented(404, 408, 409, 413, 422, 429),
        )  # fmt: skip
        add_routes(
            self.router, f"{path}/{{event_id}}", self.read_event, methods=["GET"],
            summary="Read an event", dependencies=no_query,
            responses={200: {"model": StoredEvent}} | documented(404, 422),
        )  # fmt: skip
        add_routes(
            self.router, f"{path}/{{event_id}}", self.read_event, methods=["HEAD"],
            dependencies=no_query, include_in_schema=False,
        )  # fmt: skip

    def list_events(self, wanted: Annotated[ListQuery, Query()], caller: TheCaller) -> Response:
        """List events in the order in which they happened.

        A token that is bound to clusters, infra-envs or hosts sees their events alone; a cluster
        or infra-env of others is 404, as if it did not exist. A page ends early where its events
        are large: go on with Next-Cursor. With a cursor the counts are left out.
        """
        _require_visible(wanted, caller)
        headers: dict[str, str] = {}
        if wanted.cursor is None:
            counts, page = self._listing.first(wanted.filter(), caller)
            headers = count_headers(counts)
        else:
            page = self._listing.page(wanted.filter(), caller)
        if page.next is not None:
            headers["Next-Cursor"] = str(page.next)
        return _json(b"[" + b",".join(page.events) + b"]", headers)

    def count_events(self, wanted: Annotated[ListQuery, Query()], caller: TheCaller) -> Response:
        """Answer with the headers of a list that say how many events there are."""
        _require_visible(wanted, caller)
        return _json(b"", count_headers(self._listing.counts(wanted.filter(), caller)))

    def read_event(self, event_id: UUID, caller: TheCaller) -> Response:
        """Read the event with this id, which it also has on the stream."""
        event = self._listing.one(event_id, caller)
        if event is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "There is no such event")
        return _json(event.encode())

    def add_event(
        self,
        new: Annotated[body.Body, Body()],
        caller: TheCaller,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Add an event: it is stored and streamed in one transaction, like those of the service.

        With an Idempotency-Key a request may be repeated: the event is added once, and each answer
        is the same.
        """
        stored = self._adding.add(new.new(), caller, EVENT, idempotency_key)
        return _json(str(stored).encode(), status=HTTPStatus.CREATED)


def _require_visible(wanted: ListQuery, caller: Caller) -> None:
    if not caller.owns([wanted.cluster_id], [wanted.infra_env_id]):
        raise Refusal(HTTPStatus.NOT_FOUND, "There is no such cluster or infra-env")


def _json(
    body: bytes, headers: dict[str, str] | None = None, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    return Response(body, status, headers, media_type="application/json")
