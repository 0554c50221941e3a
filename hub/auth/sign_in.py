"""Signing in: a password or a refresh token becomes tokens; floods are stopped before any hash."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network

from hub import clock
from hub.auth import passwords
from hub.auth.throttle import Throttle
from hub.auth.tokens import COOKIE, Tokens, digest, new_session
from hub.errors import BadCredentials, TokenNotValid, TooManyTries, UserInactive
from hub.wire.accounts import SignedIn
from orm.engine import Engine
from orm.queries import accounts
from orm.queries.accounts import UserRow

log = logging.getLogger("hub.auth")

AT_ONCE = 2
WAITING_MAX = 32

ACCOUNT_FAILURES = 10
"""Failed sign-ins of one account that are free within a minute, wherever they come from."""

ADDRESS_FAILURES = 100
"""Those of one address, whatever the names: a fleet behind one router has one, and so do all
programs on this machine. One bad script must not shut the others out."""

CALLER = ("access", "refresh")
"""Kinds of tokens that a program gets for a password; a browser gets a cookie."""

ACCESS_A_SESSION = 50
"""Access tokens of one sign-in that live at once; one more ends the oldest."""


class SignIn:
    """Signs accounts in; two at a time, so that a flood leaves the processor to the workers."""

    def __init__(self, engine: Engine, tokens: Tokens) -> None:
        self._engine = engine
        self._tokens = tokens
        self._by_account = Throttle(ACCOUNT_FAILURES)
        self._by_address = Throttle(ADDRESS_FAILURES)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._inside = 0

    async def with_password(self, username: str, password: str, address: str | None) -> SignedIn:
        """Return both tokens of a new session; see ``to_cookie``."""
        access, refresh = await self._admitted(username, password, address, CALLER)
        return SignedIn(access=access, refresh=refresh)

    async def to_cookie(self, username: str, password: str, address: str | None) -> str:
        """Return the text of a new session's cookie.

        An unknown name, a wrong password and a disabled account take as long, and answer alike.

        Raises:
            BadCredentials: there is no active account with this name and password.
            TooManyTries: this name or address failed too often lately, or too many wait here.
        """
        (cookie,) = await self._admitted(username, password, address, COOKIE)
        return cookie

    async def _admitted(
        self, username: str, password: str, address: str | None, kinds: tuple[str, ...]
    ) -> list[str]:
        """Return a token of each of ``kinds``, all of one new session."""
        place = neighbourhood(address)
        self._refuse_floods(username, place)
        async with self._turn():
            # Those who stood in front may have used up the tries.
            self._refuse_floods(username, place)
            try:
                texts = await self._signed_in(username, password, kinds)
            except BadCredentials:
                now_s = clock.monotonic_s()
                self._by_account.failed(username, now_s)
                self._by_address.failed(place, now_s)
                log.info("sign_in.refused address=%s", address)
                raise
        # The address keeps its failures: one known password must not buy tries at all others.
        self._by_account.cleared(username)
        return texts

    def _refuse_floods(self, username: str, place: str) -> None:
        now_s = clock.monotonic_s()
        wait_s = max(
            self._by_account.wait_s(username, now_s), self._by_address.wait_s(place, now_s)
        )
        if wait_s:
            raise TooManyTries(retry_after_s=wait_s)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._inside >= AT_ONCE + WAITING_MAX:
            raise TooManyTries("too many sign-ins at once", retry_after_s=1)
        self._inside += 1
        try:
            async with self._turns:
                yield
        finally:
            self._inside -= 1

    async def _signed_in(self, username: str, password: str, kinds: tuple[str, ...]) -> list[str]:
        texts = None
        while texts is None:  # once more only if the account changed while it was checked
            texts = await self._issued(await self._checked(username, password), password, kinds)
        return texts

    async def _checked(self, username: str, password: str) -> UserRow:
        found = await accounts.user_by_name(self._engine, username)
        is_right = await passwords.matches(found.password_hash if found else None, password)
        if found is None or not is_right or found.disabled_us is not None:
            raise BadCredentials
        return found

    async def _issued(
        self, checked: UserRow, password: str, kinds: tuple[str, ...]
    ) -> list[str] | None:
        """Return the tokens, ``None`` if the account is not any more what was checked."""
        password_hash = checked.password_hash
        if passwords.is_outdated(password_hash):
            password_hash = await passwords.hashed(password)
        session = new_session()
        async with self._engine.transaction() as transaction:
            now = await accounts.lock_user(transaction, checked.pk)
            if now is None or _key(now) != _key(checked):
                return None
            await accounts.signed_in(checked.pk, password_hash, clock.wall_us())
            return [await self._tokens.issue(kind, checked.pk, session) for kind in kinds]

    async def ended(self, cookie: str) -> None:
        """End the session of a cookie, with all that was got with it; again is no change."""
        try:
            identity = await self._tokens.identify(cookie, COOKIE)
        except (TokenNotValid, UserInactive):
            return
        async with self._engine.transaction():
            await accounts.revoke_session(identity.account, identity.session, clock.wall_us())
        self._tokens.forget_all()

    async def refreshed(self, refresh: str) -> str:
        """Return a new access token of the session of ``refresh``, which stays good.

        Raises:
            TokenNotValid: it is no living refresh token.
            UserInactive: its account is disabled.
        """
        identity = await self._tokens.identify(refresh, ("refresh",))
        async with self._engine.transaction() as transaction:
            # Who ends the account's sessions locks it too: no new token can slip past that.
            account = await accounts.lock_user(transaction, identity.account)
            token = await accounts.token(transaction, digest(refresh))
            if account is None or token is None or token.revoked_us is not None:
                raise TokenNotValid(asked_for="refresh")
            if account.disabled_us is not None:
                raise UserInactive
            access = await self._tokens.issue("access", identity.account, identity.session)
            await accounts.remove_oldest_access(
                transaction, identity.account, identity.session, keep=ACCESS_A_SESSION
            )
            return access

    async def verify(self, token: str) -> None:
        """Accept a living token of any kind.

        Raises:
            TokenNotValid: it is none.
            UserInactive: its account is disabled.
        """
        try:
            await self._tokens.identify(token)
        except TokenNotValid:
            # Apart, for what is identified as good for calls is believed to be for a while.
            await self._tokens.identify(token, ("refresh",))


def _key(row: UserRow) -> tuple[str, int | None]:
    return row.password_hash, row.disabled_us


def neighbourhood(address: str | None) -> str:
    """Return what counts as one place: an IPv4 address, or the /64 that one IPv6 customer has."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address or "nowhere"
    return str(parsed) if parsed.version == 4 else str(ip_network((int(parsed), 64), strict=False))
