"""Every failure as problem+json (RFC 9457): the one place that knows which status an error has."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException, ValidationException

from channels.protocol.codes import SUBPROTOCOL, Close
from hub.errors import HubError, InvalidInput, Kind, NotFound, TokenNotValid
from orm.errors import DatabaseFull, NotUnique, StillReferenced, StorageError

log = logging.getLogger("hub.api")

MEDIA_TYPE = "application/problem+json"

STATUS_OF_KIND = {
    Kind.INVALID: HTTPStatus.BAD_REQUEST,
    Kind.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Kind.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Kind.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Kind.CONFLICT: HTTPStatus.CONFLICT,
    Kind.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
STATUS_OF_CODE = {
    "body_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "values_refused": HTTPStatus.UNPROCESSABLE_ENTITY,
    "rate_limited": HTTPStatus.TOO_MANY_REQUESTS,
    "cursor_gone": HTTPStatus.GONE,
    "storage_full": HTTPStatus.INSUFFICIENT_STORAGE,
    "range_not_satisfiable": HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    "media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "output_bytes_damaged": HTTPStatus.INTERNAL_SERVER_ERROR,
}
CODE_OF_STATUS = {
    400: "invalid_input",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "media_type",
    431: "head_too_long",
}
CLOSE_OF_STATUS = {
    401: Close.UNAUTHENTICATED,
    403: Close.FORBIDDEN,
    404: Close.NOT_FOUND,
    429: Close.TOO_MANY,
    500: Close.OVERLOADED,
    503: Close.OVERLOADED,
}
STORAGE_CODES = {NotUnique: "not_unique", StillReferenced: "still_referenced"}


class Problem(msgspec.Struct, frozen=True):
    """What an error looks like; members for single fields stand beside these."""

    status: int
    code: str
    detail: str
    fields: Mapping[str, Sequence[object]] = {}
    headers: dict[str, str] = {}

    def body(self, instance: str) -> bytes:
        """Return the JSON of the problem at path ``instance``."""
        members: dict[str, Any] = {
            **self.fields,
            "type": f"urn:hub:error:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "code": self.code,
        }
        return msgspec.json.encode(members)


def problem_of(error: Exception) -> Problem:
    """Return what to tell a client about ``error``; only unforeseen ones are 500."""
    match error:
        case HubError():
            return _of_hub(error)
        case HTTPException():
            return _of_litestar(error)
        case NotUnique() | StillReferenced():
            detail = "another row has this key already, or refers to this one"
            return Problem(409, STORAGE_CODES[type(error)], detail)
        case DatabaseFull():
            return Problem(507, "storage_full", "the database is full", headers=_retry(5))
        case StorageError():
            detail = "the database does not answer; try again"
            return Problem(503, "unavailable", detail, headers=_retry(1))
        case RecursionError():
            return Problem(400, "invalid_input", "the JSON is nested too deep")
        case _:
            return Problem(500, "internal", "the hub failed; its log says why")


def _of_hub(error: HubError) -> Problem:
    status = STATUS_OF_CODE.get(error.code, STATUS_OF_KIND[error.kind])
    headers = _retry(error.retry_after_s) if error.retry_after_s else {}
    if error.kind == Kind.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = 'Bearer realm="api"'
    return Problem(status, error.code, error.detail, _fields(error), headers)


def _fields(error: HubError) -> Mapping[str, Sequence[object]]:
    if not isinstance(error, TokenNotValid):
        return error.fields
    kind = error.asked_for
    told = {"token_class": f"{kind.title()}Token", "token_type": kind, "message": error.detail}
    return {"messages": [told]}  # UFDL says here which kind of token was tried


def _of_litestar(error: HTTPException) -> Problem:
    fields: dict[str, list[str]] = {}
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        for item in error.extra:
            fields.setdefault(item.get("key", "non_field_errors"), []).append(item["message"])
    status = 500 if error.status_code not in CODE_OF_STATUS else error.status_code
    code = CODE_OF_STATUS.get(error.status_code, "internal")
    return Problem(status, code, error.detail, fields, dict(error.headers or {}))


def _retry(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)}


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Turn an exception into its answer; an unforeseen one is logged here, once, with its trace."""
    problem = problem_of(error)
    if problem.code == "internal":
        log.error("unforeseen path=%r", request.scope["path"], exc_info=error)
    elif isinstance(error, StorageError):
        log.warning("storage path=%r error=%s", request.scope["path"], error)
    return Response(
        content=problem.body(request.scope["path"]),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=problem.headers,
    )


FAILURE = "hub.failure"
"""Where a scope keeps what ended its socket: the framework's close message does not tell."""


async def note_socket_failure(error: Exception, scope: Any) -> None:
    """Keep what ends a socket for its refusal, and log what was not foreseen."""
    if scope["type"] == "websocket":
        scope[FAILURE] = error
        if problem_of(error).code == "internal":
            log.error("socket failed path=%r", scope["path"], exc_info=error)


class ProblemsForSockets(Litestar):
    """Litestar that refuses handshakes with a problem too, not with a bare 403."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        if scope["type"] == "websocket":
            send = _refusing(scope, receive, send)
        await super().__call__(scope, receive, send)


def _refusing(scope: Any, receive: Any, send: Any) -> Any:
    is_open = False

    async def answer(message: Any) -> None:
        nonlocal is_open
        if message["type"] == "websocket.close" and not is_open:
            no_route = NotFound("there is no socket at this path")
            error = scope.get(FAILURE, no_route) if "route_handler" in scope else no_route
            await refuse_handshake(scope, receive, send, error)
            return
        is_open = is_open or message["type"] != "websocket.close"
        await send(message)

    return answer


async def refuse_handshake(scope: Any, receive: Any, send: Any, error: Exception) -> None:
    """Answer a WebSocket handshake with a problem instead of a socket (ASGI denial response).

    A page sees nothing of that but 1006. One that offers ``hub.v1`` gets a socket, which is closed
    at once with a code that says what to do.
    """
    del receive
    problem = problem_of(error)
    if SUBPROTOCOL in scope["subprotocols"] and _is_page(scope):
        accepted = {"type": "websocket.accept", "subprotocol": SUBPROTOCOL, "headers": []}
        code = CLOSE_OF_STATUS.get(problem.status, Close.BAD_MESSAGE).value
        await send(accepted)
        await send({"type": "websocket.close", "code": code, "reason": problem.code})
        return
    headers = {"content-type": MEDIA_TYPE, **problem.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "websocket.http.response.start", "status": problem.status, "headers": raw})
    await send({"type": "websocket.http.response.body", "body": problem.body(scope["path"])})


def _is_page(scope: Any) -> bool:
    return any(name == b"origin" for name, _ in scope["headers"])


class UnsupportedMediaType(InvalidInput):
    """Send the body as application/json."""

    code = "media_type"
