"""Which nodes are there, and what they do: looked at once in a while, while somebody watches.

Presence is not in the log: a watcher gets the whole picture first, then what changed.
"""

from collections.abc import Callable, Iterator

from channels.events import Cursor
from channels.protocol.codec import encode
from channels.protocol.frames import Subscribed, Worker, Workers
from channels.times import iso
from hub.auth.guard import NodeOwners
from hub.live.frames import text_frame
from orm.engine import Engine
from orm.queries import meta, nodes

LOOK_S = 1.0
NODES_MAX = 10_000
"""Nodes that are shown, the first registered first."""

PART = 250
"""Nodes in one message."""

Picture = dict[int, Worker]


class Presence:
    """The picture of all nodes, and who watches it."""

    def __init__(self, engine: Engine, owners: NodeOwners) -> None:
        self.engine = engine
        self._owners = owners
        self._watchers: set[Present] = set()
        self.picture: Picture | None = None

    def watch(self, name: str, wake: Callable[[], None]) -> "Present":
        """Watch the nodes; ``wake`` is called when there is news."""
        present = Present(name, wake, self)
        self._watchers.add(present)
        return present

    def leave(self, present: "Present") -> None:
        """Wake this watcher no more."""
        self._watchers.discard(present)

    async def look(self) -> None:
        """Look at the nodes if anybody wants to know: called every ``LOOK_S`` seconds."""
        if not self._watchers:
            self.picture = None  # the next watcher must not begin with an old one
            return
        self.picture = await self._looked()
        for present in tuple(self._watchers):
            present.wake()

    async def _looked(self) -> Picture:
        rows = await nodes.all_of_them(self.engine, NODES_MAX)
        heard = {row.pk: self._owners.contacts.last(row.pk) for row in rows}
        working: dict[int, int] = {}
        for first in range(0, len(rows), PART):
            some = [row.pk for row in rows[first : first + PART]]
            working |= await nodes.current_jobs(self.engine, some)
        picture = {}
        for row in rows:
            contact = heard[row.pk]
            seen_us = contact.shown_us(row.last_seen_us) if contact else row.last_seen_us
            picture[row.pk] = Worker(
                pk=row.pk,
                ip=row.ip,
                index=row.index,
                owner=row.owner,
                last_seen=None if seen_us is None else iso(seen_us),
                current_job=working.get(row.pk),
            )
        return picture


class Present:
    """One subscription to the nodes."""

    is_lagging = False

    def __init__(self, name: str, wake: Callable[[], None], presence: Presence) -> None:
        self.name = name
        self.wake = wake
        self._presence = presence
        self._told: Picture | None = None
        self._count = 0

    @property
    def is_ready(self) -> bool:
        """Whether there is a picture yet."""
        return self._presence.picture is not None

    async def begun(self, epoch: str) -> Subscribed:
        """Return the first message; nothing here depends on the places in the log that it tells."""
        now = await meta.clock(self._presence.engine)
        head, floor = str(Cursor(epoch, now.gseq)), str(Cursor(epoch, now.floor))
        return Subscribed(id=self.name, mode="live", from_=head, head=head, retained_from=floor)

    async def next(self) -> tuple[bytes | None, bool]:
        """Return the next frame, if there is news, and whether there is more at once."""
        now = self._presence.picture
        if now is None:
            return None, False
        is_first = self._told is None
        told = self._told = {} if self._told is None else self._told
        part: list[Worker] = []
        for worker in changes(told, now):
            if len(part) == PART:
                return self._frame(part, is_full=is_first), True
            part.append(worker)
            if worker.gone:
                del told[worker.pk]
            else:
                told[worker.pk] = worker
        return (self._frame(part, is_full=is_first) if part or is_first else None), False

    def bookmark(self) -> bytes:
        """Return the frame that says that nothing changed."""
        return self._frame([], is_full=False)

    def close(self) -> None:
        """Watch no more."""
        self._presence.leave(self)

    def _frame(self, workers: list[Worker], *, is_full: bool) -> bytes:
        self._count += 1
        frame = Workers(id=self.name, n=self._count, full=is_full, workers=workers)
        return text_frame(encode(frame))


def changes(told: Picture, now: Picture) -> Iterator[Worker]:
    """Give what changed since ``told``; ``told`` may be changed for what was given."""
    for pk, worker in now.items():
        if told.get(pk) != worker:
            yield worker
    for pk in [pk for pk in told if pk not in now]:
        yield Worker(pk=pk, gone=True)
