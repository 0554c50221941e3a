"""The doorbell of many processes: hints over Redis publish/subscribe.

Redis may die, hang, restart empty or be away from the start: that costs time and nothing else. A
subscription that a network or a server has forgotten looks like a quiet one, so every process also
rings for nothing once in a while and must hear itself: silence means that the line is cut.
"""

import asyncio
import logging
import random
import re
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from channels.doorbell.hint import Doubt, Hear

logger = logging.getLogger(__name__)

BEAT_S = 1.0  # the longest time between two messages of this process
SILENCE_S = 3.0  # a line on which not even the own beats are heard is cut
ANSWER_LIMIT_S = 2.0  # for connecting, and for the answer to a message
HEALTH_CHECK_S = 10  # a connection that was quiet for this long is tried before it is used
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 1.0

UNREACHABLE = "Redis does not answer"

Range = tuple[int, int]
NOTHING: Range = (0, 0)
RANGE = re.compile(rb"(0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,18})")


class LineCut(Exception):
    """The line to Redis does not carry messages; the message says how that showed."""


class RedisDoorbell:
    """Joins the feeds of all processes that use one Redis and one log.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.

    Attributes:
        fault: Why hints do not come now, ``None`` while they do.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._channel = ""
        self._rung = NOTHING
        self._news = asyncio.Event()
        self.fault: str | None = UNREACHABLE

    def join(self, epoch: str) -> None:
        """Ring and hear for the log of this epoch only; call it before :meth:`listen`."""
        self._channel = f"hub:{epoch}:log"

    def ring(self, first: int, last: int) -> None:
        """Announce events; rings that come before the last one was sent are sent as one."""
        rung = self._rung
        self._rung = (min(rung[0] or first, first), max(rung[1], last))
        self._news.set()

    async def listen(self, hear: Hear, doubt: Doubt) -> None:
        """Pass every hint on to ``hear``, and mend the line whenever it is cut, until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            was_told = pause_s > FIRST_PAUSE_S
            try:
                await self._stay(hear, doubt)
            except LineCut as cut:
                if self.fault is None:
                    pause_s, was_told = FIRST_PAUSE_S, False
                self.fault = UNREACHABLE
                doubt()
                if not was_told:
                    logger.warning("doorbell.cut reason=%s", cut)
            # All processes lose the line together: they must not all come back together.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _stay(self, hear: Hear, doubt: Doubt) -> None:
        """Use one line until it is cut.

        Raises:
            LineCut: always, in the end.
        """
        try:
            async with self._client() as client, client.pubsub() as line:
                await line.subscribe(self._channel)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._send(client))
                    group.create_task(self._hear(line, hear, doubt))
        except* (RedisError, OSError, LineCut) as errors:
            raise LineCut(_reason(errors)) from errors

    def _client(self) -> Redis:
        # Without its own retries: a line that mends itself would hide that messages were lost.
        return Redis.from_url(
            self._url,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=ANSWER_LIMIT_S,
            socket_connect_timeout=ANSWER_LIMIT_S,
            health_check_interval=HEALTH_CHECK_S,
        )

    async def _send(self, client: Redis) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._news.wait()
            self._news.clear()
            rung, self._rung = self._rung, NOTHING
            await client.publish(self._channel, b"%d-%d" % rung)

    async def _hear(self, line: PubSub, hear: Hear, doubt: Doubt) -> None:
        while True:
            message = await _next(line)
            if message["type"] == "subscribe":
                # Only now: what was rung before this was not heard here.
                self.fault = None
                logger.info("doorbell.joined channel=%s", self._channel)
                doubt()
            elif (rung := _range(message["data"])) is not None:
                hear(*rung)


async def _next(line: PubSub) -> dict[str, Any]:
    """Return the next message of any type.

    Raises:
        LineCut: none came for ``SILENCE_S``.
    """
    message: dict[str, Any] | None = None
    try:
        async with asyncio.timeout(SILENCE_S):
            while message is None:  # an answer to a health check is none
                message = await line.get_message(timeout=None)
    except TimeoutError as error:
        raise LineCut(f"nothing was heard for {SILENCE_S:.0f} s") from error
    return message


def _range(data: object) -> Range | None:
    """Return what was rung, ``None`` if that is no range: anybody may publish to a channel."""
    found = RANGE.fullmatch(data) if isinstance(data, bytes) else None
    return (int(found[1]), int(found[2])) if found else None


def _reason(errors: "BaseExceptionGroup[BaseException]") -> str:
    """Return the first of the errors in words."""
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return f"{type(first).__name__}: {first}"
