"""When nodes called last: kept in memory until a chore stores it, for reads never write.

It is shown by the wall clock as the call came, and stored as an age by the clock that decides about
leases. The two differ by a little; so that nobody sees a time that moves without a call, what was
shown is remembered beside what was stored for it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from msgspec.structs import replace

from hub import clock

REMEMBERED_MAX = 10_000

Store = Callable[[Mapping[int, int]], Awaitable[Mapping[int, int]]]
"""Takes node -> how many microseconds ago it called, and returns node -> the time it stored."""


class Contact(msgspec.Struct, frozen=True):
    """The last call of a node.

    ``at_s`` is by the clock that never jumps, ``wall_us`` by the one that is shown. ``stored_us``
    is what the database has for it, ``None`` before it is stored.
    """

    at_s: float
    wall_us: int
    stored_us: int | None = None

    def ago_us(self) -> int:
        """Return how many microseconds ago it was."""
        return round((clock.monotonic_s() - self.at_s) * 1_000_000)

    def shown_us(self, found_us: int | None) -> int | None:
        """Return when the node was seen last, given what was found in its row after this.

        A row that says something else was changed by another process, or with a clock that was set.
        """
        return self.wall_us if self.stored_us in (None, found_us) else found_us


class NodeContacts:
    """The last calls of nodes in this process; those that are stored are bounded."""

    def __init__(self) -> None:
        self._waiting: dict[int, Contact] = {}
        self._stored: OrderedDict[int, Contact] = OrderedDict()
        self._turn = asyncio.Lock()

    def heard(self, node: int) -> None:
        """Remember that ``node`` called just now."""
        self._waiting[node] = Contact(clock.monotonic_s(), clock.wall_us())

    def forget(self, node: int) -> None:
        """Forget ``node``: it was removed."""
        self._waiting.pop(node, None)
        self._stored.pop(node, None)

    def last(self, node: int) -> Contact | None:
        """Return the last call of ``node``, ``None`` if there is none to remember.

        Ask before its row is read: a call that is stored in between is then in one of the two.
        """
        return self._waiting.get(node) or self._stored.get(node)

    async def store(self, write: Store) -> None:
        """Let ``write`` store what is not stored yet; if it raises, all of that waits on."""
        async with (
            self._turn
        ):  # what two write at once has one of two times, and nobody knows which
            waiting = dict(self._waiting)
            stored = await write({node: contact.ago_us() for node, contact in waiting.items()})
            for node, contact in waiting.items():
                if self._waiting.get(node) is contact:  # and not a newer one
                    del self._waiting[node]
                if node in stored:
                    self._remember(node, replace(contact, stored_us=stored[node]))

    def _remember(self, node: int, contact: Contact) -> None:
        self._stored[node] = contact
        self._stored.move_to_end(node)
        if len(self._stored) > REMEMBERED_MAX:
            self._stored.popitem(last=False)
