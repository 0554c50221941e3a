"""The demo's watcher: every message of one job's socket, and the proof that none is missing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from hub.cli.rest import NoAnswer, Rest
from hub.errors import Conflict, Unavailable
from hub.wire.events import EventOut, EventPage

OPEN_S = 10.0

QUIET_S = 30.0
"""A job of which nothing is heard for so long, in seconds, is given up."""

ENDS = frozenset({"finish", "error", "cancel"})

UNTOLD = frozenset({"create", "output"})
"""Events that the log has and the plain job socket does not tell."""

PAGE = 1_000


class SocketFailed(NoAnswer):
    """The job's socket cannot be read."""

    code = "socket_failed"


class JobSilent(Unavailable):
    """Nothing is heard of the job any more."""

    code = "job_silent"


class Missed(Conflict):
    """The socket did not tell all that the log has."""

    code = "missed"


class Message(msgspec.Struct, frozen=True):
    """One message of the socket; ``progress`` is from 0 to 1, ``seq`` counts the job's events."""

    transition: str
    progress: float
    seq: int
    node: int | None = None
    error: str = ""
    transition_data: dict[str, Any] = {}


class Proof(msgspec.Struct, frozen=True):
    """How many messages came, of how many events that the log has, and how the job ended."""

    messages: int
    events: int
    last: Message


async def watched(rest: Rest, job: int, cursor: str, show: Callable[[Message], None]) -> Proof:
    """Show all that happens to ``job`` after ``cursor`` until it ends; return that it was all.

    Raises:
        SocketFailed: the socket cannot be opened, or closes too early.
        JobSilent: nothing came for ``QUIET_S`` seconds.
        Missed: a message is missing, or came twice.
        Refused, NoAnswer: the log cannot be read.
    """
    told = []
    async for message in _messages(rest, job, cursor):
        told.append(message)
        show(message)
    return proven(told, await _log(rest, job))


def proven(told: Sequence[Message], log: Sequence[EventOut]) -> Proof:
    """Return the proof that the messages ``told`` are the whole ``log``.

    Raises:
        Missed: the log has a gap, or they are not what it has to tell, in its order.
    """
    if [event.seq for event in log] != list(range(1, len(log) + 1)):
        raise Missed("the job's events are not numbered without a gap")
    due = [event.seq for event in log if event.transition not in UNTOLD]
    if [message.seq for message in told] != due:
        raise Missed(f"the log has {len(due)} events to tell, the socket told {len(told)}")
    return Proof(len(told), len(log), told[-1])


async def _messages(rest: Rest, job: int, cursor: str) -> AsyncIterator[Message]:
    address = f"{rest.url.replace('http', 'ws', 1)}/v1/jobs/{job}?cursor={quote(cursor)}"
    signed = {"Authorization": rest.headers["Authorization"]}
    try:
        # A proxy of the environment cannot reach what only this machine can.
        async with connect(
            address, additional_headers=signed, open_timeout=OPEN_S, proxy=None
        ) as socket:
            is_over = False
            while not is_over:
                message = msgspec.json.decode(await _next(socket), type=Message)
                yield message
                is_over = message.transition in ENDS
    except ConnectionClosed as error:
        raise SocketFailed(f"the job's socket closed too early: {error}") from error
    except (OSError, InvalidHandshake, TimeoutError) as error:
        raise SocketFailed(f"the job's socket cannot be opened: {error}") from error


async def _next(socket: ClientConnection) -> str | bytes:
    try:
        async with asyncio.timeout(QUIET_S):
            return await socket.recv()
    except TimeoutError as error:
        raise JobSilent(f"nothing was heard of the job for {QUIET_S:.0f} seconds") from error


async def _log(rest: Rest, job: int) -> list[EventOut]:
    """Return all events of ``job``."""
    events: list[EventOut] = []
    after = ""
    while True:
        path = f"/v1/jobs/{job}/events?limit={PAGE}{after}"
        page = await rest.ask("GET", path, EventPage)
        events += page.items
        if len(page.items) < PAGE:
            return events
        after = f"&after={quote(page.cursor)}"
