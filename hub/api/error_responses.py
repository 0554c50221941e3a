"""Failures in the OpenAPI document: one schema, and a response for each status with its codes."""

from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import msgspec

from hub.api import problems
from hub.api.contract import Json
from hub.api.problems import UnsupportedMediaType, problem_of
from hub.errors import (
    BodyTooLarge,
    CursorGone,
    Forbidden,
    HubError,
    InvalidInput,
    NotFound,
    TokenNotValid,
    TooManyTries,
    Unavailable,
    ValuesRefused,
)
from hub.lifecycle.refusals import OutputExists
from hub.outputs.errors import RangeNotSatisfiable

SPOKEN_BY = ("hub.errors", "hub.api", "hub.auth", "hub.lifecycle", "hub.outputs")
"""Where the errors live that a call can answer; others are for whoever starts the hub."""

UNFORESEEN = {
    405: {"method_not_allowed": "There is no such call at this path."},
    409: {"not_unique": "There is one already.", "still_referenced": "Others refer to it."},
    431: {"head_too_long": "The head of the request is longer than 64 KiB."},
    500: {"internal": "The hub failed; its log says why."},
}
"""Codes of failures that are no errors of the hub's own family."""

SHOWN = (
    InvalidInput("This field is required.", fields={"name": ["This field is required."]}),
    TokenNotValid("the token has expired"),
    Forbidden("only a node may do that: send the header Node-Id"),
    NotFound("there is no job 7"),
    OutputExists("output 'report' of type 'JSON' has other bytes"),
    CursorGone("this log reaches from 120 to 945 in epoch k3p9"),
    BodyTooLarge("the body is larger than 1048576 bytes"),
    UnsupportedMediaType(),
    RangeNotSatisfiable(),
    ValuesRefused("'width' is no int: a text"),
    TooManyTries(retry_after_s=30),
    Unavailable("the database does not answer; try again", retry_after_s=1),
)
"""The failure that stands as example for its status."""

RETRY = {"Retry-After": "seconds after which another try makes sense"}
HEADERS = {401: {"WWW-Authenticate": "how to sign in"}, 429: RETRY, 503: RETRY}


def _family(kind: type[HubError]) -> Iterator[type[HubError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _family(child)


def codes_by_status() -> dict[int, dict[str, str]]:
    """Return for each status the codes that come with it, and what each of them says."""
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for kind in _family(HubError):
        if kind.__module__.startswith(SPOKEN_BY):
            status = problems.STATUS_OF_CODE.get(kind.code, problems.STATUS_OF_KIND[kind.kind])
            text = (kind.__doc__ or "").strip().splitlines()[0]
            found[int(status)].setdefault(kind.code, text)
    for unforeseen, codes in UNFORESEEN.items():
        found[unforeseen] |= codes
    return {status: dict(sorted(codes.items())) for status, codes in sorted(found.items())}


def problem_schema() -> Json:
    """Return the schema of every failure."""
    texts = {"type": "string"}
    codes = sorted({code for codes in codes_by_status().values() for code in codes})
    return {
        "title": "Problem",
        "description": (
            "Why a call failed (RFC 9457). What is wrong with a member of the body, or with a "
            "parameter, stands beside these under its name, as a list of texts."
        ),
        "type": "object",
        "properties": {
            "type": {"type": "string", "format": "uri", "description": "a name, not an address"},
            "title": texts,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {**texts, "description": "one sentence for people"},
            "instance": {**texts, "description": "path of the call"},
            "code": {**texts, "enum": codes, "description": "stable, for programs"},
            "messages": {
                "description": "with `token_not_valid`: which kind of token was tried",
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": dict.fromkeys(("token_class", "token_type", "message"), texts),
                },
            },
        },
        "required": ["type", "title", "status", "detail", "instance", "code"],
        "additionalProperties": {"type": "array", "items": texts},
    }


def responses() -> dict[str, Json]:
    """Return the responses that operations refer to, by the name of their status."""
    codes = codes_by_status()
    examples = {problem_of(error).status: _example(error) for error in SHOWN}
    shown = {
        name_of(status): _response(codes[status], examples[status], HEADERS.get(status, {}))
        for status in examples
    }
    rest = {
        code: text
        for status in codes
        if status not in examples
        for code, text in codes[status].items()
    }
    return shown | {name_of(None): _response(rest, None, {})}


def _example(error: HubError) -> Any:
    return msgspec.json.decode(problem_of(error).body("/v1/jobs/7"))


def _response(codes: dict[str, str], example: Any, headers: dict[str, str]) -> Json:
    content: Json = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if example is not None:
        content["example"] = example
    lines = [f"* `{code}`: {text}" for code, text in codes.items()]
    found: Json = {"description": "\n".join(lines), "content": {problems.MEDIA_TYPE: content}}
    if headers:
        found["headers"] = {
            name: {"description": note, "schema": {"type": "string"}}
            for name, note in headers.items()
        }
    return found


def name_of(status: int | None) -> str:
    """Return the name of a response: that of its status, or of any other failure."""
    return "AnyOther" if status is None else HTTPStatus(status).name.title().replace("_", "")


def reference(status: int | None) -> Json:
    """Return what stands for a failure in an operation."""
    return {"$ref": f"#/components/responses/{name_of(status)}"}
