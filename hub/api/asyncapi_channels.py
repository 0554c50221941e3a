"""The live endpoints as tables: what is said there, how one gets in, and how it ends."""

from typing import Any, get_args

import msgspec

from channels.protocol.codes import SUBPROTOCOL, TICKET_PREFIX, Close
from channels.protocol.frames import HEARTBEAT_MS, MESSAGE_MAX_BYTES, Said, Told
from hub.api.contract import Json
from hub.wire.cloudevents import ONE_TYPE, CloudEvent
from hub.wire.plain_messages import PlainMessage
from hub.wire.stream_lines import Line

Kinds = tuple[type[msgspec.Struct], ...]

SAID: Kinds = get_args(Said)
TOLD: Kinds = get_args(Told)
LINES: Kinds = get_args(Line)

CLOSES: dict[Close, str] = {
    Close.BAD_MESSAGE: "The client said what is no message, or too long a one.",
    Close.FORBIDDEN: "This account may not watch that.",
    Close.NOT_FOUND: "There is no such job.",
    Close.BAD_SUBPROTOCOL: "The client offers no subprotocol that is spoken here.",
    Close.DUPLICATE_ID: "The client has a subscription of this name already.",
    Close.UNAUTHENTICATED: "The token is no longer good.",
    Close.AUTH_TIMEOUT: "The client did not say in time who it is.",
    Close.REVOKED: "The right to watch was taken back.",
    Close.SLOW: "The client took nothing for a while, or fell too far behind.",
    Close.TOO_MANY: "The client says too much, or has too many sockets.",
    Close.OVERLOADED: "The hub has too much to do.",
    Close.GAP: "Of a client that found a hole in what it was told.",
    Close.DRAIN: "This process of the hub stops.",
    Close.REBALANCE: "Another process of the hub has more room.",
    Close.GOING_AWAY: "The other side leaves.",
    Close.RESTARTING: "The hub restarts.",
}
"""Why a socket was closed."""

PLAIN_CLOSES = (Close.UNAUTHENTICATED, Close.SLOW, Close.RESTARTING)
"""Codes that the hub closes a plain job socket with."""

CURSOR: Json = {"type": "string", "description": "go on behind this place in the log"}
BEARER: Json = {
    "type": "string",
    "pattern": "^Bearer .+$",
    "description": "an access token, or a named one",
}


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint that tells what happens.

    Attributes:
        name: Of the channel in the document.
        address: Path, parameters in braces.
        summary: What is watched there.
        description: What else to know.
        hears: What a client may say.
        tells: What the hub may say.
        query: Schemas of the parameters of the query.
        headers: Schemas of the headers of a socket's handshake.
        required_headers: Those that must be there.
        closes: Codes that it can end with; none where it is no socket.
    """

    name: str
    address: str
    summary: str
    description: str
    hears: Kinds = ()
    tells: Kinds
    query: dict[str, Any]
    headers: dict[str, Any] = {}
    required_headers: tuple[str, ...] = ()
    closes: tuple[Close, ...] = ()

    @property
    def is_socket(self) -> bool:
        """Whether it is a WebSocket, not an answer that goes on and on."""
        return bool(self.closes)


OFFERS: Json = {
    "type": "string",
    "description": f"`{SUBPROTOCOL}`, which the hub answers with. A browser, which cannot send "
    f"`Authorization`, also offers `{TICKET_PREFIX}` and a one-use ticket.",
}
MULTIPLEXED = f"""\
Each message is one JSON object, told apart by `op`. The hub begins with `hello`. Nothing a client
says may be longer than {MESSAGE_MAX_BYTES} bytes. For each subscription something comes at least
every {HEARTBEAT_MS // 1000} seconds; `from` is the `to` of the message before, so that a client
sees when something is missing, and closes with {Close.GAP.value}. Codes that begin alike ask for
the same, so those to come can be obeyed, too.
"""
STREAMED = """\
With `Accept: text/event-stream` these are server-sent events: `event` is the `type` of the message,
`id` its cursor, `data` the message, and a cursor in the header `Last-Event-ID` wins over the one in
the query. With `Accept: application/x-ndjson` each line is a message.
"""
STREAM_QUERY: Json = {
    "cursor": CURSOR,
    "format": {
        "type": "string",
        "enum": ["json", "cloudevents"],
        "description": f"`cloudevents`: events as `{ONE_TYPE}`",
    },
    "on_gap": {
        "type": "string",
        "enum": ["error"],
        "description": "410 for a cursor that is gone, not a reset and the present state",
    },
}

CHANNELS = (
    Channel(
        name="stream",
        address="/v1/stream",
        summary="Many jobs over one socket, and the nodes.",
        description=MULTIPLEXED,
        hears=SAID,
        tells=TOLD,
        query={},
        headers={"Authorization": BEARER, "Sec-WebSocket-Protocol": OFFERS},
        required_headers=("Sec-WebSocket-Protocol",),
        closes=tuple(Close),
    ),
    Channel(
        name="job",
        address="/v1/jobs/{pk}",
        summary="One job, as clients of UFDL expect it.",
        description="Without a subprotocol: each message is one JSON object about one transition. "
        "The first shows a job that has begun as it is now; with a cursor it is what came after.",
        tells=(PlainMessage,),
        query={
            "cursor": CURSOR,
            "strict": {
                "type": "string",
                "enum": ["1"],
                "description": "leave out `seq`, `tseq` and `cursor`",
            },
        },
        headers={"Authorization": BEARER},
        closes=PLAIN_CLOSES,
    ),
    Channel(
        name="jobLive",
        address="/v1/jobs/{pk}",
        summary=f"One job in the messages of `{SUBPROTOCOL}`.",
        description=MULTIPLEXED,
        hears=SAID,
        tells=TOLD,
        query={"cursor": CURSOR},
        headers={"Authorization": BEARER, "Sec-WebSocket-Protocol": OFFERS},
        required_headers=("Sec-WebSocket-Protocol",),
        closes=tuple(Close),
    ),
    Channel(
        name="events",
        address="/v1/events/stream",
        summary="All jobs, over HTTP.",
        description=STREAMED,
        tells=(*LINES, CloudEvent),
        query=STREAM_QUERY,
    ),
    Channel(
        name="jobEvents",
        address="/v1/jobs/{pk}/events",
        summary="One job, over HTTP.",
        description=f"{STREAMED}\nWith any other `Accept` it is a page of the log.\n",
        tells=(*LINES, CloudEvent),
        query=STREAM_QUERY,
    ),
)
