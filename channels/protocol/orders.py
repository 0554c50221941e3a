"""What a client's machine tells its owner to do, in order."""

from typing import Any

from msgspec import Struct

from channels.protocol.frames import ClientFrame, Event, ResetReason


class Say(Struct, frozen=True):
    """Send this message."""

    frame: ClientFrame


class Apply(Struct, frozen=True):
    """Handle an event of a subscription: each comes once, in order."""

    id: str
    event: Event


class Forget(Struct, frozen=True):
    """What this subscription told holds no longer; what holds follows."""

    id: str
    reason: ResetReason


class Swap(Struct, frozen=True):
    """Put these rows in the place of all that this subscription told; true at ``at``."""

    id: str
    at: str
    rows: list[Any]


class Presence(Struct, frozen=True):
    """Take these nodes for all that are there (``full``), or for those that changed."""

    id: str
    full: bool
    workers: list[Any]


class Store(Struct, frozen=True):
    """Keep this cursor: all before it has been handled, if the actions before this one were."""

    id: str
    cursor: str


class Refused(Struct, frozen=True):
    """The hub refused a message for a reason that lasts; the subscription ``id`` is over."""

    id: str | None
    code: str
    detail: str


class Ended(Struct, frozen=True):
    """A subscription is over, for the hub's reason."""

    id: str
    reason: str


class RenewToken(Struct, frozen=True):
    """Get a fresh token and pass it to ``renew``: the present one ends, or there is none."""


class Noted(Struct, frozen=True):
    """The hub has trouble, or takes this client for slow: nothing to do."""

    code: str


class Leave(Struct, frozen=True):
    """Close the socket with ``code`` and call ``closed``; ``why`` is for the log."""

    code: int
    why: str


Order = (
    Say | Apply | Forget | Swap | Presence | Store | Refused | Ended | RenewToken | Noted | Leave
)
