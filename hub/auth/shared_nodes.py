"""Nodes for which two sign-ins speak in turns: a worker was copied, or what it signs in with.

The hub believes a node by its number and account, so this takes nothing from anybody; it only says
that somebody should look.
"""

import logging
from collections import OrderedDict

import msgspec

from hub import clock
from hub.lifecycle.commands import Actor

log = logging.getLogger("hub.auth")

REMEMBERED_MAX = 10_000
AGAIN_S = 3_600.0
"""A node that goes on is told of again after this time."""


class Shared(msgspec.Struct, frozen=True):
    """``actor`` spoke again for its node, for which session ``other`` had spoken meanwhile."""

    actor: Actor
    other: str


class SharedNodes:
    """Notices who speaks for a node, A, B and A again; in memory, and bounded."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[int, tuple[str, str | None]] = OrderedDict()
        self._told_s: OrderedDict[int, float] = OrderedDict()
        self._found: list[Shared] = []

    def spoke(self, actor: Actor) -> None:
        """Remember that the session of ``actor`` speaks for its node."""
        if actor.node is None or actor.session is None:
            return
        latest, former = self._sessions.get(actor.node, (None, None))
        if actor.session == latest:
            return
        self._sessions[actor.node] = actor.session, latest
        if len(self._sessions) > REMEMBERED_MAX:
            self._sessions.popitem(last=False)
        if latest is not None and actor.session == former:
            self._raise(actor.node, Shared(actor, latest))

    def taken(self) -> list[Shared]:
        """Return what was noticed since this was asked last."""
        found, self._found = self._found, []
        return found

    def put_back(self, found: list[Shared]) -> None:
        """Keep for the next time what could not be written down."""
        self._found = found + self._found

    def _raise(self, node: int, shared: Shared) -> None:
        now_s = clock.monotonic_s()
        if now_s - self._told_s.get(node, -AGAIN_S) < AGAIN_S:
            return
        self._told_s.pop(node, None)
        self._told_s[node] = now_s
        if len(self._told_s) > REMEMBERED_MAX:
            self._told_s.popitem(last=False)
        log.warning("node shared node=%d account=%s", node, shared.actor.account)
        self._found.append(shared)
