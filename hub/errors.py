"""The error family: what happened, in our words; each face maps it to its own language.

``Kind`` says what sort of failure it is, ``code`` is its stable public name. No transport is named
here.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum


class Kind(StrEnum):
    """The six sorts of failure that every face must be able to say."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    UNAVAILABLE = "unavailable"


class HubError(Exception):
    """Something the hub refuses to do.

    Args:
        detail: One sentence for the person who reads it; by default the first line of the class
            docstring.
        fields: For input errors, field name -> the texts that say what is wrong with it.
        retry_after_s: Seconds after which another try makes sense, where one does.
    """

    kind: Kind = Kind.INVALID
    code: str = "invalid"

    def __init__(
        self,
        detail: str | None = None,
        *,
        fields: Mapping[str, Sequence[str]] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        self.detail = detail or (type(self).__doc__ or self.code).strip().splitlines()[0]
        self.fields = {name: list(texts) for name, texts in (fields or {}).items()}
        self.retry_after_s = retry_after_s
        super().__init__(self.detail)


class InvalidInput(HubError):
    """The request does not have the form this action asks for."""

    kind = Kind.INVALID
    code = "invalid_input"


class BadNodeId(HubError):
    """The Node-Id header names no node."""

    kind = Kind.INVALID
    code = "bad_node_id"


class BodyTooLarge(HubError):
    """The body is larger than this hub accepts."""

    kind = Kind.INVALID
    code = "body_too_large"


class ValuesRefused(HubError):
    """The template refuses these input or parameter values."""

    kind = Kind.INVALID
    code = "values_refused"


class NotAuthenticated(HubError):
    """Sign in first: no access token was sent."""

    kind = Kind.UNAUTHENTICATED
    code = "not_authenticated"


class TokenNotValid(HubError):
    """The token is unknown, expired, revoked, or of another kind."""

    kind = Kind.UNAUTHENTICATED
    code = "token_not_valid"

    def __init__(self, detail: str | None = None, *, asked_for: str = "access") -> None:
        super().__init__(detail)
        self.asked_for = asked_for


class UserInactive(HubError):
    """This account is disabled."""

    kind = Kind.UNAUTHENTICATED
    code = "user_inactive"


class BadCredentials(HubError):
    """No active account has this name and password."""

    kind = Kind.UNAUTHENTICATED
    code = "bad_credentials"


class TooManyTries(HubError):
    """Too many tries; wait before the next one."""

    kind = Kind.UNAVAILABLE
    code = "rate_limited"


class Forbidden(HubError):
    """This account may not do that."""

    kind = Kind.FORBIDDEN
    code = "forbidden"


class NodeNotYours(HubError):
    """The Node-Id header names a node of another account."""

    kind = Kind.FORBIDDEN
    code = "node_not_yours"


class NotFound(HubError):
    """There is nothing with this number or name."""

    kind = Kind.NOT_FOUND
    code = "not_found"


class Conflict(HubError):
    """The present state does not allow that."""

    kind = Kind.CONFLICT
    code = "conflict"


class CursorGone(HubError):
    """The log no longer reaches back to this cursor."""

    kind = Kind.CONFLICT
    code = "cursor_gone"


class Unavailable(HubError):
    """The hub cannot do this right now; try again."""

    kind = Kind.UNAVAILABLE
    code = "unavailable"


class StorageFull(HubError):
    """There is no room left to store this."""

    kind = Kind.UNAVAILABLE
    code = "storage_full"
