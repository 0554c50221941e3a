"""Looks after leases: nodes that fall silent are doubted, then lose their jobs.

Only silence counts that could have been broken. While the hub was down, its process frozen or the
database away nobody could be heard, and a clock that is set is no silence either: then all open
leases are moved first. Several processes may run this; each look is one process's turn.
"""

import asyncio
import logging

import msgspec
from msgspec.structs import replace

from hub import clock
from hub.auth.guard import NodeOwners
from hub.errors import HubError
from hub.lifecycle.commands import Actor, Expire
from hub.lifecycle.ledger import Ledger
from hub.lifecycle.liveness import SILENT_RUN_US
from hub.upkeep.contacts import Contacts
from orm.engine import Engine
from orm.queries import leases
from orm.queries.leases import Due, Look, Shift

log = logging.getLogger("hub.upkeep")

SECOND_US = 1_000_000
SWEEP_S = 2.0
GAP_US = 10 * SECOND_US
"""Looks further apart than this mean that nobody could be heard in between."""

FRESH_US = SECOND_US
"""Another process looked so lately that looking again would find nothing."""

JUMP_US = 2 * SECOND_US
"""A larger difference between the wall clock and the steady one is a jump."""

GRACE_US = 30 * SECOND_US
"""What every lease gets on top after a gap: time for nodes to come back."""

AT_ONCE = 500
"""Leases of one look; the others have their turn two seconds later."""

HUB = Actor(account=None)


class Moment(msgspec.Struct, frozen=True):
    """What this process saw when it looked.

    ``steady_s`` is the time between the question and its answer by the clock that never jumps,
    ``unsure_s`` how far apart the two were.
    """

    look: Look
    steady_s: float
    unsure_s: float = 0.0


class Reaper:
    """Sweeps leases that have run out.

    Args:
        engine: Where the leases are.
        contacts: Stores first who was heard of.
        ledger: Decides about each lease; what this saw may be out of date by then.
        owners: Knows which nodes asked for work.
    """

    def __init__(
        self, engine: Engine, contacts: Contacts, ledger: Ledger, owners: NodeOwners
    ) -> None:
        self._engine = engine
        self._contacts = contacts
        self._ledger = ledger
        self._owners = owners
        self._last: Moment | None = None

    async def sweep(self) -> int:
        """Look at all leases that have run out, and return how many there were.

        Raises:
            StorageError: the database is away; the time until the next look will be no silence.
        """
        await self._contacts.flush()
        now = await self._moment()
        shift = missed(now, self._last)
        is_turn = False
        if await leases.has_open(self._engine):
            is_turn = await self._takes_turn(now.look, shift)
            if not is_turn and not shift.is_none:
                return 0  # another process was quicker: look again at what is left to move
            now = _moved(now, shift)
        self._last = now
        found = await leases.due(self._engine, now.look.now_us, AT_ONCE) if is_turn else []
        return await self._judge([_command(due) for due in found] + await self._idle(now.look))

    async def _moment(self) -> Moment:
        before_s = clock.monotonic_s()
        look = await leases.last_look(self._engine, clock.wall_us())
        after_s = clock.monotonic_s()
        return Moment(look, (before_s + after_s) / 2, after_s - before_s)

    async def _takes_turn(self, look: Look, shift: Shift) -> bool:
        """Whether this process looks at the leases now; they are set right then."""
        is_fresh = 0 <= look.now_us - look.before_us < FRESH_US
        if is_fresh and shift.is_none:
            return False
        if not await leases.take_turn(self._engine, look, shift):
            return False
        if not shift.is_none:
            moved_s = shift.silence_us / SECOND_US, shift.jump_us / SECOND_US
            log.warning("leases moved silence_s=%.1f jump_s=%.1f", *moved_s)
        return True

    async def _idle(self, look: Look) -> list[Expire]:
        """Return the silent jobs of nodes that ask for others, and so do not work on them."""
        polled, self._owners.polled = self._owners.polled, set()
        silent_us = look.now_us - SILENT_RUN_US
        idle = await leases.silent_since(self._engine, sorted(polled), silent_us)
        return [_command(due, is_idle=True) for due in idle]

    async def _judge(self, found: list[Expire]) -> int:
        answers = await asyncio.gather(*map(self._ledger.execute, found), return_exceptions=True)
        for command, answer in zip(found, answers, strict=True):
            if isinstance(answer, HubError):
                log.info("lease kept job=%d error=%s", command.job, answer.code)
            elif isinstance(answer, BaseException):
                raise answer
        return len(found)


def _moved(now: Moment, shift: Shift) -> Moment:
    """Return ``now`` with what was moved just then, so that it is not taken for another's doing."""
    look = now.look
    silence_us, jump_us = look.silence_us + shift.silence_us, look.jump_us + shift.jump_us
    return replace(now, look=replace(look, silence_us=silence_us, jump_us=jump_us))


def missed(now: Moment, last: Moment | None) -> Shift:
    """Return for how long nobody could be heard, and by how much the clock jumped. Pure.

    Args:
        now: This look.
        last: This process's own last look, ``None`` at its first.

    Returns:
        How leases must move; not at all when everything went as it should. What other processes
        moved meanwhile is not moved again. What a process did not live through cannot be told
        apart: after a start all of it is taken for silence, unless the clock went back.
    """
    if last is None:
        return _missed_before(now.look)
    wall_us = now.look.now_us - last.look.now_us
    steady_us = _us(now.steady_s - last.steady_s)
    jump_us = wall_us - steady_us - (now.look.jump_us - last.look.jump_us)
    if abs(jump_us) <= JUMP_US + _us(now.unsure_s + last.unsure_s):
        jump_us = 0
    silence_us = steady_us - (now.look.silence_us - last.look.silence_us)
    if silence_us <= GAP_US:
        return Shift(jump_us=jump_us)
    return Shift(silence_us, jump_us, GRACE_US)


def _missed_before(look: Look) -> Shift:
    away_us = look.now_us - look.before_us if look.before_us else 0
    if away_us < 0:
        return Shift(jump_us=away_us, grace_us=GRACE_US)
    return Shift(away_us, 0, GRACE_US) if away_us > GAP_US else Shift()


def _us(seconds: float) -> int:
    return round(seconds * SECOND_US)


def _command(due: Due, *, is_idle: bool = False) -> Expire:
    return Expire(actor=HUB, job=due.job, attempt=due.attempt, seen_us=due.seen_us, is_idle=is_idle)
