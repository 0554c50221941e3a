"""One ``hub.v1`` socket: what the client says is ordered, and what is ordered is done in turn.

The session knows the rules. Whoever hears the client only passes on what it says; one writer does
what was ordered and sends what is new, so that all goes out in order.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Literal, assert_never

from channels.protocol.codec import encode
from channels.protocol.codes import Close
from channels.protocol.frames import Pong, ServerFrame, Subscribe
from channels.protocol.server_session import (
    NEVER_S,
    Action,
    Answer,
    Begin,
    Bookmark,
    Check,
    Drop,
    Hangup,
    ServerSession,
    Tell,
)
from channels.times import iso
from hub import clock
from hub.auth.doors import Admission
from hub.errors import Forbidden, HubError, Kind
from hub.live.following import Expired, Following, TooSlow
from hub.live.frames import text_frame
from hub.live.gallery import Gallery
from hub.live.presence import Present
from hub.live.registry import OpenSocket
from hub.live.selecting import selection_of
from hub.live.sink import PeerGone, Sink

BREATH_S = 0.005
"""The shortest time between two writes to a socket: what comes meanwhile goes along."""

RETRY_MS = 500, 5_000
"""When a client of a process that stopped should come back, at the earliest and the latest."""

ORDERS_MAX = 400

CODES = {Kind.NOT_FOUND: Close.NOT_FOUND, Kind.FORBIDDEN: Close.FORBIDDEN}
"""How a socket ends that cannot begin with what it is for."""


class Conversation:
    """One open ``hub.v1`` socket.

    Args:
        gallery: What there is to see.
        sink: Where frames go.
        session: The rules of the language.
        open_socket: By what it may be open.
        action: What it is for, as the table of permissions calls it.
        opening: What is followed without being asked for; then nothing else can be.
    """

    def __init__(
        self,
        gallery: Gallery,
        sink: Sink,
        session: ServerSession,
        open_socket: OpenSocket,
        action: str,
        opening: Subscribe | None,
    ) -> None:
        self._gallery = gallery
        self._sink = sink
        self._session = session
        self._open_socket = open_socket
        self._action = action
        self._opening = opening
        self._orders: deque[Action] = deque()
        self._followed: dict[str, Following | Present] = {}
        self._newsy: dict[str, None] = {}
        self._sleeper: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._last_write_s = 0.0
        self._is_pushing = False
        self._is_catching_up = False
        self._is_lagging = False

    # --- What comes in ----------------------------------------------------------------------------

    def order(self, actions: Iterable[Action]) -> None:
        """Let the writer do this, after what was ordered before."""
        self._orders.extend(actions)
        self._wake()

    def hear(self, message: str | bytes) -> None:
        """Take what the client says."""
        if len(self._orders) > ORDERS_MAX:  # it asks faster than it takes the answers
            self.order(self._session.hang_up(Close.TOO_MANY))
        else:
            self.order(self._session.hear(message, clock.monotonic_s()))

    def notify(self, code: Literal["lagging", "stale"]) -> None:
        """Tell the client something that it should know."""
        self.order(self._session.notify(code))

    def drain(self) -> None:
        """Tell the client when to come back, and close."""
        self.order(self._session.drain(random.randint(*RETRY_MS)))  # spreads load

    def revoke(self, code: int) -> None:
        """End all that is followed: what the socket was opened with is not good any more."""
        if code == Close.UNAUTHENTICATED:
            self.order(self._session.revoke_all())
        else:
            self.order(self._session.hang_up(Close(code)))

    # --- What goes out ----------------------------------------------------------------------------

    async def write(self) -> int:
        """Do what is ordered and pass on news, until it is over; return the code to close with."""
        self._gallery.talks.add(self)
        self.order(self._session.begin())
        if self._open_socket.admission is not None:
            self._open()
        try:
            return await self._write_on()
        except TimeoutError:
            self._sink.abort()
            return Close.SLOW
        except TooSlow:
            return Close.SLOW
        except PeerGone:
            return Close.GOING_AWAY
        finally:
            self._leave()

    async def _write_on(self) -> int:
        while (code := await self._write_some()) is None:
            await self._sleep()
        return code

    def _leave(self) -> None:
        self._gallery.talks.discard(self)
        if self._alarm is not None:
            self._alarm.cancel()
        for one in self._followed.values():
            one.close()

    def _open(self) -> None:
        if self._opening is not None:
            self.hear(encode(self._opening).decode())

    async def _write_some(self) -> int | None:
        """Do all that is to be done now; return the code to close with, if it is over."""
        while True:
            if self._orders:
                code = await self._do(self._orders.popleft())
                if code is not None:
                    return code
            elif self._newsy:
                await self._pass_on()
            else:
                return None

    async def _do(self, action: Action) -> int | None:
        match action:
            case Tell(frame):
                await self._say(frame)
            case Answer(t):
                await self._say(Pong(t=t, now=iso(clock.wall_us())))
            case Begin(wish):
                await self._begin(wish)
            case Drop(name):
                self._drop(name)
            case Bookmark(name):
                await self._bookmark(name)
            case Check(token):
                await self._check(token)
            case Hangup(code):
                return code
            case _:
                assert_never(action)
        return None

    async def _say(self, frame: ServerFrame) -> None:
        await self._send([text_frame(encode(frame))])

    async def _send(self, frames: Sequence[bytes]) -> None:
        await self._sink.send(frames)
        self._last_write_s = clock.monotonic_s()

    # --- Subscriptions ----------------------------------------------------------------------------

    async def _begin(self, wish: Subscribe) -> None:
        if wish.id not in self._session.subscriptions:  # it was given up meanwhile
            return
        try:
            self._check_scope(wish)
            if wish.topic == "workers":
                await self._begin_presence(wish.id)
            else:
                await self._begin_following(wish)
        except HubError as refusal:
            self._drop(wish.id)
            self.order(self._session.refuse(wish.id, refusal.code, refusal.detail))
            if wish == self._opening:
                self.order(self._session.hang_up(CODES.get(refusal.kind, Close.BAD_MESSAGE)))

    def _check_scope(self, wish: Subscribe) -> None:
        if self._opening is not None and (wish.topic, wish.jobs) != ("job", self._opening.jobs):
            raise Forbidden("this socket is for one job: others are at /v1/stream")

    async def _begin_following(self, wish: Subscribe) -> None:
        gallery = self._gallery
        admission = self._open_socket.admission
        assert admission is not None, "the session lets nobody subscribe before"
        selection = await selection_of(gallery.engine, admission.identity, wish)
        mode = wish.progress if isinstance(wish.progress, str) else "latest"
        reader = gallery.feed.read(selection, partial(self._news_of, wish.id), mode=mode)
        following = self._followed[wish.id] = Following(wish.id, reader, gallery)
        await self._send_all(wish.id, following.begin(wish))
        self._news_of(wish.id)

    async def _begin_presence(self, name: str) -> None:
        present = self._gallery.presence.watch(name, partial(self._news_of, name))
        self._followed[name] = present
        await self._say(await present.begun(self._gallery.epoch))
        self._news_of(name)

    async def _send_all(self, name: str, frames: AsyncGenerator[bytes]) -> None:
        async with aclosing(frames):
            async for frame in frames:
                await self._send([frame])
                self._session.sent(name, self._last_write_s)

    def _drop(self, name: str) -> None:
        followed = self._followed.pop(name, None)
        if followed is not None:
            followed.close()

    async def _bookmark(self, name: str) -> None:
        # Somebody who looks back at much that is not wanted has moved on, too.
        frame = None if name in self._newsy else await self._next(name)
        followed = self._followed.get(name)
        if frame is None and followed is not None and followed.is_ready:
            frame = followed.bookmark()
        if frame is not None:
            await self._send([frame])

    # --- News -------------------------------------------------------------------------------------

    def _news_of(self, name: str) -> None:
        """Hear that there is something for a subscription; from the feed, between two steps."""
        self._newsy[name] = None
        if self._sleeper is not None and not self._is_pushing:
            self._is_pushing = True
            self._gallery.turns.add(self._push)

    def _push(self) -> None:
        """Send what is new without waking the writer, or else wake it.

        Most news is for one subscription of a client that keeps up: a task would cost more than
        the write.
        """
        self._is_pushing = False
        if self._sleeper is None or self._sleeper.done():  # the writer is at it
            return
        if self._orders or self._is_lagging or len(self._newsy) != 1:
            self._wake()
            return
        now_s = clock.monotonic_s()
        left_s = self._last_write_s + BREATH_S - now_s
        if left_s > 0:
            self._is_pushing = True
            asyncio.get_running_loop().call_later(left_s, self._push)
            return
        (name,) = self._newsy
        try:
            if not self._pushed(name, now_s):
                self._wake()
        except Exception as error:  # noqa: BLE001  # the writer ends with it, as with its own
            self._sleeper.set_exception(error)

    def _pushed(self, name: str, now_s: float) -> bool:
        """Send the next frame of a subscription; return whether nothing is left to do."""
        followed = self._followed.get(name)
        if not isinstance(followed, Following) or not followed.is_at_hand or not self._sink.is_free:
            return False
        frame, is_more = followed.take()
        if frame is not None:
            self._sink.put(frame)
            self._last_write_s = now_s
            self._session.sent(name, now_s)
        if not is_more:
            del self._newsy[name]
        return not is_more

    async def _pass_on(self) -> None:
        """Send what all subscriptions have to say, one frame of each, in as few writes as fit."""
        await self._take_breath()
        newsy, self._newsy = self._newsy, {}
        frames: dict[str, bytes] = {}
        for name in newsy:
            frame = await self._next(name)
            if frame is not None:
                frames[name] = frame
        if frames:
            await self._send(list(frames.values()))
            for name in frames:
                self._session.sent(name, self._last_write_s)
        self._note_lag()

    async def _next(self, name: str) -> bytes | None:
        followed = self._followed.get(name)
        if followed is None or not followed.is_ready:
            return None
        try:
            frame, is_more = await followed.next()
        except Expired:
            assert isinstance(followed, Following)
            await self._send_all(name, followed.restart("expired"))
            frame, is_more = None, True
        if is_more:
            self._news_of(name)
            self._is_catching_up = True
            await asyncio.sleep(0)  # a long look back at what is in memory must not hold up others
        return frame

    async def _take_breath(self) -> None:
        if self._is_catching_up:  # what could go along is there already
            self._is_catching_up = False
            return
        left_s = self._last_write_s + BREATH_S - clock.monotonic_s()
        if left_s > 0:
            await asyncio.sleep(left_s)

    def _note_lag(self) -> None:
        is_lagging = any(one.is_lagging for one in self._followed.values())
        if is_lagging and not self._is_lagging:
            self.notify("lagging")
        self._is_lagging = is_lagging

    # --- Credentials ------------------------------------------------------------------------------

    async def _check(self, token: str) -> None:
        former = self._open_socket.admission
        try:
            admission = await self._gallery.doors.first_message(token, self._action)
        except HubError as refusal:
            is_known = refusal.kind == Kind.FORBIDDEN
            self.order(
                self._session.refused(Close.FORBIDDEN if is_known else Close.UNAUTHENTICATED)
            )
            return
        if former is not None and former.identity.account != admission.identity.account:
            # What is followed already was chosen with the eyes of the other account.
            self.order(self._session.refused(Close.FORBIDDEN))
            return
        self._open_socket.admission = admission
        self.order(self._session.authenticated(life_s(admission), clock.monotonic_s()))
        if former is None:
            self._open()

    # --- Waiting ----------------------------------------------------------------------------------

    def _wake(self) -> None:
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    async def _sleep(self) -> None:
        """Wait for news, orders, or what time makes due."""
        if self._orders or self._newsy:
            return
        self._set_alarm()
        self._sleeper = asyncio.get_running_loop().create_future()
        try:
            await self._sleeper
        finally:
            self._sleeper = None

    def _set_alarm(self) -> None:
        """Be woken when something is due: too early, and set again, costs less than moving it."""
        if self._alarm is None and self._session.deadline_s < NEVER_S:
            wait_s = max(0.0, self._session.deadline_s - clock.monotonic_s())
            self._alarm = asyncio.get_running_loop().call_later(wait_s, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self.order(self._session.tick(clock.monotonic_s()))


def life_s(admission: Admission) -> float:
    """Return how many seconds what somebody came in with still holds; it may be for ever."""
    if admission.expires_us is None:
        return NEVER_S
    return max(0.0, (admission.expires_us - clock.wall_us()) / 1_000_000)
