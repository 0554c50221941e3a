"""``/v1/users``: the accounts of this hub."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Controller, Request, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub.api import bodies
from hub.api.desk import Desk
from hub.api.job_view import iso, maybe_iso
from hub.api.lists import answer_list
from hub.auth.accounts import Accounts
from hub.auth.guard import actor_of, check_numbers
from hub.auth.identity import Identity
from hub.auth.permissions import Role
from hub.errors import Forbidden
from hub.wire.accounts import UserIn, UserOut, UserPatchIn, UserPutIn
from orm.filters.fields import USERS
from orm.queries import accounts as queries
from orm.queries.accounts import UserRow

AnyRequest = Request[Any, Any, Any]


class UsersController(Controller):
    """Accounts; all but a look at oneself is for administrators."""

    path = "/v1/users"
    tags = ("users",)

    @post("/list", opt={"action": "users_list"}, operation_id="users_list", status_code=200)
    async def list_users(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[list[UserOut]]:
        """List accounts that match a filter; disabled ones only with ``include_inactive``."""

        async def encode(pks: Sequence[int]) -> list[bytes]:
            rows = await queries.users(desk.engine, pks)
            return [msgspec.json.encode(user_out(row)) for row in rows]

        return await answer_list(request, desk, USERS, encode)

    @post("/create", opt={"action": "users_create"}, operation_id="users_create")
    async def create(
        self, request: AnyRequest, accounts: NamedDependency[Accounts]
    ) -> Response[UserOut]:
        """Make an account; ``is_staff: true`` or ``role: admin`` makes an administrator."""
        asked = await bodies.read(request, UserIn)
        row = await accounts.add(actor_of(request.scope), asked)
        return Response(user_out(row), status_code=201)

    @get("/{who:str}", opt={"action": "users_retrieve"}, operation_id="users_retrieve")
    async def retrieve(
        self, request: AnyRequest, who: FromPath[str], accounts: NamedDependency[Accounts]
    ) -> Response[UserOut | list[UserOut]]:
        """Show an account: by number, or as an array of none or one by name."""
        identity: Identity = request.scope["user"]
        # Before any look: whether others are there is not for everybody to know.
        if not identity.is_admin and who not in {str(identity.account), identity.username}:
            raise Forbidden("only an administrator may look at others")
        if who.isascii() and who.isdigit():
            number = int(who[:20])  # more digits are no number of ours, and int() has a limit
            check_numbers(request.scope["path"], [number])
            return Response(user_out(await accounts.get(number)))
        row = await accounts.by_name(who)
        return Response([user_out(row)] if row else [])

    @put("/{pk:int}", opt={"action": "users_update"}, operation_id="users_update")
    async def update(
        self, request: AnyRequest, pk: FromPath[int], accounts: NamedDependency[Accounts]
    ) -> Response[UserOut]:
        """Change an account; all but the name may be left out, and then stays."""
        await accounts.get(pk)  # what is not there is said before a bad body
        asked = await bodies.read(request, UserPutIn)
        return Response(user_out(await accounts.change(actor_of(request.scope), pk, asked)))

    @patch("/{pk:int}", opt={"action": "users_partial_update"}, operation_id="users_partial_update")
    async def partial_update(
        self, request: AnyRequest, pk: FromPath[int], accounts: NamedDependency[Accounts]
    ) -> Response[UserOut]:
        """Change some members of an account; ``is_active: true`` brings a disabled one back."""
        await accounts.get(pk)  # what is not there is said before a bad body
        asked = await bodies.read(request, UserPatchIn)
        return Response(user_out(await accounts.change(actor_of(request.scope), pk, asked)))

    @delete("/{pk:int}", opt={"action": "users_destroy"}, operation_id="users_destroy")
    async def destroy(
        self, request: AnyRequest, pk: FromPath[int], accounts: NamedDependency[Accounts]
    ) -> None:
        """Disable an account; again is no change. 409 ``last_admin`` for the only administrator."""
        await accounts.disable(actor_of(request.scope), pk)


def user_out(row: UserRow) -> UserOut:
    """Return an account as ``/v1`` shows it; nothing here can be signed in with."""
    is_admin = row.role == Role.ADMIN
    return UserOut(
        username=row.username,
        pk=row.pk,
        last_login=maybe_iso(row.last_login_us),
        is_superuser=is_admin,
        first_name=row.first_name,
        last_name=row.last_name,
        email=row.email,
        is_staff=is_admin,
        is_active=row.disabled_us is None,
        date_joined=iso(row.joined_us),
        role=row.role,
    )
