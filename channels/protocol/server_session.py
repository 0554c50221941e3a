"""The hub's end of a connection: what a client may say when, and what has to happen then.

It does no I/O and has no clock. The owner of the socket passes in each message and the monotonic
time, and does what it is told by :data:`Action`, in order, before it passes in the next message. It
reports what it sent, so that the session knows when a sign of life is due.
"""

from typing import Literal

from msgspec import Struct

from channels.protocol.bucket import MESSAGES_PER_S, Bucket
from channels.protocol.codec import BadMessage, decode_said
from channels.protocol.codes import Close
from channels.protocol.frames import (
    HEARTBEAT_MS,
    SUBSCRIPTIONS_MAX,
    Auth,
    AuthOk,
    End,
    Error,
    Hello,
    Notice,
    Ping,
    Said,
    ServerFrame,
    Subscribe,
    Unsubscribe,
)
from channels.protocol.subscribing import objection

HEARTBEAT_S = HEARTBEAT_MS / 1000
AUTH_WITHIN_S = 5.0
"""How long a client may take to say who it is."""

EXPIRY_NOTICE_S = 60.0
EXPIRY_NOTICE_SHARE = 0.2
"""A client hears so long before its token ends, or in the last part of a short life."""

NOTED_S = 0.5
"""What is sent sooner after what was noted last is not noted: it is paid for each message."""

NEVER_S = float("inf")


class Tell(Struct, frozen=True):
    """Send this message."""

    frame: ServerFrame


class Begin(Struct, frozen=True):
    """Begin a subscription, or ``refuse`` it."""

    wish: Subscribe


class Drop(Struct, frozen=True):
    """Send nothing more for this subscription, and forget it."""

    id: str


class Check(Struct, frozen=True):
    """Look the token up, then call ``authenticated`` or ``refused``."""

    token: str


class Bookmark(Struct, frozen=True):
    """Send a bookmark for this subscription, unless it is at work on its snapshot."""

    id: str


class Answer(Struct, frozen=True):
    """Send a ``pong`` with ``t`` and the present time."""

    t: int | float | None


class Hangup(Struct, frozen=True):
    """Close the socket; nothing follows."""

    code: Close


Action = Tell | Begin | Drop | Check | Bookmark | Answer | Hangup


class ServerSession:
    """One connection.

    Args:
        conn: Name of the connection, for the logs of both sides.
        epoch: Which life of the log cursors belong to.
        life_s: How many seconds the credentials of the handshake still hold; ``None`` if it had
            none and the client has to send a token.
        now_s: Monotonic seconds, as everywhere here.
        most: Most subscriptions at a time.
    """

    def __init__(
        self,
        conn: str,
        epoch: str,
        life_s: float | None,
        now_s: float,
        *,
        most: int = SUBSCRIPTIONS_MAX,
    ) -> None:
        auth: Literal["ok", "required"] = "required" if life_s is None else "ok"
        self.hello = Hello(conn=conn, epoch=epoch, auth=auth, max_subs=most)
        self.is_over = False
        self._most = most
        self._bucket = Bucket(now_s)
        self._last_sent_s: dict[str, float] = {}  # oldest first
        self._notice_at_s = NEVER_S
        self._ends_at_s = NEVER_S
        self._auth_by_s = NEVER_S
        self._is_authenticated = life_s is not None
        if life_s is None:
            self._auth_by_s = now_s + AUTH_WITHIN_S
        else:
            self._live_until(now_s, life_s)

    @property
    def subscriptions(self) -> frozenset[str]:
        """Names of the open subscriptions."""
        return frozenset(self._last_sent_s)

    @property
    def deadline_s(self) -> float:
        """When to call ``tick`` at the latest; infinite if time changes nothing."""
        if self.is_over:
            return NEVER_S
        oldest_s = next(iter(self._last_sent_s.values()), NEVER_S)
        return min(self._auth_by_s, self._notice_at_s, self._ends_at_s, oldest_s + HEARTBEAT_S)

    # --- What the client says ---------------------------------------------------------------------

    def begin(self) -> list[Action]:
        """Return what comes before all else: the ``hello``."""
        return [Tell(self.hello)]

    def hear(self, message: str | bytes, now_s: float) -> list[Action]:
        """Take a message of the client; ``bytes`` are a binary one."""
        if self.is_over:
            return []
        self._bucket.take(now_s)
        if self._bucket.is_overdrawn:
            return self._end(Close.TOO_MANY)
        try:
            said = decode_said(message)
        except BadMessage as error:
            return [_error(None, "bad_message", error.detail), *self._end(Close.BAD_MESSAGE)]
        if self._bucket.is_empty:
            detail = f"at most {MESSAGES_PER_S} messages a second"
            return [_error(_subscription(said), "rate_limited", detail)]
        return self._obey(said, now_s)

    def _obey(self, said: Said, now_s: float) -> list[Action]:
        match said:
            case Ping(t=t):
                return [Answer(t)]
            case Auth(token=token):
                self._auth_by_s = NEVER_S
                return [Check(token)]
            case _ if not self._is_authenticated:
                told = _error(_subscription(said), "unauthenticated", "say who you are first")
                return [told, *self._end(Close.UNAUTHENTICATED)]
            case Subscribe():
                return self._subscribe(said, now_s)
            case Unsubscribe(id=name):
                return self._unsubscribe(name)

    def _subscribe(self, wish: Subscribe, now_s: float) -> list[Action]:
        if wish.id in self._last_sent_s:
            return self._end(Close.DUPLICATE_ID)
        if len(self._last_sent_s) >= self._most:
            detail = f"at most {self._most} subscriptions on a connection"
            return [_error(wish.id, "too_many_subs", detail)]
        wrong = objection(wish)
        if wrong is not None:
            return [_error(wish.id, "bad_filter", wrong)]
        self._last_sent_s[wish.id] = now_s
        return [Begin(wish)]

    def _unsubscribe(self, name: str) -> list[Action]:
        if name not in self._last_sent_s:
            return [_error(name, "not_found", "there is no such subscription")]
        return self._drop(name, "unsubscribed")

    # --- What the owner reports -------------------------------------------------------------------

    def sent(self, name: str, now_s: float) -> None:
        """Note that a message of this subscription was sent; one that is over is passed over."""
        last_s = self._last_sent_s.get(name)
        if last_s is not None and now_s - last_s >= NOTED_S:
            del self._last_sent_s[name]  # it moves to the end
            self._last_sent_s[name] = now_s

    def refuse(self, name: str, code: str, detail: str) -> list[Action]:
        """A subscription could not begin: tell why, and let its name be free again."""
        self._last_sent_s.pop(name, None)
        return [] if self.is_over else [_error(name, code, detail)]

    def authenticated(self, life_s: float, now_s: float) -> list[Action]:
        """The token of the last ``Check`` is good for so many seconds."""
        if self.is_over:
            return []
        self._is_authenticated = True
        self._live_until(now_s, life_s)
        return [Tell(AuthOk(expires_in=int(life_s)))]

    def refused(self, code: Close = Close.UNAUTHENTICATED) -> list[Action]:
        """The token of the last ``Check`` is not good, even if the one before still is."""
        return self._end(code)

    def revoke(self, name: str) -> list[Action]:
        """The client may no longer see this subscription."""
        return self._drop(name, "revoked") if name in self._last_sent_s else []

    def revoke_all(self) -> list[Action]:
        """The client may no longer see anything: its credentials were taken back."""
        ends = [
            action for name in tuple(self._last_sent_s) for action in self._drop(name, "revoked")
        ]
        return [*ends, *self._end(Close.REVOKED)]

    def notify(self, code: Literal["lagging", "stale"]) -> list[Action]:
        """Tell the client something that it should know."""
        return [] if self.is_over else [Tell(Notice(code=code))]

    def drain(self, retry_after_ms: int) -> list[Action]:
        """This process stops: the client comes back after so long."""
        if self.is_over:
            return []
        notice = Notice(code="drain", retry_after_ms=retry_after_ms)
        return [Tell(notice), *self._end(Close.DRAIN)]

    def hang_up(self, code: Close) -> list[Action]:
        """The owner has a reason of its own to close."""
        return self._end(code)

    # --- What time does ---------------------------------------------------------------------------

    def tick(self, now_s: float) -> list[Action]:
        """Return what is due at ``now_s``; before ``deadline_s`` that is nothing."""
        if self.is_over:
            return []
        if now_s >= self._auth_by_s:
            return self._end(Close.AUTH_TIMEOUT)
        if now_s >= self._ends_at_s:
            return self._end(Close.UNAUTHENTICATED)
        actions: list[Action] = []
        if now_s >= self._notice_at_s:
            self._notice_at_s = NEVER_S
            actions.append(Tell(Notice(code="auth_expiring")))
        return actions + self._bookmarks(now_s)

    def _bookmarks(self, now_s: float) -> list[Action]:
        due: list[Action] = []
        for name, last_s in tuple(self._last_sent_s.items()):
            if now_s < last_s + HEARTBEAT_S:
                break
            due.append(Bookmark(name))
            self.sent(name, now_s)
        return due

    def _live_until(self, now_s: float, life_s: float) -> None:
        self._auth_by_s = NEVER_S
        self._ends_at_s = now_s + life_s
        notice_s = min(EXPIRY_NOTICE_S, life_s * EXPIRY_NOTICE_SHARE)
        self._notice_at_s = self._ends_at_s - notice_s

    def _drop(self, name: str, reason: Literal["unsubscribed", "revoked"]) -> list[Action]:
        del self._last_sent_s[name]
        return [Drop(name), Tell(End(id=name, reason=reason))]

    def _end(self, code: Close) -> list[Action]:
        if self.is_over:
            return []
        self.is_over = True
        drops: list[Action] = [Drop(name) for name in self._last_sent_s]
        self._last_sent_s.clear()
        return [*drops, Hangup(code)]


def _subscription(said: Said) -> str | None:
    return said.id if isinstance(said, Subscribe | Unsubscribe) else None


def _error(name: str | None, code: str, detail: str) -> Tell:
    return Tell(Error(id=name, code=code, detail=detail))
