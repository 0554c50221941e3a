"""The only writer: commands come in, wait for the batch before theirs, and are committed together.

While one batch commits, the next one fills: under load the batch grows and the cost of a command
falls; alone, a command waits for nothing. Futures are answered, and events published, after the
commit and only then.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import astuple

from channels.events import About, Event
from hub import clock
from hub.errors import HubError, StorageFull, Unavailable
from hub.lifecycle.commands import Actor, Command, Touch
from hub.lifecycle.log import event_of
from hub.lifecycle.planner import Batch, Outcome
from orm.errors import DatabaseAway, DatabaseFull
from orm.queries.batch import BatchStore, Draft
from orm.rows import EventRow

log = logging.getLogger("hub.ledger")

BATCH_MAX = 100
"""Commands in a batch; more gains nothing (measured) and makes the first one wait longer."""

WAITING_MAX = 10_000
"""Commands that may wait for their batch; one more is refused with ``unavailable``."""

Waiting = tuple[Command, "asyncio.Future[Outcome]"]


class Heard(msgspec.Struct, frozen=True):
    """A contact that is not stored yet: of whom, and when by the clock that never jumps."""

    actor: Actor
    at_s: float

    def ago_us(self) -> int:
        """Return how many microseconds ago it was."""
        return round((clock.monotonic_s() - self.at_s) * 1_000_000)


class Ledger:
    """Batches commands through a store; ``publish`` gets the events of each commit, in order."""

    def __init__(self, store: BatchStore, publish: Callable[[Sequence[Event]], None]) -> None:
        self._store = store
        self._publish = publish
        self._waiting: list[Waiting] = []
        self._news = asyncio.Event()
        self._is_open = True
        self._contacts: dict[int, Heard] = {}

    async def execute(self, command: Command) -> Outcome:
        """Return what ``command`` did, once it is durable.

        Cancelling the caller does not undo the command: it may or may not happen, and repeating it
        is safe.

        Raises:
            HubError: the command was refused (nothing changed), or ``Unavailable``: unknown
            outcome.
        """
        if not self._is_open or len(self._waiting) >= WAITING_MAX:
            raise Unavailable(retry_after_s=1)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, future))
        self._news.set()
        return await future

    def heard(self, actor: Actor, job: int) -> None:
        """Remember that the node of ``actor``, which holds ``job``, was heard of just now.

        Reads never write: it counts at once in this process's decisions, and is stored with the
        next ``flush_contacts``.
        """
        self._contacts[job] = Heard(actor, clock.monotonic_s())

    async def run(self) -> None:
        """Commit batch after batch until ``close``; what waits then is still committed."""
        while self._is_open or self._waiting:
            await self._news.wait()
            batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
            if not self._waiting and self._is_open:
                self._news.clear()
            if batch:
                await self._survive(batch)

    async def _survive(self, waiting: list[Waiting]) -> None:
        """Commit a batch; whatever goes wrong, all are answered and the next one has its turn."""
        try:
            await self._commit(waiting)
        except Exception as error:
            log.exception("batch failed unforeseen commands=%d", len(waiting))
            self._fail(waiting, error)

    def close(self) -> None:
        """Take no more commands and let ``run`` end when none waits."""
        self._is_open = False
        self._news.set()

    async def flush_contacts(self) -> None:
        """Write the contacts that no batch has carried yet."""
        contacts = dict(self._contacts)
        touches = [
            Touch(actor=heard.actor, job=job, ago_us=heard.ago_us())
            for job, heard in contacts.items()
        ]
        answers = await asyncio.gather(*map(self.execute, touches), return_exceptions=True)
        for (job, contact), answer in zip(contacts.items(), answers, strict=True):
            # Until it is stored, it counts from memory; a newer one stays for the next time.
            if not isinstance(answer, Unavailable) and self._contacts.get(job) is contact:
                del self._contacts[job]

    async def _commit(self, waiting: list[Waiting]) -> None:
        contacts = {job: heard.ago_us() for job, heard in self._contacts.items()}
        batch = Batch([command for command, _ in waiting], contacts, clock.wall_us())
        try:
            head = await self._store.run(batch.needs, batch.plan)
        except (DatabaseAway, DatabaseFull) as error:
            self._fail(waiting, error)
        except Exception as error:  # noqa: BLE001  # one bad command must not take its neighbours with it
            await self._isolate(waiting, error)
        else:
            self._answer(waiting, batch, head)

    def _answer(self, waiting: list[Waiting], batch: Batch, head: int) -> None:
        self._publish(numbered(batch.drafts, batch.abouts, head))
        for (_, future), outcome in zip(waiting, batch.outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, HubError):
                future.set_exception(outcome)
            else:
                outcome.gseq = head
                future.set_result(outcome)

    def _fail(self, waiting: list[Waiting], error: Exception) -> None:
        log.warning("batch failed commands=%d error=%s", len(waiting), error)
        refusal = StorageFull if isinstance(error, DatabaseFull) else Unavailable
        for _, future in waiting:
            if not future.done():
                future.set_exception(refusal(retry_after_s=1))

    async def _isolate(self, waiting: list[Waiting], error: Exception) -> None:
        if len(waiting) > 1:
            for one in waiting:
                await self._commit([one])
            return
        ((command, future),) = waiting
        log.error(
            "command failed type=%s job=%s", type(command).__name__, command.job, exc_info=error
        )
        if not future.done():
            future.set_exception(error)


def numbered(drafts: Sequence[Draft], abouts: Sequence[About | None], head: int) -> list[Event]:
    """Return the events of a committed batch whose newest one is number ``head``."""
    numbers = range(head - len(drafts) + 1, head + 1)
    return [
        event_of(EventRow(number, *astuple(draft)), about)
        for number, draft, about in zip(numbers, drafts, abouts, strict=True)
    ]
