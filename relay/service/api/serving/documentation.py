"""The page /docs, with Swagger UI 5.35.0 from the wheel: it works where no CDN is reached."""

from collections.abc import Callable, Mapping
from importlib import resources
from typing import Final, NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html

PATH: Final = "/docs"
_DAY: Final = "public, max-age=86400"


class _Asset(NamedTuple):
    media_type: str
    is_compressed: bool


_ASSETS: Final[Mapping[str, _Asset]] = {
    "swagger-ui-bundle.js": _Asset("text/javascript", is_compressed=True),
    "swagger-ui.css": _Asset("text/css", is_compressed=True),
    "favicon.png": _Asset("image/png", is_compressed=False),
}


def documentation(title: str, openapi_url: str) -> APIRouter:
    """Return the routes of the page and its files."""
    router = APIRouter()

    async def page(request: Request) -> Response:
        root = request.scope.get("root_path", "").rstrip("/")
        return get_swagger_ui_html(
            openapi_url=f"{root}{openapi_url}",
            title=title,
            swagger_js_url=f"{root}{PATH}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{PATH}/swagger-ui.css",
            swagger_favicon_url=f"{root}{PATH}/favicon.png",
        )

    router.add_api_route(PATH, page, methods=["GET", "HEAD"])
    for name in _ASSETS:
        router.add_api_route(f"{PATH}/{name}", _file(name), methods=["GET", "HEAD"])
    return router


def _file(name: str) -> Callable[[], Response]:
    media_type, is_compressed = _ASSETS[name]
    headers = {"Cache-Control": _DAY}
    if is_compressed:
        headers["Content-Encoding"] = "gzip"

    def answer() -> Response:
        stored = f"{name}.gz" if is_compressed else name
        static = resources.files("relay.service.api") / "static" / stored
        return Response(static.read_bytes(), headers=headers, media_type=media_type)

    return answer
