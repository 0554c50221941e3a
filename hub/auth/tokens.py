"""Opaque tokens: 256 random bits; only their SHA-256 is stored.

A token found good is believed for ``TRUST_S`` without another look, so one that another process
revokes works nowhere after that. What this process revokes, it forgets at once.
"""

import hashlib
import secrets
from collections import OrderedDict

from hub import clock
from hub.auth.identity import Identity
from hub.auth.permissions import Role
from hub.errors import TokenNotValid, UserInactive
from orm.engine import Engine
from orm.queries import accounts
from orm.queries.accounts import TokenRow

TRUST_S = 4.0
REMEMBERED_MAX = 10_000
LONGEST = 256
SECOND_US = 1_000_000

CALLING = ("access", "api")
"""The kinds of tokens that go with calls; a refresh token only makes new ones."""

COOKIE = ("cookie",)
"""The kind that browsers keep: good only with the ``Origin`` of a page, so never as a bearer."""

Key = tuple[str, tuple[str, ...]] | tuple[int, str]
"""What was found good: a token's text as one of some kinds, or a session of an account."""


class Tokens:
    """Issues, checks and revokes tokens.

    Attributes:
        cookie_s: Life of a session cookie, in seconds: that of a refresh token.
    """

    def __init__(self, engine: Engine, access_s: int, refresh_s: int) -> None:
        self._engine = engine
        self.cookie_s = refresh_s
        self._lives = {
            "access": access_s,
            "refresh": refresh_s,
            "api": None,
            "cookie": refresh_s,
        }
        self._known: OrderedDict[Key, tuple[float, Identity]] = OrderedDict()

    async def issue(self, kind: str, account: int, session: str, name: str = "") -> str:
        """Store a new token of ``kind`` and return its text, which nobody can read again."""
        text = f"hub_{kind[0]}_{secrets.token_urlsafe(32)}"
        life_s = self._lives[kind]
        now_us = clock.wall_us()
        await accounts.add_token(
            self._engine,
            kind=kind,
            sha256=digest(text),
            account=account,
            session=session,
            name=name,
            created_us=now_us,
            expires_us=None if life_s is None else now_us + life_s * SECOND_US,
        )
        return text

    def known(self, text: str, kinds: tuple[str, ...] = CALLING) -> Identity | None:
        """Return whom ``text`` stands for if it was found good, as this, a moment ago."""
        return self._believed((text, kinds))

    def known_session(self, account: int, session: str) -> Identity | None:
        """Return the account of a session if it was found alive a moment ago."""
        return self._believed((account, session))

    def _believed(self, key: Key) -> Identity | None:
        found = self._known.get(key)
        return found[1] if found is not None and found[0] > clock.monotonic_s() else None

    async def identify(self, text: str, kinds: tuple[str, ...] = CALLING) -> Identity:
        """Return whom ``text`` stands for.

        Raises:
            TokenNotValid: it is unknown, expired, revoked, or not one of ``kinds``.
            UserInactive: its account is disabled.
        """
        row = await accounts.token(self._engine, digest(text)) if len(text) <= LONGEST else None
        if row is None or row.kind not in kinds or row.revoked_us is not None:
            raise TokenNotValid(asked_for=kinds[0])
        if row.expires_us is not None and row.expires_us <= clock.wall_us():
            raise TokenNotValid("the token has expired", asked_for=kinds[0])
        identity = _identity(row)
        if row.kind != "refresh":
            self._remember((text, kinds), identity)
        return identity

    async def session(self, account: int, session: str) -> Identity:
        """Return the account of a session, which lives as long as one of its tokens.

        Raises:
            TokenNotValid: it has ended.
            UserInactive: its account is disabled.
        """
        row = await accounts.session(self._engine, account, session, clock.wall_us())
        if row is None:
            raise TokenNotValid("the session has ended")
        identity = _identity(row)
        self._remember((account, session), identity)
        return identity

    def _remember(self, key: Key, identity: Identity) -> None:
        trust_s = TRUST_S
        if identity.expires_us is not None:
            trust_s = min(TRUST_S, (identity.expires_us - clock.wall_us()) / SECOND_US)
        self._known[key] = (clock.monotonic_s() + trust_s, identity)
        self._known.move_to_end(key)
        if len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)

    def forget_all(self) -> None:
        """Look every token up again: something about an account or a token has changed."""
        self._known.clear()


def _identity(row: TokenRow) -> Identity:
    if row.disabled_us is not None:
        raise UserInactive
    return Identity(
        account=row.account,
        username=row.username,
        role=Role(row.role),
        session=row.session,
        token=row.pk,
        expires_us=row.expires_us,
    )


def digest(text: str) -> str:
    """Return the SHA-256 of a token, as it is stored."""
    return hashlib.sha256(text.encode()).hexdigest()


def new_session() -> str:
    """Return a fresh session id."""
    return secrets.token_hex(8)
