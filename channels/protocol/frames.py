"""The messages of ``hub.v1``: JSON objects, told apart by their member ``op``.

Cursors are texts, opaque to a client: it compares them for equality and gives them back.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

MESSAGE_MAX_BYTES = 16_384
"""The longest message that a client may send."""

FRAME_MAX_BYTES = 65_536
"""What the hub keeps its messages below, except where one event alone is longer."""

FRAME_MAX_EVENTS = 256
"""Most events in one message."""

HEARTBEAT_MS = 15_000
"""The longest time without a message for a subscription that is not at work on its snapshot."""

SUBSCRIPTIONS_MAX = 200
JOBS_MAX = 1_000
CHOICES_MAX = 64
"""Most subscriptions of a socket, jobs of a subscription, and values of one field of a filter."""

Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$(?!\n)")]
"""Name of a subscription, chosen by the client, unique on its socket."""

Pk = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Choice = Annotated[str, Meta(min_length=1, max_length=200)]
LabelValue = Annotated[str, Meta(max_length=200)]

StatusName = Literal[
    "PENDING", "BLOCKED", "QUEUED", "ACQUIRED", "RUNNING", "COMPLETED", "FAILED", "CANCELED"
]
EventType = Literal["transition", "progress"]
ProgressMode = Literal["latest", "all", "none"]
SnapshotMode = Literal["auto", "always", "never"]
Topic = Literal["job", "jobs", "workers"]
ResetReason = Literal["expired", "epoch", "cursor_ahead"]


class Filter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which jobs, and which of their events; each given field must match one of its values.

    ``creator`` names accounts, ``me`` is the one that subscribes. ``template`` by name means the
    versions that exist when the subscription begins. ``type`` is of events, the others of their job
    as it stood after the event.
    """

    status: Annotated[tuple[StatusName, ...], Meta(max_length=8)] = ()
    type: Annotated[tuple[EventType, ...], Meta(max_length=2)] = ()
    label: Annotated[dict[Choice, LabelValue], Meta(max_length=CHOICES_MAX)] = {}
    creator: Annotated[tuple[Pk | Choice, ...], Meta(max_length=CHOICES_MAX)] = ()
    node: Annotated[tuple[Pk, ...], Meta(max_length=CHOICES_MAX)] = ()
    template: Annotated[tuple[Pk | Choice, ...], Meta(max_length=CHOICES_MAX)] = ()
    parent: Annotated[tuple[Pk, ...], Meta(max_length=CHOICES_MAX)] = ()


# --- What a client says ---------------------------------------------------------------------------


class ClientFrame(Struct, frozen=True, kw_only=True, tag_field="op", forbid_unknown_fields=True):
    """Any message of a client."""


class Auth(ClientFrame, frozen=True, kw_only=True, tag="auth"):
    """Who this is: an access token; later again, to go on beyond the life of the first."""

    token: Annotated[str, Meta(min_length=1, max_length=4_096)]


class Subscribe(ClientFrame, frozen=True, kw_only=True, tag="subscribe"):
    """Follow some jobs (``job``), all that match a filter (``jobs``), or the nodes (``workers``).

    Without a cursor the present state comes first, or with ``snapshot`` ``never`` nothing. With one
    the events behind it come first; where that cannot be done, a reset and the present state.
    """

    id: Id
    topic: Topic
    jobs: Annotated[tuple[Pk, ...], Meta(max_length=JOBS_MAX)] = ()
    filter: Filter = Filter()
    progress: ProgressMode | UnsetType = UNSET
    snapshot: SnapshotMode = "auto"
    cursor: Annotated[str, Meta(max_length=64)] | None = None


class Unsubscribe(ClientFrame, frozen=True, kw_only=True, tag="unsubscribe"):
    """End a subscription."""

    id: Id


class Ping(ClientFrame, frozen=True, kw_only=True, tag="ping"):
    """Ask for a sign of life; ``t`` comes back as it is."""

    t: int | float | None = None


# --- What the hub says ----------------------------------------------------------------------------


class ServerFrame(Struct, frozen=True, kw_only=True, tag_field="op"):
    """Any message of the hub."""


class Hello(ServerFrame, frozen=True, kw_only=True, tag="hello"):
    """The first message: what holds on this connection.

    With ``auth`` ``required`` the client says who it is within 5 seconds.
    """

    v: int = 1
    conn: str
    epoch: str
    heartbeat_ms: int = HEARTBEAT_MS
    max_subs: int = SUBSCRIPTIONS_MAX
    max_frame: int = FRAME_MAX_BYTES
    auth: Literal["ok", "required"]


class AuthOk(ServerFrame, frozen=True, kw_only=True, tag="auth_ok"):
    """The token is good, for so many seconds."""

    expires_in: int


class Subscribed(ServerFrame, frozen=True, kw_only=True, tag="subscribed"):
    """A subscription began, behind ``from``.

    ``resume``: the events behind the given cursor follow. ``snapshot``: the present state follows,
    ``reset`` says why a given cursor was not honoured. ``live``: only what happens from now on.
    """

    id: str
    mode: Literal["resume", "snapshot", "live"]
    from_: str = msgspec.field(name="from")
    head: str
    retained_from: str
    reset: ResetReason | None = None


class Snapshot(ServerFrame, frozen=True, kw_only=True, tag="snapshot"):
    """A part of the present state, true at ``at``; the ``last`` one completes it.

    ``jobs`` are short rows with ``pk``, ``status``, ``seq``, ``tseq`` and more.
    """

    id: str
    at: str
    part: int
    last: bool
    jobs: list[Any]


class Events(ServerFrame, frozen=True, kw_only=True, tag="events"):
    """All that the subscription has to know behind ``from`` up to ``to``.

    ``from`` is the ``to`` of the message before it. For the members of an event see ``Event``.
    """

    id: str
    from_: str = msgspec.field(name="from")
    to: str
    events: list["Event"]


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event of a job.

    ``g`` is its number in the log, ``seq`` in its job, ``tseq`` the transitions of the job up to
    it. ``skip`` counts the events of this job that were left out before it since the last one shown
    here. ``entered`` and ``left``: the job began or ceased to match the filter with it. ``n`` is
    how many reports it stands for.
    """

    g: int
    job: int
    seq: int
    tseq: int
    skip: int
    type: Literal["job.transition", "job.progress"]
    transition: str
    from_status: str | None
    to_status: str | None
    time: str
    attempt: int
    node: int | None
    progress_amount: float
    n: int
    data: Any
    entered: bool = False
    left: bool = False


class Bookmark(ServerFrame, frozen=True, kw_only=True, tag="bookmark"):
    """Everything up to ``cursor`` was sent.

    ``from`` is the ``to`` of the message before it, as in ``Events``: without it a client could not
    tell that a message before a bookmark was lost.
    """

    id: str
    from_: str | UnsetType = msgspec.field(name="from", default=UNSET)
    cursor: str


class Reset(ServerFrame, frozen=True, kw_only=True, tag="reset"):
    """Forget what this subscription told: the present state follows."""

    id: str
    reason: ResetReason


class Workers(ServerFrame, frozen=True, kw_only=True, tag="workers"):
    """The nodes that are there, or those of them that changed; not from the log.

    ``n`` counts these messages of this subscription, from 1. One that is ``full`` begins anew: what
    was told before holds no longer. Where there are many nodes, the rest of them follows.
    """

    id: str
    n: int
    full: bool
    workers: list["Worker"]


class Worker(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A node: whose it is, when it was heard of last, and the job that it works on.

    One that is ``gone`` was removed.
    """

    pk: int
    ip: str = ""
    index: int = 0
    owner: int | None = None
    last_seen: str | None = None
    current_job: int | None = None
    gone: bool = False


class Notice(ServerFrame, frozen=True, kw_only=True, tag="notice"):
    """Something to know.

    ``lagging``: this client is slow. ``stale``: the hub cannot read its database.
    ``auth_expiring``: say who you are again. ``drain``: this process stops; connect again after
    ``retry_after_ms``.
    """

    code: Literal["lagging", "stale", "auth_expiring", "drain"]
    retry_after_ms: int | UnsetType = UNSET


class Error(ServerFrame, frozen=True, kw_only=True, tag="error"):
    """A message of the client was refused, and did nothing; ``id`` is its subscription, if any."""

    id: str | None
    code: str
    detail: str


class End(ServerFrame, frozen=True, kw_only=True, tag="end"):
    """A subscription is over."""

    id: str
    reason: Literal["unsubscribed", "revoked"]


class Pong(ServerFrame, frozen=True, kw_only=True, tag="pong"):
    """The sign of life, and the hub's time."""

    t: int | float | None
    now: str


Said = Auth | Subscribe | Unsubscribe | Ping
"""What a client may send."""

Told = (
    Hello
    | AuthOk
    | Subscribed
    | Snapshot
    | Events
    | Bookmark
    | Reset
    | Workers
    | Notice
    | Error
    | End
    | Pong
)
"""What the hub may send."""
