"""``/schema``: the API described, for programs as OpenAPI and for people as a page."""

from functools import cache
from importlib.resources import files
from typing import Annotated, Any

import msgspec
from litestar import HttpMethod, Litestar, Request, Response, route
from litestar.params import QueryParameter
from litestar.response import Redirect

from hub.api.openapi import document
from hub.api.schema_page import SchemaPage

AnyRequest = Request[Any, Any, Any]
Search = Annotated[str, QueryParameter(name="q", max_length=200)]

LOOKED_AT = (HttpMethod.GET, HttpMethod.HEAD)
OPENAPI_TYPE = "application/json"
STYLE = files("hub.api").joinpath("schema.css").read_text()

# Whatever gets onto the page, a browser shall neither run it nor fetch anything for it.
LOCKED_DOWN = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@route(
    "/schema/openapi.json",
    http_method=LOOKED_AT,
    opt={"action": "api_schema"},
    operation_id="api_schema",
    include_in_schema=False,
    sync_to_thread=True,  # the first call makes the document
)
def api_schema(request: AnyRequest) -> Response[bytes]:
    """Give the OpenAPI document."""
    return Response(_encoded(_dependencies(request.app)), media_type=OPENAPI_TYPE)


@route(
    "/schema",
    http_method=LOOKED_AT,
    opt={"action": "api_page"},
    operation_id="api_page",
    include_in_schema=False,
    sync_to_thread=True,  # likewise
)
def api_page(request: AnyRequest, search: Search = "") -> Response[str]:
    """Show the page, with the calls that a search finds."""
    html = _page(_dependencies(request.app)).html(search)
    return Response(html, media_type="text/html", headers=LOCKED_DOWN)


@route(
    "/schema/style.css",
    http_method=LOOKED_AT,
    opt={"action": "api_style"},
    operation_id="api_style",
    include_in_schema=False,
)
async def api_style() -> Response[str]:
    """Give the style of the page."""
    return Response(STYLE, media_type="text/css", headers=LOCKED_DOWN)


@route(
    "/",
    http_method=LOOKED_AT,
    opt={"action": "home"},
    operation_id="home",
    include_in_schema=False,
    status_code=302,
)
async def home() -> Redirect:
    """Lead a visitor to the page."""
    return Redirect("/schema", status_code=302)


ROUTES = (api_schema, api_page, api_style, home)


@cache
def _page(dependencies: frozenset[str]) -> SchemaPage:
    return SchemaPage(document(dependencies))


@cache
def _encoded(dependencies: frozenset[str]) -> bytes:
    return msgspec.json.encode(document(dependencies))


def _dependencies(app: Litestar) -> frozenset[str]:
    return frozenset(app.dependencies)
