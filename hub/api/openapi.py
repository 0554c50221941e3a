"""The OpenAPI document of all routes; the job socket, which OpenAPI cannot say, is in its text."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
from litestar import Litestar
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.routes import HTTPRoute

from hub.api import CONTROLLERS
from hub.api.contract import EMPTY, OTHER_FORMS, REQUESTS, TAGS, Json
from hub.api.error_responses import problem_schema, responses
from hub.api.examples import MESSAGE
from hub.api.operations import PARAMETERS, Operation, Types
from hub.auth import cookies

ABOUT = f"""\
The REST face of the hub. Bodies are JSON in UTF-8. Times are ISO 8601, UTC, with microseconds.

Sign in with `auth_obtain` and send `Authorization: Bearer TOKEN` with each call, or make a token
for a program with `tokens_create`. A worker also sends `Node-Id`, the number of a node that its
account registered. Nothing in a query is a token.

A page of the hub's own origin may use the session cookie of `auth_session_start` instead. Where
something is changed, and for every socket, it counts only with the `Origin` of such a page, exactly
(403 `origin_refused`). If a call has both, the bearer token counts.

Every failure is `application/problem+json`: `detail` is for people, `code` is stable and for
programs, and what is wrong with a single member of the body stands under the name of that member.
Whoever gets 503 should try again after `Retry-After` seconds.

What is told live stands in the AsyncAPI document, `/schema/asyncapi.json`. To watch a job the plain
way, open the WebSocket `ws /v1/jobs/{{pk}}` with the same bearer header, the cookie of a page, or a
one-use ticket of `tickets_create`, offered as subprotocol `hub.ticket.TICKET`. Each text message is
one JSON object about one transition:

```json
{msgspec.json.format(msgspec.json.encode(MESSAGE), indent=2).decode()}
```

`transition` is acquire, release, start, progress, finish, error, reset, abort or cancel. `node` is
there while a node holds the job, and `error` once the job failed; `transition_data` is what the
worker sent with its progress. The first message shows a job that has begun as it is now.
`?cursor=` replays what came after a cursor instead; `?strict=1` leaves out `seq`, `tseq` and
`cursor`. After a close with 1012 (the hub restarts) or 4200 (too slow), connect again with the last
cursor.
"""


@cache
def document(dependencies: frozenset[str]) -> Json:
    """Return the document of all ``CONTROLLERS``; the same object each time, not to be changed.

    Args:
        dependencies: Names that handlers ask for, which therefore are no parameters of a call.
    """
    app = _mute_app(dependencies)
    kinds = answer_kinds(app)
    others = [kind for _, kind in OTHER_FORMS.values()]
    types = Types([*kinds.values(), *others, *(body.kind for body in REQUESTS.values() if body)])
    return {
        "openapi": "3.1.0",
        "info": {"title": "Realtime job hub", "version": "1", "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": _paths(app.openapi_schema.to_schema()["paths"], kinds, types),
        "components": {
            "schemas": {**types.components, "Problem": problem_schema()},
            "responses": responses(),
            "parameters": PARAMETERS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": cookies.NAME},
            },
        },
    }


def _mute_app(dependencies: frozenset[str]) -> Litestar:
    """Return an app that is only asked what it is: one that serves would serve its own page too."""
    return Litestar(
        CONTROLLERS,
        dependencies={name: Provide(_stand_in()) for name in dependencies},
        openapi_config=OpenAPIConfig(title="", version="", use_handler_docstrings=True),
        logging_config=None,  # else it would set up the logging of the whole process anew
    )


def _stand_in() -> Any:
    """Return what provides a dependency of handlers that are never called; Litestar wants many."""

    async def provide() -> None:
        """Provide nothing."""

    return provide


def answer_kinds(app: Litestar) -> dict[str, Any]:
    """Return what each action's answer holds: a type, ``bytes``, or ``None`` for no body."""
    return {handler.opt["action"]: _answer_kind(handler) for handler in _handlers(app)}


def _handlers(app: Litestar) -> Iterator[HTTPRouteHandler]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler, _ in route.route_handler_map.values():
                if "action" in handler.opt:
                    yield handler


def _answer_kind(handler: HTTPRouteHandler) -> Any:
    declared = handler.parsed_fn_signature.return_type
    kind = declared.args[0] if declared.args else declared.annotation
    return None if kind is type(None) or handler.opt["action"] in EMPTY else kind


def _paths(known: dict[str, Json], kinds: dict[str, Any], types: Types) -> Json:
    return {
        path: {
            method: Operation(path, method, raw, kinds[raw["operationId"]], types).described()
            for method, raw in item.items()
        }
        for path, item in known.items()
    }
