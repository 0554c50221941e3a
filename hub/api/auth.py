"""``/v1/auth``: a password for tokens or a session cookie, a refresh token for an access token."""

from typing import Any

from litestar import Controller, Request, Response, delete, post
from litestar.di import NamedDependency

from hub.api import bodies
from hub.auth import cookies
from hub.auth.accounts import Accounts
from hub.auth.doors import Doors
from hub.auth.tokens import Tokens
from hub.wire.accounts import ObtainIn, Refreshed, RefreshIn, SignedIn, Verified, VerifyIn

AnyRequest = Request[Any, Any, Any]

NOT_KEPT = {"Cache-Control": "no-store"}
"""Header of every answer that shows a secret."""


class AuthController(Controller):
    """Sign in, stay signed in, ask whether one is."""

    path = "/v1/auth"
    tags = ("auth",)
    request_max_body_size = 16_384

    @post("/obtain", opt={"action": "auth_obtain"}, operation_id="auth_obtain", status_code=200)
    async def obtain(
        self, request: AnyRequest, accounts: NamedDependency[Accounts]
    ) -> Response[SignedIn]:
        """Sign in. 401 ``bad_credentials`` whatever is wrong; 429 after too many failures."""
        asked = await bodies.read(request, ObtainIn)
        bodies.storable(asked.username, "username")
        signed_in = await accounts.sign_in.with_password(
            asked.username, asked.password, address_of(request)
        )
        return Response(signed_in, headers=NOT_KEPT)

    @post("/refresh", opt={"action": "auth_refresh"}, operation_id="auth_refresh", status_code=200)
    async def refresh(
        self, request: AnyRequest, accounts: NamedDependency[Accounts]
    ) -> Response[Refreshed]:
        """Get another access token; the refresh token stays good until it expires."""
        asked = await bodies.read(request, RefreshIn)
        access = await accounts.sign_in.refreshed(asked.refresh)
        return Response(Refreshed(access), headers=NOT_KEPT)

    @post("/verify", opt={"action": "auth_verify"}, operation_id="auth_verify", status_code=200)
    async def verify(
        self, request: AnyRequest, accounts: NamedDependency[Accounts]
    ) -> Response[Verified]:
        """Say whether a token of any kind is good."""
        asked = await bodies.read(request, VerifyIn)
        await accounts.sign_in.verify(asked.token)
        return Response(Verified())

    @post(
        "/session",
        opt={"action": "auth_session_start"},
        operation_id="auth_session_start",
        status_code=204,
    )
    async def start_session(
        self,
        request: AnyRequest,
        accounts: NamedDependency[Accounts],
        doors: NamedDependency[Doors],
        tokens: NamedDependency[Tokens],
    ) -> Response[None]:
        """Sign a browser in: it gets the session cookie, which scripts cannot read.

        Refused as ``auth_obtain`` is, and 403 ``origin_refused`` for a page that may not use it.
        """
        doors.check_sign_in(request.scope)
        asked = await bodies.read(request, ObtainIn)
        bodies.storable(asked.username, "username")
        cookie = await accounts.sign_in.to_cookie(
            asked.username, asked.password, address_of(request)
        )
        set_cookie = cookies.setting(cookie, tokens.cookie_s)
        return Response(None, status_code=204, headers={**NOT_KEPT, "Set-Cookie": set_cookie})

    @delete("/session", opt={"action": "auth_session_end"}, operation_id="auth_session_end")
    async def end_session(
        self,
        request: AnyRequest,
        accounts: NamedDependency[Accounts],
        doors: NamedDependency[Doors],
    ) -> Response[None]:
        """Sign the browser out: its session ends, with all got by it; again is no change.

        The cookie must come with the ``Origin`` of a page that may use it.
        """
        cookie = doors.cookie(request.scope, "auth_session_end")
        if cookie is not None:
            await accounts.sign_in.ended(cookie)
        return Response(None, status_code=204, headers={"Set-Cookie": cookies.CLEARED})


def address_of(request: AnyRequest) -> str | None:
    """Return where a call comes from, as far as it is known."""
    return request.client.host if request.client else None
