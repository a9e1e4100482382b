"""The routes, as a router that can be part of another application."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Header, Query, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from relay.service.api import listing
from relay.service.api.access import EVERYBODY, Caller, Tokens
from relay.service.api.adding import Adding, NewEvent
from relay.service.api.database import Database
from relay.service.api.filters import EventFilter
from relay.service.api.problems import MEDIA_TYPE, Problem, ProblemDetails, ProblemRoute
from relay.service.api.representation import LIST_HEADERS, StoredEvent, count_headers

PATH: Final = "/api/assisted-install/v2/events"

Responses = dict[int | str, dict[str, Any]]

_PROBLEM_SCHEMA: Final = ProblemDetails.model_json_schema()
_PROBLEMS: Final[Responses] = {
    status: {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": _PROBLEM_SCHEMA}},
    }
    for status, description in {
        400: "The body cannot be read",
        401: "There is no valid token",
        403: "The token belongs to nobody who may use this",
        404: "There is no such cluster, infra-env or host, or the token may not see it",
        413: "The body is too large",
        422: "The request is not valid",
        503: "The database or the key set cannot be used at the moment",
    }.items()
}

_LISTED: Final[Responses] = {200: {"model": list[StoredEvent], "headers": LIST_HEADERS}}
_ADDED: Final[Responses] = {
    201: {"model": StoredEvent, "description": "The event as it was stored"},
    409: {**_PROBLEMS[404], "description": "Another event was added with this key"},
}

IdempotencyKey = Annotated[
    str | None, Header(min_length=1, max_length=200, description="adds the event once")
]


def events_router(database: Database, adding: Adding, tokens: Tokens | None) -> APIRouter:
    """Return the routes; without *tokens* everybody may do everything."""
    router = APIRouter(route_class=ProblemRoute, tags=["events"], responses=_PROBLEMS)
    caller = _caller(tokens)

    @router.get(PATH, responses=_LISTED, summary="List events")
    def list_events(
        wanted: Annotated[EventFilter, Query()], who: Annotated[Caller, Depends(caller)]
    ) -> Response:
        """List events in the order in which they happened.

        A token that is bound to clusters or infra-envs sees their events alone; what it may not
        see is 404, as if it did not exist. With a cursor the counts are left out.
        """
        _require_visible(wanted, who)
        headers = {}
        with database.reading() as connection:
            if not listing.sees_hosts(connection, wanted, who):
                raise _not_found()
            page = listing.page(connection, wanted, who)
            if wanted.cursor is None:
                headers = count_headers(listing.counts(connection, wanted, who))
        if page.next is not None:
            headers["Next-Cursor"] = str(page.next)
        return _json(f"[{','.join(page.events)}]", HTTPStatus.OK, headers)

    @router.post(PATH, status_code=HTTPStatus.CREATED, responses=_ADDED, summary="Add an event")
    def add_event(
        new: Annotated[NewEvent, Body()],
        who: Annotated[Caller, Depends(caller)],
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Add an event: it is stored and streamed in one transaction, like those of the service.

        With an Idempotency-Key a request may be repeated: the event is added once, and each answer
        is the same.
        """
        with database.writing() as connection:
            stored = adding.add(connection, new, who, idempotency_key)
        return _json(stored, HTTPStatus.CREATED, {})

    return router


def _caller(tokens: Tokens | None) -> Callable[..., Caller]:
    if tokens is None:
        return lambda: EVERYBODY
    bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="a signed JWT")

    def caller(
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> Caller:
        return tokens.caller(credentials.credentials if credentials else None)

    return caller


def _require_visible(wanted: EventFilter, who: Caller) -> None:
    clusters = [wanted.cluster_id] if wanted.cluster_id else []
    infra_envs = [wanted.infra_env_id] if wanted.infra_env_id else []
    if not who.owns(clusters, infra_envs):
        raise _not_found()


def _not_found() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "There is no such cluster, infra-env or host")


def _json(text: str, status: HTTPStatus, headers: dict[str, str]) -> Response:
    return Response(text, status, headers, media_type="application/json")
