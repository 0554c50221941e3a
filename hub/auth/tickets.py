"""One-use tickets: how a page that cannot send headers with a WebSocket says who it is.

A ticket is worth no more than the session it was got with, for half a minute, at one place.
"""

import secrets

from hub import clock
from hub.auth.identity import Identity
from hub.auth.tokens import LONGEST, SECOND_US, Tokens, digest
from hub.errors import HubError, InvalidInput, Kind, TooManyTries, UserInactive
from orm.engine import Engine
from orm.queries import accounts
from orm.queries import tickets as queries
from orm.queries.tickets import TicketRow

LIFE_S = 30
MOST = 100
"""Tickets of one account that wait to be used."""

ORIGIN_MAX = 255
SWEEP_BATCH = 1_000


class TicketNotValid(HubError):
    """The ticket is unknown, used already, too old, or for something else."""

    kind = Kind.UNAUTHENTICATED
    code = "ticket_not_valid"


class Tickets:
    """Gives out tickets and takes them; in the database, so every process takes all of them."""

    def __init__(self, engine: Engine, tokens: Tokens) -> None:
        self._engine = engine
        self._tokens = tokens

    async def make(self, identity: Identity, *, origin: str | None, job: int | None) -> str:
        """Return the text of a new ticket, which is stored nowhere.

        Args:
            identity: Who asks; the ticket ends with the session.
            origin: Of the page that asks: only its pages can use the ticket. ``None`` for a
                program, which may hand it on to any page.
            job: The job whose socket it opens, ``None`` for the stream of all of them.

        Raises:
            InvalidInput: no browser sends such an origin.
            TooManyTries: the account has ``MOST`` that wait.
            UserInactive: the account is disabled.
        """
        if origin is not None and not (len(origin) <= ORIGIN_MAX and origin.isascii()):
            raise InvalidInput("the header Origin holds no origin")
        text = f"hub_t_{secrets.token_urlsafe(32)}"
        now_us = clock.wall_us()
        row = TicketRow(
            account=identity.account,
            session=identity.session,
            origin=origin,
            job=job,
            expires_us=now_us + LIFE_S * SECOND_US,
        )
        async with self._engine.transaction() as transaction:
            account = await accounts.lock_user(transaction, row.account)
            if account is None or account.disabled_us is not None:
                raise UserInactive
            if await queries.waiting(transaction, row.account, now_us) >= MOST:
                detail = "too many tickets of this account wait to be used"
                raise TooManyTries(detail, retry_after_s=LIFE_S)
            await queries.add(transaction, digest(text), row)
        return text

    async def take(self, text: str, *, origin: str | None, job: int | None) -> Identity:
        """Return whom a ticket stands for. It is gone then, whatever comes of it.

        Args:
            text: The ticket.
            origin: Of the page that shows it.
            job: The job whose socket it is shown at.

        Raises:
            TicketNotValid: it is none, or not for this.
            TokenNotValid: the session it was got with has ended.
            UserInactive: its account is disabled.
        """
        row = await self._taken(digest(text)) if len(text) <= LONGEST else None
        if row is None or row.expires_us <= clock.wall_us() or row.job != job:
            raise TicketNotValid
        if row.origin is not None and row.origin != origin:
            raise TicketNotValid
        return await self._tokens.session(row.account, row.session)

    async def _taken(self, sha256: str) -> TicketRow | None:
        # Who makes tickets up must not get at the one writer of an embedded database.
        if not await queries.is_there(self._engine, sha256):
            return None
        async with self._engine.transaction() as transaction:
            return await queries.take(transaction, sha256)

    async def sweep(self) -> int:
        """Remove tickets that nobody came with in time; return how many."""
        now_us, removed = clock.wall_us(), 0
        while True:
            async with self._engine.transaction() as transaction:
                some = await queries.remove_old(transaction, now_us, SWEEP_BATCH)
            removed += some
            if some < SWEEP_BATCH:
                return removed
