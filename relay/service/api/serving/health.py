from collections.abc import Callable
from http import HTTPStatus

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from relay.service.api.serving.metrics import ApiMetrics
from relay.service.api.serving.route import add_routes

_METHODS = ["GET", "HEAD"]


def health(fault: Callable[[], str | None], metrics: ApiMetrics) -> APIRouter:
    """Return the routes for operators. *fault* says why requests cannot be served, if so."""

    async def live() -> Response:
        return Response("ok\n", media_type="text/plain")

    def ready() -> Response:
        found = fault()
        status = HTTPStatus.SERVICE_UNAVAILABLE if found else HTTPStatus.OK
        return Response(f"{found or 'ok'}\n", status, media_type="text/plain")

    def measured() -> Response:
        return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    router = APIRouter()
    for path, page in (("/livez", live), ("/readyz", ready), ("/metrics", measured)):
        add_routes(router, path, page, methods=_METHODS)
    return router
