"""``/schema``: the API described, for programs as OpenAPI and AsyncAPI, for people as a page."""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Annotated, Any

import msgspec
from litestar import HttpMethod, Litestar, Request, Response, route
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Redirect

from hub.api import asyncapi
from hub.api.contract import Json
from hub.api.openapi import document
from hub.api.schema_page import SchemaPage
from hub.outputs.ranges import entity_tag, is_unchanged
from hub.settings import Settings

AnyRequest = Request[Any, Any, Any]
Search = Annotated[str, QueryParameter(name="q", max_length=200)]

LOOKED_AT = (HttpMethod.GET, HttpMethod.HEAD)
JSON_TYPE = "application/json"
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
    return _answer(request, _openapi(_dependencies(request.app)))


@route(
    "/schema/asyncapi.json",
    http_method=LOOKED_AT,
    opt={"action": "api_live_schema"},
    operation_id="api_live_schema",
    include_in_schema=False,
    sync_to_thread=True,  # likewise
)
def api_live_schema(request: AnyRequest) -> Response[bytes]:
    """Give the AsyncAPI document."""
    return _answer(request, _asyncapi())


@route(
    "/schema",
    http_method=LOOKED_AT,
    opt={"action": "api_page"},
    operation_id="api_page",
    include_in_schema=False,
    sync_to_thread=True,  # likewise
)
def api_page(
    request: AnyRequest, settings: NamedDependency[Settings], search: Search = ""
) -> Response[str]:
    """Show the page, with the calls that a search finds."""
    html = _page(_dependencies(request.app), settings.path_prefix).html(search)
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
async def home(settings: NamedDependency[Settings]) -> Redirect:
    """Lead a visitor to the page."""
    return Redirect(f"{settings.path_prefix}/schema", status_code=302)


ROUTES = (api_schema, api_live_schema, api_page, api_style, home)


class Encoded(msgspec.Struct, frozen=True):
    """A document as it is sent, and its entity tag."""

    body: bytes
    tag: str


def _answer(request: AnyRequest, encoded: Encoded) -> Response[bytes]:
    headers = {"ETag": encoded.tag, "Cache-Control": "no-cache"}
    if is_unchanged(request.headers.get("if-none-match"), encoded.tag):
        return Response(b"", status_code=304, headers=headers)
    return Response(encoded.body, media_type=JSON_TYPE, headers=headers)


def _encode(described: Json) -> Encoded:
    body = msgspec.json.encode(described)
    return Encoded(body, entity_tag(sha256(body).hexdigest()))


@cache
def _page(dependencies: frozenset[str], prefix: str) -> SchemaPage:
    return SchemaPage(document(dependencies), prefix)


@cache
def _openapi(dependencies: frozenset[str]) -> Encoded:
    return _encode(document(dependencies))


@cache
def _asyncapi() -> Encoded:
    return _encode(asyncapi.document())


def _dependencies(app: Litestar) -> frozenset[str]:
    return frozenset(app.dependencies)
