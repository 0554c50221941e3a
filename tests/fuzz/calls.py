"""Every hostile call of an operation, as a difference to one that would succeed."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from tests.fuzz import hostile
from tests.fuzz.ground import Json
from tests.fuzz.operations import Operation, with_member
from tests.fuzz.scenes import NOWHERE

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "PURGE")
"""OPTIONS is left out: every path answers it."""


STREAM = (("Accept", "text/event-stream"),)


class Call(NamedTuple):
    """How one call differs from one that would succeed.

    Attributes:
        name: What is wrong with it.
        places: What stands in the path instead.
        query: What follows the path.
        body: Makes the body, of that of the good call.
        headers: Instead of those of the same name.
        method: Instead of the operation's.
        statuses: The only right answers, if that matters.
        must_fail: Whether it may not succeed.
    """

    name: str
    places: Mapping[str, str] = NOWHERE
    query: str = ""
    body: Callable[[Json], bytes] | None = None
    headers: tuple[tuple[str, str], ...] = ()
    method: str = ""
    statuses: tuple[int, ...] = ()
    must_fail: bool = False


def every_call(operation: Operation, body: Json) -> Iterator[Call]:
    """Yield all hostile calls; ``body`` is one that the operation takes."""
    yield from in_places(operation)
    yield from in_queries(operation)
    if operation.permission.roles:
        yield from in_credentials()
    for name in operation.headers:
        yield from in_header(name, hostile.FOR_HEADER[name])
    if operation.has_stream:
        yield from for_streams(operation)
    if operation.takes_json:
        yield from in_header("Content-Type", hostile.CONTENT_TYPES)
        yield from in_members(operation)
        yield from in_bodies(body)


def for_streams(operation: Operation) -> Iterator[Call]:
    """Yield the same for who wants an answer without an end, or cannot say what he wants."""
    for call in [*in_places(operation), *in_queries(operation)]:
        yield call._replace(name=f"stream {call.name}", headers=STREAM)
    for text in hostile.CURSORS:
        yield Call(f"stream from {text[:40]}", headers=(*STREAM, ("Last-Event-ID", text)))
    yield from in_header("Accept", hostile.ACCEPTED)


def in_members(operation: Operation) -> Iterator[Call]:
    """Yield bodies of which one member is hostile."""
    for member in operation.members or ():
        for name, value in hostile.VALUES.items():
            body = partial(with_member, member=member, value=value)
            yield Call(f"{member} = {name}", body=body)


def in_bodies(body: Json) -> Iterator[Call]:
    """Yield bodies that are hostile as a whole."""
    for name, _ in hostile.bodies(json.dumps(body).encode()):
        yield Call(name, body=partial(_whole, hostile.bodies, name), must_fail=True)
    for name, _ in hostile.extended(b"{}"):
        yield Call(name, body=partial(_whole, hostile.extended, name))


def _whole(of: Callable[[bytes], Iterator[tuple[str, bytes]]], name: str, body: Json) -> bytes:
    return dict(of(json.dumps(body).encode()))[name]


def in_places(operation: Operation) -> Iterator[Call]:
    """Yield paths with something hostile in a place of theirs."""
    for place in operation.places:
        for text in hostile.PLACES:
            yield Call(f"{place} = {text[:40]}", places={place: text}, must_fail=place == "pk")


def in_queries(operation: Operation) -> Iterator[Call]:
    """Yield queries with something hostile in a parameter; then twice, and unknown ones."""
    for name in operation.queries:
        for text in hostile.TEXTS_IN_QUERY:
            yield Call(f"?{name}={text[:40]}", query=f"?{name}={text}")
        yield Call(f"?{name} twice", query=f"?{name}=1&{name}=2")
        yield Call(f"?{name} bare", query=f"?{name}")
    for query in ("?unknown=1", "?%ff=%ff", "?" + "&" * 1_000, "?a%00b=1", "?" + "x=1&" * 2_000):
        yield Call(query[:20], query=query)


def in_credentials() -> Iterator[Call]:
    """Yield calls of nobody, and of nodes that are none."""
    yield from in_header("Authorization", hostile.AUTHORIZATIONS, 401)
    yield from in_header("Node-Id", hostile.NODE_IDS, 400)


def in_header(name: str, texts: tuple[str, ...], *statuses: int) -> Iterator[Call]:
    """Yield calls with each of the texts in a header."""
    for text in texts:
        yield Call(f"{name}: {text[:40]}", headers=((name, text),), statuses=statuses)
