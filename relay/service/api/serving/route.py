from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute

from relay.service.api.access.caller import Caller
from relay.service.api.core.refusal import Fault, Refusal, invalid, refusal, shown_name
from relay.service.api.serving.requests import BoundedRequest, refuse_ambiguous

Authenticate = Callable[[Request], Awaitable[Caller]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Route of a face: what all of them have in common.

    *show*: a refusal as the face's clients expect it. *lists*: the query parameters that may be
    repeated. *everywhere*: those that every route takes.
    """

    authenticate: Authenticate
    show: Callable[[Refusal, Request], Response]
    client_seconds: float
    lists: frozenset[str]
    everywhere: frozenset[str] = frozenset()

    def route_class(self) -> type[APIRoute]:
        """Return the class of the face's routes.

        Its every error is shown as the face does it, whichever application it is part of. The token
        comes first: nothing else of a stranger's request is looked at.
        """
        contract = self

        class FaceRoute(APIRoute):
            def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
                return contract.guarded(super().get_route_handler())

        return FaceRoute

    def guarded(
        self, handle: Callable[[Request], Coroutine[Any, Any, Response]]
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return *handle* behind the checks that come before it."""

        async def answer(given: Request) -> Response:
            request = BoundedRequest(given, self.client_seconds)
            try:
                request.state.caller = await self.authenticate(request)
                refuse_ambiguous(request, self.lists)
                response = await handle(request)
            except Exception as error:  # noqa: BLE001 - the last place that can answer
                response = self.show(refusal(error), request)
            response.headers["Cache-Control"] = "no-store"
            return response

        return answer

    async def refuse_query(self, request: Request) -> None:
        """Refuse query parameters, as a dependency of routes that take none."""
        strays = sorted(request.query_params.keys() - self.everywhere)
        if strays:
            faults = [Fault(f"query.{shown_name(name)}", "It is not known here") for name in strays]
            raise invalid(HTTPStatus.BAD_REQUEST, faults)


async def caller_of(request: Request) -> Caller:
    """Return the caller that was authenticated."""
    return cast("Caller", request.state.caller)


TheCaller = Annotated[Caller, Depends(caller_of)]


def add_routes(
    router: APIRouter,
    path: str,
    endpoint: Callable[..., Any],
    **described: Any,  # noqa: ANN401 - FastAPI's own
) -> None:
    """Add *endpoint* at *path*, and unlisted at the path with a slash.

    A redirect from one to the other would lead behind a proxy that ends TLS to http.
    """
    router.add_api_route(path, endpoint, **described)
    router.add_api_route(f"{path}/", endpoint, **{**described, "include_in_schema": False})
