"""``/v1/tokens``: long-lived tokens for programs."""

from typing import Annotated, Any

from litestar import Controller, Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from hub.api import bodies
from hub.api.auth import NOT_KEPT
from hub.api.desk import Desk
from hub.api.job_view import iso, maybe_iso
from hub.auth.accounts import Accounts
from hub.auth.guard import actor_of
from hub.wire.accounts import TokenIn, TokenMade, TokenOut
from orm.queries.accounts import NamedTokenRow

AnyRequest = Request[Any, Any, Any]
OfAll = Annotated[bool, QueryParameter(name="all")]


class TokensController(Controller):
    """One's own tokens; an administrator's reach is all of them."""

    path = "/v1/tokens"
    tags = ("tokens",)

    @get(opt={"action": "tokens_list"}, operation_id="tokens_list")
    async def list_tokens(
        self,
        request: AnyRequest,
        accounts: NamedDependency[Accounts],
        desk: NamedDependency[Desk],
        of_all: OfAll = False,
    ) -> Response[list[TokenOut]]:
        """List tokens that are not revoked; ``all=true`` lists everybody's, for administrators."""
        actor = actor_of(request.scope)
        rows = await accounts.named_tokens.listed(actor, of_all=of_all, limit=desk.list_max)
        return Response([token_out(row) for row in rows])

    @post(opt={"action": "tokens_create"}, operation_id="tokens_create")
    async def create(
        self, request: AnyRequest, accounts: NamedDependency[Accounts]
    ) -> Response[TokenMade]:
        """Make a token; this answer is the only one that ever shows it."""
        asked = await bodies.read(request, TokenIn)
        made = await accounts.named_tokens.make(actor_of(request.scope), asked)
        row = made.row
        shown = TokenMade(
            pk=row.pk,
            name=row.name,
            user=row.account,
            creation_time=iso(row.created_us),
            expiry_time=maybe_iso(row.expires_us),
            token=made.text,
        )
        return Response(shown, status_code=201, headers=NOT_KEPT)

    @delete("/{pk:int}", opt={"action": "tokens_revoke"}, operation_id="tokens_revoke")
    async def revoke(
        self, request: AnyRequest, pk: FromPath[int], accounts: NamedDependency[Accounts]
    ) -> None:
        """Revoke a token; again is no change. Somebody else's is not there."""
        await accounts.named_tokens.revoke(actor_of(request.scope), pk)


def token_out(row: NamedTokenRow) -> TokenOut:
    """Return a token as ``/v1`` shows it."""
    return TokenOut(row.pk, row.name, row.account, iso(row.created_us), maybe_iso(row.expires_us))
