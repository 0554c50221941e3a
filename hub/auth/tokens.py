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

TRUST_S = 4.0
REMEMBERED_MAX = 10_000
LONGEST = 256
SECOND_US = 1_000_000

CALLING = ("access", "api")
"""The kinds of tokens that go with calls; a refresh token only makes new ones."""


class Tokens:
    """Issues, checks and revokes tokens."""

    def __init__(self, engine: Engine, access_s: int, refresh_s: int) -> None:
        self._engine = engine
        self._lives = {"access": access_s, "refresh": refresh_s, "api": None}
        self._known: OrderedDict[str, tuple[float, Identity]] = OrderedDict()

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

    def known(self, text: str) -> Identity | None:
        """Return whom ``text`` stands for if it was found good a moment ago."""
        found = self._known.get(text)
        return found[1] if found is not None and found[0] > clock.monotonic_s() else None

    async def identify(self, text: str, kinds: tuple[str, ...] = CALLING) -> Identity:
        """Return whom ``text`` stands for.

        Raises:
            TokenNotValid: it is unknown, expired, revoked, or not one of ``kinds``.
            UserInactive: its account is disabled.
        """
        row = await accounts.token(self._engine, digest(text)) if len(text) <= LONGEST else None
        if row is None or row.kind not in kinds or row.revoked_us is not None:
            raise TokenNotValid
        left_us = None if row.expires_us is None else row.expires_us - clock.wall_us()
        if left_us is not None and left_us <= 0:
            raise TokenNotValid("the token has expired")
        if row.disabled_us is not None:
            raise UserInactive
        identity = Identity(row.account, row.username, Role(row.role), row.session, row.pk)
        if row.kind in CALLING:
            self._remember(text, identity, left_us)
        return identity

    def _remember(self, text: str, identity: Identity, left_us: int | None) -> None:
        trust_s = TRUST_S if left_us is None else min(TRUST_S, left_us / SECOND_US)
        self._known[text] = (clock.monotonic_s() + trust_s, identity)
        self._known.move_to_end(text)
        if len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)

    def forget_all(self) -> None:
        """Look every token up again: something about an account or a token has changed."""
        self._known.clear()


def digest(text: str) -> str:
    """Return the SHA-256 of a token, as it is stored."""
    return hashlib.sha256(text.encode()).hexdigest()


def new_session() -> str:
    """Return a fresh session id."""
    return secrets.token_hex(8)
