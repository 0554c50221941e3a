"""The ways in: a call or a socket shows a bearer token, a one-use ticket or the session cookie.

What was shown on purpose wins: the token, then the ticket. The cookie goes along with everything
that a browser sends, so it counts only where the origin of the page does; see ``_check_page``.
Nothing in a query counts: addresses end up in logs.
"""

from collections.abc import Iterable
from typing import Any, assert_never

import msgspec

from channels.protocol.codes import SUBPROTOCOL, TICKET_PREFIX
from hub.auth import cookies
from hub.auth.identity import ANONYMOUS, Identity
from hub.auth.origins import OriginRefused, Origins
from hub.auth.permissions import CHANGING_LOOKS, PERMISSIONS, permit
from hub.auth.tickets import TicketNotValid, Tickets
from hub.auth.tokens import CALLING, COOKIE, Tokens
from hub.errors import InvalidInput, NotAuthenticated, TokenNotValid, UserInactive

Scope = Any
Headers = Iterable[tuple[bytes, bytes]]

PLAIN_WATCH = "jobs_watch"
"""The action that anybody may do where anonymous watching is on."""

LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})
REFUSALS = (NotAuthenticated, TokenNotValid, UserInactive, OriginRefused)
"""Why a cookie may not count."""


class Shown(msgspec.Struct, frozen=True):
    """A token of one of some kinds, as it was shown; it never shows itself."""

    text: str
    kinds: tuple[str, ...] = CALLING

    def __repr__(self) -> str:
        return f"Shown(kinds={self.kinds})"


class Session(msgspec.Struct, frozen=True):
    """What stands behind a ticket, which is gone: the session it was got with."""

    account: int
    session: str


Credential = Shown | Session


class Admission(msgspec.Struct, frozen=True):
    """Who came in to do ``action``, and by what; ``None`` is nobody's, and does not end."""

    identity: Identity
    credential: Credential | None
    action: str

    @property
    def expires_us(self) -> int | None:
        """When it ends by itself, microseconds since 1970; ``None`` is never."""
        return self.identity.expires_us


class Doors:
    """Finds out who calls.

    Args:
        tokens: All tokens.
        tickets: All tickets.
        origins: Pages that may use the cookie.
        anonymous_watch: Whether anybody may open a plain job socket.
    """

    def __init__(
        self, tokens: Tokens, tickets: Tickets, origins: Origins, *, anonymous_watch: bool
    ) -> None:
        self._tokens = tokens
        self._tickets = tickets
        self._origins = origins
        self._anonymous_watch = anonymous_watch

    # Calls

    async def caller(self, scope: Scope, action: str) -> Admission:
        """Return who makes an HTTP call, and by what.

        Raises:
            NotAuthenticated: nobody says who they are, or a cookie comes without an origin.
            OriginRefused: the cookie comes from a page that may not use it.
            TokenNotValid: what was shown is not good.
            UserInactive: the account is disabled.
        """
        text = bearer(scope["headers"])
        shown = self._shown_cookie(scope, action) if text is None else Shown(text)
        return Admission(await self._identity(shown), shown, action)

    async def visitor(self, scope: Scope, action: str) -> Identity | None:
        """Return who looks at a page that is for everybody; ``None`` is nobody known."""
        try:
            return await self._identity(self._shown_cookie(scope, action))
        except REFUSALS:
            return None

    def cookie(self, scope: Scope, action: str) -> str | None:
        """Return what the session cookie holds, good or not, if this page may use it.

        Raises:
            NotAuthenticated: it comes without an origin.
            OriginRefused: it comes from a page that may not use it.
        """
        text = cookies.sent(scope["headers"])
        if text is not None:
            self._check_page(scope, action)
        return text

    def check_sign_in(self, scope: Scope) -> None:
        """Refuse to make a session for a page that could not use it; programs name no page.

        Raises:
            OriginRefused: the page may not use the cookie.
        """
        origin = origin_of(scope)
        if origin is not None:
            self._origins.check(origin, _port(scope))

    # Sockets

    async def handshake(
        self, scope: Scope, action: str, *, job: int | None = None, may_wait: bool = False
    ) -> Admission | None:
        """Return who opens a WebSocket.

        Args:
            scope: Of the handshake: headers and offered subprotocols.
            action: What the socket is for.
            job: The job that it is about, ``None`` for the stream of all.
            may_wait: Whether the first message may say who it is.

        Returns:
            ``None``: the first message must say it, with what ``first_message`` takes.

        Raises:
            NotAuthenticated: nobody says who they are, or a cookie comes without an origin.
            OriginRefused: the cookie comes from a page that may not use it.
            TokenNotValid: what was shown is not good.
            TicketNotValid: the ticket is not good, or not for this.
            UserInactive: the account is disabled.
            Forbidden: the account may not do this.
        """
        text = bearer(scope["headers"])
        if text is not None:
            return await self._by_token(Shown(text), action)
        tickets = offered_tickets(scope["subprotocols"])
        if tickets:
            return await self._by_ticket(tickets, origin_of(scope), action, job)
        try:
            return await self._by_token(self._shown_cookie(scope, action), action)
        except REFUSALS:
            # A browser sends the cookie unasked, so one that does not count is like none.
            if may_wait:
                return None
            if self._anonymous_watch and action == PLAIN_WATCH:
                return Admission(ANONYMOUS, None, action)
            raise

    async def first_message(self, token: str, action: str) -> Admission:
        """Return who a socket's message ``auth`` says it is.

        Raises:
            TokenNotValid: the token is not good.
            UserInactive: its account is disabled.
            Forbidden: the account may not do this.
        """
        return await self._by_token(Shown(token), action)

    async def still(self, credential: Credential, action: str) -> Identity:
        """Return who is behind what a socket was opened with, as it is now.

        Raises:
            TokenNotValid: the token or the session has ended.
            UserInactive: the account is disabled.
            Forbidden: the account may do this no longer.
        """
        identity = await self._identity(credential)
        permit(PERMISSIONS[action], identity.role)
        return identity

    async def _identity(self, credential: Credential) -> Identity:
        match credential:
            case Shown(text, kinds):
                known = self._tokens.known(text, kinds)
                return known or await self._tokens.identify(text, kinds)
            case Session(account, session):
                alive = self._tokens.known_session(account, session)
                return alive or await self._tokens.session(account, session)
            case _:
                assert_never(credential)

    async def _by_token(self, shown: Shown, action: str) -> Admission:
        return Admission(await self.still(shown, action), shown, action)

    async def _by_ticket(
        self, tickets: list[str], origin: str | None, action: str, job: int | None
    ) -> Admission:
        if len(tickets) > 1:
            raise TicketNotValid("more than one ticket was offered")
        identity = await self._tickets.take(tickets[0], origin=origin, job=job)
        permit(PERMISSIONS[action], identity.role)
        return Admission(identity, Session(identity.account, identity.session), action)

    def _shown_cookie(self, scope: Scope, action: str) -> Shown:
        text = self.cookie(scope, action)
        if text is None:
            raise NotAuthenticated
        return Shown(text, COOKIE)

    def _check_page(self, scope: Scope, action: str) -> None:
        """Refuse a cookie unless the page that sends it may use it.

        A look without an origin is one that the page of another site cannot read the answer of. An
        event stream is such a look, too, but one that stays: there a browser must say that its page
        is the hub's own. It sends no origin with that, ``Sec-Fetch-Site`` says the same.
        """
        origin = origin_of(scope)
        if origin is not None:
            self._origins.check(origin, _port(scope))
        elif not _is_look(scope, action):
            raise NotAuthenticated("a cookie counts only with the Origin of a page: send a token")


def bearer(headers: Headers) -> str | None:
    """Return the bearer token of a call, ``None`` when there is no such header at all.

    Raises:
        NotAuthenticated: it is of another scheme.
        InvalidInput: it was sent twice.
    """
    header = one_header(headers, b"authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(b" ")
    if scheme.lower() != b"bearer":
        raise NotAuthenticated
    return token.strip().decode("latin-1")


def offered_tickets(subprotocols: Iterable[str]) -> list[str]:
    """Return the tickets among the subprotocols that a client offers."""
    return [
        name.removeprefix(TICKET_PREFIX) for name in subprotocols if name.startswith(TICKET_PREFIX)
    ]


def speaks(scope: Scope) -> bool:
    """Whether a client offers ``hub.v1`` where the route speaks it (``opt["speaks"]``)."""
    opt = scope["route_handler"].opt
    return SUBPROTOCOL in opt.get("speaks", ()) and SUBPROTOCOL in scope["subprotocols"]


def origin_of(scope: Scope) -> str | None:
    """Return the origin of the page that sends this; ``None`` for what is no browser.

    Raises:
        InvalidInput: it was sent twice.
    """
    header = one_header(scope["headers"], b"origin")
    return None if header is None else header.decode("latin-1")


def one_header(headers: Headers, name: bytes) -> bytes | None:
    """Return the value of a header that may stand once.

    Raises:
        InvalidInput: it stands twice.
    """
    found = None
    for key, value in headers:
        if key == name:
            if found is not None:
                raise InvalidInput(f"the header {name.decode()} was sent twice")
            found = value
    return found


def _is_look(scope: Scope, action: str) -> bool:
    if scope["type"] == "websocket" or scope["method"] not in LOOKS or action in CHANGING_LOOKS:
        return False
    headers = scope["headers"]
    is_stream = any(key == b"accept" and b"text/event-stream" in value for key, value in headers)
    return not is_stream or one_header(headers, b"sec-fetch-site") == b"same-origin"


def _port(scope: Scope) -> int | None:
    server = scope.get("server")
    port: int | None = server[1] if server else None
    return port
