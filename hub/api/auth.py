"""``/v1/auth``: a password for two tokens, a refresh token for another access token."""

from typing import Any

from litestar import Controller, Request, Response, post
from litestar.di import NamedDependency

from hub.api import bodies
from hub.auth.accounts import Accounts
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
        address = request.client.host if request.client else None
        signed_in = await accounts.sign_in.with_password(asked.username, asked.password, address)
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
