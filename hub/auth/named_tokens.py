"""Long-lived tokens for programs: made and revoked by their owner or an administrator."""

import secrets

import msgspec

from hub import clock
from hub.auth.account_rules import CONTROL
from hub.auth.tokens import SECOND_US, Tokens, digest, new_session
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.lifecycle.auditing import entry
from hub.lifecycle.commands import Actor
from hub.wire.accounts import TokenIn
from orm.engine import Engine
from orm.queries import accounts, audit
from orm.queries.accounts import NamedTokenRow

MOST = 100


class TooManyTokens(Conflict):
    """This account has as many tokens as one may have: revoke some."""

    code = "too_many_tokens"


class MadeToken(msgspec.Struct, frozen=True):
    """A token with its text, which is stored nowhere."""

    row: NamedTokenRow
    text: str


class NamedTokens:
    """Makes, lists and revokes long-lived tokens; such a token may do what its account may."""

    def __init__(self, engine: Engine, tokens: Tokens) -> None:
        self._engine = engine
        self._tokens = tokens

    async def make(self, actor: Actor, asked: TokenIn) -> MadeToken:
        """Make a token for the actor's account, or by an administrator for another one.

        Raises:
            Forbidden: it is for another account, and the actor is no administrator.
            InvalidInput: its name holds control characters, or there is no such active account.
            TooManyTokens: the account has ``MOST`` already.
        """
        account = _account_for(actor, asked.user)
        if CONTROL.search(asked.name):
            problem = "Control characters are not allowed."
            raise InvalidInput("a token cannot be named like that", fields={"name": [problem]})
        now_us = clock.wall_us()
        expires_us = None
        if asked.expires_in_s is not None:
            expires_us = now_us + asked.expires_in_s * SECOND_US
        row = NamedTokenRow(0, account, asked.name, now_us, expires_us, None)
        text = f"hub_api_{secrets.token_urlsafe(32)}"
        return MadeToken(await self._store(actor, row, text), text)

    async def _store(self, actor: Actor, row: NamedTokenRow, text: str) -> NamedTokenRow:
        async with self._engine.transaction() as transaction:
            owner = await accounts.lock_user(transaction, row.account)
            if owner is None or owner.disabled_us is not None:
                problem = "There is no active account with this number."
                raise InvalidInput(problem, fields={"user": [problem]})
            if len(await accounts.named_tokens(transaction, row.account, MOST)) >= MOST:
                raise TooManyTokens
            pk = await accounts.add_token(
                self._engine,
                kind="api",
                sha256=digest(text),
                account=row.account,
                session=new_session(),
                name=row.name,
                created_us=row.created_us,
                expires_us=row.expires_us,
            )
            made = msgspec.structs.replace(row, pk=pk)
            after = {**_about(made), "expiry_time": _iso(made.expires_us)}
            said = entry(actor, "tokens.create", "token", pk, after=after)
            await audit.append(transaction, [said], row.created_us)
        return made

    async def listed(self, actor: Actor, *, of_all: bool, limit: int) -> list[NamedTokenRow]:
        """Return up to ``limit`` tokens that are not revoked: the actor's, or all of them.

        Raises:
            Forbidden: all of them, and the actor is no administrator.
        """
        if of_all and not actor.is_admin:
            raise Forbidden("only an administrator sees the tokens of others")
        return await accounts.named_tokens(self._engine, None if of_all else actor.account, limit)

    async def revoke(self, actor: Actor, pk: int) -> None:
        """Make a token worthless; again is no change.

        Raises:
            NotFound: there is no such token, or it is not the actor's, who is no administrator.
        """
        async with self._engine.transaction() as transaction:
            row = await accounts.lock_named_token(transaction, pk)
            if row is None or not (actor.is_admin or row.account == actor.account):
                raise NotFound(f"there is no token {pk}")
            if row.revoked_us is None:
                now_us = clock.wall_us()
                await accounts.revoke_token(pk, now_us)
                said = entry(actor, "tokens.revoke", "token", pk, before=_about(row))
                await audit.append(transaction, [said], now_us)
        self._tokens.forget_all()


def _account_for(actor: Actor, asked: int | None) -> int:
    account = actor.account if asked is None else asked
    if account is None:
        problem = "Say which account the token is for."
        raise InvalidInput(problem, fields={"user": [problem]})
    if account != actor.account and not actor.is_admin:
        raise Forbidden("only an administrator makes tokens for others")
    return account


def _about(row: NamedTokenRow) -> dict[str, str | int]:
    return {"name": row.name, "user": row.account}


def _iso(moment_us: int | None) -> str | None:
    return None if moment_us is None else clock.iso(moment_us)
