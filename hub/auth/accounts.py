"""Accounts: made, changed and disabled by administrators, with an audit; and the first of them."""

import secrets

from msgspec import UNSET
from msgspec.structs import replace

from hub import clock
from hub.auth import account_rules as rules
from hub.auth import passwords
from hub.auth.named_tokens import NamedTokens
from hub.auth.sign_in import SignIn
from hub.auth.tokens import SECOND_US, Tokens
from hub.errors import InvalidInput, NotFound
from hub.lifecycle.commands import Actor
from hub.wire.accounts import UserIn, UserPatchIn
from orm.engine import Engine
from orm.errors import NotUnique
from orm.queries import accounts, audit, meta
from orm.queries.accounts import UserRow

FIRST_ADMIN = "admin"
HUB = Actor(None, is_admin=True)
KEEP_DEAD_TOKENS_S = 86_400
SWEEP_BATCH = 1_000


class Accounts:
    """All accounts: ``sign_in`` is their door, ``named_tokens`` are their long-lived tokens.

    A change works at once in this process, and in others when they next look a token up.
    """

    def __init__(self, engine: Engine, tokens: Tokens) -> None:
        self._engine = engine
        self._tokens = tokens
        self.sign_in = SignIn(engine, tokens)
        self.named_tokens = NamedTokens(engine, tokens)

    async def bootstrap_admin(self, password: str | None, *, allow_short: bool) -> str | None:
        """Make the administrator ``admin`` where there is no account yet; safe to race.

        Args:
            password: Its password; ``None`` or an empty one makes a random one.
            allow_short: Whether a weak password will do: only where nobody else can reach the hub.

        Returns:
            The password of the account just made, ``None`` when there are accounts already.

        Raises:
            InvalidInput: the password is too short or too long.
        """
        if await accounts.any_user(self._engine):
            return None
        chosen = password or secrets.token_urlsafe(18)
        problem = rules.password_problem(chosen)
        if problem and not (allow_short and rules.weak_password(chosen)):
            raise InvalidInput(
                "the administrator's password cannot be used", fields={"password": [problem]}
            )
        await meta.ensure(self._engine, clock.wall_us())
        first = UserPatchIn(username=FIRST_ADMIN, role="admin")
        made = await self._insert(
            HUB, first, await passwords.hashed(chosen), is_short=rules.weak_password(chosen)
        )
        return chosen if made else None

    async def add(self, actor: Actor, asked: UserIn) -> UserRow:
        """Make an account.

        Raises:
            InvalidInput: it can be none, or its name is taken.
        """
        rules.check(asked)
        made = await self._insert(actor, asked, await passwords.hashed(asked.password))
        if made is None:
            raise _name_taken()
        return made

    async def _insert(
        self, actor: Actor, asked: UserPatchIn, password_hash: str, *, is_short: bool = False
    ) -> UserRow | None:
        now_us = clock.wall_us()
        row = replace(
            rules.applied(rules.blank(now_us), asked, now_us),
            password_hash=password_hash,
            has_short_password=int(is_short),
        )
        async with self._engine.transaction() as transaction:
            made = await accounts.add_user(row)
            if made is not None:
                await audit.append(transaction, rules.acts(actor, None, made), now_us)
        return made

    async def change(self, actor: Actor, pk: int, asked: UserPatchIn) -> UserRow:
        """Change an account; asking for what it is already changes nothing.

        Raises:
            NotFound: there is no such account.
            InvalidInput: no account can be this, or the name is taken.
            LastAdmin: nobody could administer the hub any more.
        """
        rules.check(asked)
        new_hash = None if asked.password is UNSET else await passwords.hashed(asked.password)
        try:
            after = await self._change(actor, pk, asked, new_hash)
        except NotUnique as error:
            raise _name_taken() from error
        self._tokens.forget_all()
        return after

    async def _change(
        self, actor: Actor, pk: int, asked: UserPatchIn, new_hash: str | None
    ) -> UserRow:
        now_us = clock.wall_us()
        async with self._engine.transaction() as transaction:
            locked = await accounts.lock_user_and_admins(transaction, pk)
            if pk not in locked:
                raise NotFound(f"there is no account {pk}")
            before = locked[pk]
            after = rules.applied(before, asked, now_us)
            if new_hash is not None:
                after = replace(after, password_hash=new_hash, has_short_password=0)
            rules.keep_an_admin(before, after, locked)
            if after != before:
                await accounts.store_user(after)
            if rules.ends_sign_ins(before, after):
                await accounts.revoke_sign_ins(pk, now_us)
            await audit.append(transaction, rules.acts(actor, before, after), now_us)
        return after

    async def disable(self, actor: Actor, pk: int) -> None:
        """Shut an account out; again is no change. See ``change``."""
        await self.change(actor, pk, UserPatchIn(is_active=False))

    async def set_password(self, actor: Actor, pk: int, password: str) -> None:
        """Give an account another password and end what it is signed in to. See ``change``."""
        await self.change(actor, pk, UserPatchIn(password=password))

    async def get(self, pk: int) -> UserRow:
        """Return an account, disabled or not.

        Raises:
            NotFound: there is no such account.
        """
        row = await accounts.user(self._engine, pk)
        if row is None:
            raise NotFound(f"there is no account {pk}")
        return row

    async def by_name(self, username: str) -> UserRow | None:
        """Return the account with this name, disabled or not."""
        if rules.username_problem(username):
            return None
        return await accounts.user_by_name(self._engine, username)

    async def listed(self, *, include_inactive: bool = False) -> list[UserRow]:
        """Return all accounts by number, the disabled ones only if asked for."""
        return await accounts.all_users(self._engine, include_inactive=include_inactive)

    async def sweep_tokens(self) -> int:
        """Remove tokens that ended a day ago or more, a batch at a time; return how many."""
        before_us = clock.wall_us() - KEEP_DEAD_TOKENS_S * SECOND_US
        removed = 0
        while True:
            async with self._engine.transaction() as transaction:
                some = await accounts.remove_dead_tokens(transaction, before_us, SWEEP_BATCH)
            removed += some
            if some < SWEEP_BATCH:
                return removed


def _name_taken() -> InvalidInput:
    taken = "A user with that username already exists."
    return InvalidInput("the name is taken", fields={"username": [taken]})
