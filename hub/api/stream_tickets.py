"""``/v1/stream/tickets``: what a page shows instead of a token when it opens a WebSocket."""

from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency

from hub.api import bodies
from hub.api.auth import NOT_KEPT
from hub.auth.doors import origin_of
from hub.auth.tickets import LIFE_S, Tickets
from hub.wire.accounts import TicketIn, TicketMade


@post(
    "/v1/stream/tickets",
    opt={"action": "tickets_create"},
    operation_id="tickets_create",
    tags=["auth"],
    request_max_body_size=1_024,
)
async def tickets_create(
    request: Request[Any, Any, Any], tickets: NamedDependency[Tickets]
) -> Response[TicketMade]:
    """Get a ticket for one WebSocket, within 30 seconds.

    A browser cannot send headers there: it offers `hub.ticket.` and the ticket as a subprotocol
    beside `hub.v1`. Only pages of the origin that asks here can use it; a program may hand it on to
    any. The socket lives as long as the session that asks. 429 when too many wait to be used.
    """
    asked = await bodies.read(request, TicketIn)
    text = await tickets.make(request.user, origin=origin_of(request.scope), job=asked.job)
    return Response(TicketMade(text, LIFE_S), status_code=201, headers=NOT_KEPT)
