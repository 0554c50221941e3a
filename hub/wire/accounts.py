"""Accounts, sign-in, tokens and the audit on the wire. Times are ISO 8601, UTC, microseconds."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

PASSWORD_MAX = 128

Username = Annotated[str, msgspec.Meta(min_length=1, max_length=150)]
Password = Annotated[str, msgspec.Meta(max_length=PASSWORD_MAX)]
PersonName = Annotated[str, msgspec.Meta(max_length=150)]
Email = Annotated[str, msgspec.Meta(max_length=254)]
RoleName = Literal["admin", "user", "viewer"]
Number = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
TokenName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
TEN_YEARS_S = 315_360_000


class ObtainIn(msgspec.Struct, frozen=True):
    """A sign-in."""

    username: Username
    password: Password


class SignedIn(msgspec.Struct, frozen=True):
    """Both tokens of a sign-in: ``access`` goes with calls, ``refresh`` gets new access tokens."""

    access: str
    refresh: str


class RefreshIn(msgspec.Struct, frozen=True):
    """The refresh token of a sign-in."""

    refresh: str


class Refreshed(msgspec.Struct, frozen=True):
    """A new access token; the refresh token stays as it is."""

    access: str


class VerifyIn(msgspec.Struct, frozen=True):
    """A token of any kind."""

    token: str


class Verified(msgspec.Struct, frozen=True):
    """Nothing to say: the token is good."""


class TokenIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A long-lived token to make.

    ``expires_in_s`` is its life in seconds, absent for no end; ``user`` is the account it is for,
    absent for one's own.
    """

    name: TokenName
    expires_in_s: Annotated[int, msgspec.Meta(ge=1, le=TEN_YEARS_S)] | None = None
    user: Number | None = None


class TicketIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A one-use ticket to make: for the socket of ``job``, absent for the stream of all jobs."""

    job: Number | None = None


class TicketMade(msgspec.Struct, frozen=True):
    """A one-use ticket, shown only here; it can be used for ``expires_in`` seconds."""

    ticket: str
    expires_in: int


class TokenOut(msgspec.Struct, frozen=True):
    """A long-lived token, without its text."""

    pk: int
    name: str
    user: int
    creation_time: str
    expiry_time: str | None


class TokenMade(TokenOut, frozen=True, kw_only=True):
    """A long-lived token just made: the only time that its text is shown."""

    token: str


class UserOut(msgspec.Struct, frozen=True):
    """An account: the members of the UFDL API, then the hub's own ``role``."""

    username: str
    pk: int
    last_login: str | None
    is_superuser: bool
    first_name: str
    last_name: str
    email: str
    is_staff: bool
    is_active: bool
    date_joined: str
    role: str


class UserPatchIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change about an account; what is absent stays.

    ``is_staff`` says whether ``role`` is admin. The last four may come back as they were shown,
    and are not looked at.
    """

    username: Username | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    role: RoleName | UnsetType = UNSET
    is_staff: bool | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    first_name: PersonName | UnsetType = UNSET
    last_name: PersonName | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    pk: Any = None
    last_login: Any = None
    is_superuser: Any = None
    date_joined: Any = None


class UserPutIn(UserPatchIn, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same, where the name must be said."""

    username: Username


class UserIn(UserPutIn, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new account; without ``role`` and ``is_staff`` it is a user."""

    password: Password


class AuditOut(msgspec.Struct, frozen=True):
    """One privileged act.

    ``actor`` is an account, null for the hub itself; ``before`` and ``after`` are texts, as they
    went into ``hash``, which also covers the hash of the row before.
    """

    pk: int
    time: str
    actor: int | None
    session: str | None
    address: str | None
    action: str
    object_type: str
    object_pk: int | None
    before: str | None
    after: str | None
    hash: str


class AuditPage(msgspec.Struct, frozen=True):
    """A page of the audit, oldest first; ``next`` is the next one's ``after``, null on the last."""

    items: list[AuditOut]
    next: int | None
