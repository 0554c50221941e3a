"""What the jobs in the news are asked to tell: read in batches, and kept for a while."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from channels.events import Event
from hub.lifecycle.notifications import DEFAULTS, Action, Plan, plan_of
from hub.lifecycle.states import SHOWN_AS
from orm.engine import Engine
from orm.queries.notifications import WishRow, wishes

log = logging.getLogger("hub.notify")

JOBS_MAX = 20_000
TEXTS_MAX = 16 * 2**20
"""The most characters of overrides whose plans are kept."""

NOTHING = Plan({})

A = TypeVar("A", bound=Action)


class Call(msgspec.Struct, Generic[A], frozen=True):
    """One action that an event calls for."""

    event: Event
    action: A
    is_default: bool
    creator: int | None


class _Wish(msgspec.Struct, frozen=True):
    plan: Plan
    is_child: bool
    creator: int | None
    weight: int


class Wishes:
    """Plans of jobs, those that were read last; a plan never changes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[int, _Wish] = {}
        self._weight = 0

    async def called_for(self, events: Sequence[Event], kind: type[A]) -> list[Call[A]]:
        """Return the actions of one kind that these events call for, in their order.

        Raises:
            StorageError: the database does not answer.
        """
        shown = [event for event in events if event.type in SHOWN_AS]
        known = await self._of({event.job for event in shown})
        return [call for event in shown for call in _calls(event, known.get(event.job), kind)]

    async def _of(self, jobs: set[int]) -> Mapping[int, _Wish]:
        """Return what jobs wish; those that are gone are left out."""
        known = {job: self._known[job] for job in jobs if job in self._known}
        unknown = jobs - known.keys()
        if unknown:
            for row in await wishes(self._engine, unknown):
                known[row.pk] = self._kept(row)
        return known

    def _kept(self, row: WishRow) -> _Wish:
        wish = _Wish(_plan(row), row.parent is not None, row.creator, len(row.notifications or ""))
        if row.pk not in self._known:
            self._known[row.pk] = wish
            self._weight += wish.weight
        while len(self._known) > JOBS_MAX or self._weight > TEXTS_MAX:
            self._weight -= self._known.pop(next(iter(self._known))).weight
        return wish


def _plan(row: WishRow) -> Plan:
    try:
        return plan_of(row.notifications)
    except msgspec.MsgspecError:
        log.exception("notifications unreadable job=%d", row.pk)
        return NOTHING


def _calls(event: Event, wish: _Wish | None, kind: type[A]) -> Iterator[Call[A]]:
    if wish is None:
        return
    for action in wish.plan.at(SHOWN_AS[event.type], is_child=wish.is_child):
        if isinstance(action, kind):
            yield Call(event, action, wish.plan is DEFAULTS, wish.creator)
