"""The client's end: what to say and when, what to do with what comes, and after a close.

It does no I/O, has no clock and no randomness. It outlives connections: ``opened`` begins one,
``closed`` ends it and says what to do next. The owner does what it is told by :data:`Order`, in
order; since ``Store`` comes after the events before the cursor, a crash between the two shows an
event again and never skips one.
"""

from collections import deque
from collections.abc import Iterable

from msgspec import UNSET, Struct

from channels.protocol.backoff import backoff_s
from channels.protocol.codec import BadMessage, decode_told, encode
from channels.protocol.codes import Advice, Close, advice
from channels.protocol.frames import (
    HEARTBEAT_MS,
    MESSAGE_MAX_BYTES,
    Auth,
    AuthOk,
    Bookmark,
    End,
    Error,
    Events,
    Hello,
    Notice,
    Ping,
    Pong,
    Reset,
    Snapshot,
    Subscribe,
    Subscribed,
    Told,
    Unsubscribe,
    Workers,
)
from channels.protocol.orders import (
    Ended,
    Leave,
    Noted,
    Order,
    Refused,
    RenewToken,
    Say,
    Swap,
)
from channels.protocol.stream import Broken, Stream
from channels.protocol.subscribing import objection

SAID_AT_ONCE = 15
"""Most subscriptions said in one second; the hub takes 20 messages a second."""

CURSOR_MAX_BYTES = 80
"""What a cursor may add to a subscription later."""

AGAIN_S = 1.0
LATE_S = 5.0
"""How much longer than two heartbeats the hub may be silent."""

NEVER_S = float("inf")


class Next(Struct, frozen=True):
    """What to do after a close: ``advice``, after ``wait_s`` seconds."""

    advice: Advice
    wait_s: float


class ClientSession:
    """The life of some subscriptions over any number of connections.

    Args:
        wishes: The subscriptions, each with the cursor that was stored for it.
        token: What to say when the hub asks who this is; ``None`` if the handshake says it.
    """

    def __init__(self, wishes: Iterable[Subscribe], token: str | None = None) -> None:
        self._streams: dict[str, Stream] = {}
        self._ending: set[str] = set()
        self._token = token
        self._unsaid: deque[str] = deque()
        self._failures = 0
        self._retry_after_ms: int | None = None
        self._is_open = False
        self._is_greeted = False
        self._restart(0.0)
        for wish in wishes:
            self._add(wish)

    def _restart(self, now_s: float) -> None:
        self._heartbeat_s = HEARTBEAT_MS / 1000
        self._heard_s = now_s
        self._pinged_s = now_s
        self._say_more_s = NEVER_S
        self._unsaid.clear()
        self._ending.clear()

    @property
    def subscriptions(self) -> frozenset[str]:
        """Names of the subscriptions that are not over."""
        return frozenset(self._streams)

    @property
    def cursors(self) -> dict[str, str]:
        """How far each subscription has got."""
        return {name: s.cursor for name, s in self._streams.items() if s.cursor is not None}

    @property
    def deadline_s(self) -> float:
        """When to call ``tick`` at the latest."""
        if not self._is_open:
            return NEVER_S
        ping_s = max(self._heard_s, self._pinged_s) + self._heartbeat_s
        return min(ping_s, self._silent_s, self._say_more_s)

    @property
    def _silent_s(self) -> float:
        return self._heard_s + 2 * self._heartbeat_s + LATE_S

    # --- A connection -----------------------------------------------------------------------------

    def opened(self, now_s: float) -> None:
        """Begin with a new connection; the hub speaks first."""
        self._restart(now_s)
        self._retry_after_ms = None
        self._is_greeted = False
        self._is_open = True

    def hear(self, message: str | bytes, now_s: float) -> list[Order]:
        """Take a message of the hub."""
        if not self._is_open:
            return []
        self._heard_s = now_s
        try:
            told = decode_told(message)
            return [] if told is None else self._take(told, now_s)
        except (BadMessage, Broken) as error:
            return self._leave(Close.GAP, str(error))

    def tick(self, now_s: float) -> list[Order]:
        """Return what is due at ``now_s``; before ``deadline_s`` that is nothing."""
        if not self._is_open:
            return []
        if now_s >= self._silent_s:
            return self._leave(Close.GOING_AWAY, "the hub is silent")
        orders: list[Order] = []
        if now_s >= self._say_more_s:
            orders += self._say_more(now_s)
        if now_s >= max(self._heard_s, self._pinged_s) + self._heartbeat_s:
            self._pinged_s = now_s
            orders.append(Say(Ping()))
        return orders

    def closed(self, code: int, chance: float) -> Next:
        """End the connection; an attempt that failed counts as one that closed with 1006.

        Args:
            code: What it was closed with, by whichever side.
            chance: A random number, 0 to 1, for the jitter.
        """
        self._is_open = False
        advised = advice(code)
        waited_s = backoff_s(self._failures, chance)
        self._failures += 1
        if advised is Advice.RECONNECT and self._retry_after_ms is not None:
            waited_s = self._retry_after_ms / 1000
        return Next(advised, waited_s)

    def _leave(self, code: Close, why: str) -> list[Order]:
        self._is_open = False
        return [Leave(code, why)]

    # --- What the owner wants ---------------------------------------------------------------------

    def renew(self, token: str) -> list[Order]:
        """Say who this is with a fresh token, now and from now on."""
        self._token = token
        return [Say(Auth(token=token))] if self._is_open and self._is_greeted else []

    def subscribe(self, wish: Subscribe, now_s: float) -> list[Order]:
        """Add a subscription; its name must be free, which it is once the hub said its ``end``.

        Raises:
            ValueError: The name is taken, or the hub would refuse this.
        """
        self._add(wish)
        if not (self._is_open and self._is_greeted):
            return []
        self._unsaid.append(wish.id)
        return self._say_more(now_s) if self._say_more_s == NEVER_S else []

    def unsubscribe(self, name: str) -> list[Order]:
        """End a subscription; what is still on its way for it is passed over."""
        del self._streams[name]
        if name in self._unsaid:
            self._unsaid.remove(name)
            return []
        if not (self._is_open and self._is_greeted):
            return []
        self._ending.add(name)
        return [Say(Unsubscribe(id=name))]

    def _add(self, wish: Subscribe) -> None:
        if wish.id in self._streams or wish.id in self._ending:
            raise ValueError(f"there is a subscription {wish.id} already")
        if (wrong := objection(wish)) is not None:
            raise ValueError(wrong)
        if len(encode(wish)) > MESSAGE_MAX_BYTES - CURSOR_MAX_BYTES:
            raise ValueError(f"a subscription has at most {MESSAGE_MAX_BYTES} bytes")
        self._streams[wish.id] = Stream(wish)

    # --- What comes -------------------------------------------------------------------------------

    def _take(self, told: Told, now_s: float) -> list[Order]:
        if isinstance(told, Hello):
            return self._greet(told, now_s)
        if not self._is_greeted:
            raise Broken("the hub did not say hello first")
        if isinstance(told, Subscribed | Snapshot | Events | Bookmark | Reset | Workers):
            return self._stream(told)
        match told:
            case Notice():
                return self._notice(told)
            case Error():
                return self._refused(told, now_s)
            case End():
                return self._end(told)
            case AuthOk() | Pong():
                return []

    def _greet(self, hello: Hello, now_s: float) -> list[Order]:
        if self._is_greeted:
            raise Broken("the hub said hello twice")
        self._is_greeted = True
        self._heartbeat_s = hello.heartbeat_ms / 1000
        self._unsaid.extend(self._streams)
        if hello.auth == "ok":
            return self._say_more(now_s)
        if self._token is None:
            return self._leave(Close.UNAUTHENTICATED, "the hub asks for a token")
        return [Say(Auth(token=self._token)), *self._say_more(now_s)]

    def _say_more(self, now_s: float) -> list[Order]:
        said: list[Order] = []
        while self._unsaid and len(said) < SAID_AT_ONCE:
            said.append(Say(self._streams[self._unsaid.popleft()].ask()))
        self._say_more_s = now_s + AGAIN_S if said else NEVER_S
        return said

    def _stream(
        self, told: Subscribed | Snapshot | Events | Bookmark | Reset | Workers
    ) -> list[Order]:
        stream = self._streams.get(told.id)
        if stream is None:  # it was ended here, and this was on its way
            return []
        orders = _taken(stream, told)
        if isinstance(told, Events | Bookmark) or any(isinstance(o, Swap) for o in orders):
            self._failures = 0
        return orders

    def _notice(self, notice: Notice) -> list[Order]:
        if notice.code == "auth_expiring":
            return [RenewToken()]
        if notice.code == "drain" and notice.retry_after_ms is not UNSET:
            self._retry_after_ms = notice.retry_after_ms
        return [Noted(notice.code)]

    def _refused(self, error: Error, now_s: float) -> list[Order]:
        if error.code == "rate_limited":
            if error.id in self._streams:
                self._unsaid.append(error.id)
                self._say_more_s = now_s + AGAIN_S
            return []
        if error.id is not None:
            self._ending.discard(error.id)
            if self._streams.pop(error.id, None) is None:
                return []
        return [Refused(error.id, error.code, error.detail)]

    def _end(self, end: End) -> list[Order]:
        if end.id in self._ending:
            self._ending.remove(end.id)
            return []
        if self._streams.pop(end.id, None) is None:
            return []
        return [Ended(end.id, end.reason)]


def _taken(
    stream: Stream, told: Subscribed | Snapshot | Events | Bookmark | Reset | Workers
) -> list[Order]:
    match told:
        case Subscribed():
            return stream.subscribed(told)
        case Snapshot():
            return stream.snapshot(told)
        case Events():
            return stream.events(told)
        case Bookmark():
            return stream.bookmark(told)
        case Reset():
            return stream.reset(told)
        case Workers():
            return stream.presence(told)
