"""The only writer: how commands become batches, and who hears what when."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from channels.events import Event
from hub.errors import HubError, NotFound, StorageFull, Unavailable
from hub.lifecycle import commands as c
from hub.lifecycle.ledger import BATCH_MAX, WAITING_MAX, Ledger
from hub.lifecycle.planner import Outcome
from orm.errors import DatabaseAway, DatabaseFull
from orm.queries.batch import Needs, Plan, Writes
from tests.unit.batch_world import (
    ADMIN,
    CREATOR,
    NOW_US,
    STRANGER,
    MemoryBatches,
    a_job,
    worker,
)

NODE = worker(7)


class GatedBatches(MemoryBatches):
    """A store whose commits wait while ``gate`` is shut, and fail when ``failure`` says so."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.began: asyncio.Queue[Needs] = asyncio.Queue()
        self.sizes: list[int] = []
        self.failure: Callable[[Writes], Exception | None] = lambda _: None

    async def run(self, needs: Needs, plan: Plan) -> int:
        self.began.put_nowait(needs)
        await self.gate.wait()
        writes = plan(self.load(needs))
        self.sizes.append(len(writes.drafts))
        if error := self.failure(writes):
            raise error
        return self.write(writes)


class Scene:
    """A running ledger over a gated store, and all that it published."""

    def __init__(self) -> None:
        self.store = GatedBatches()
        self.published: list[Event] = []
        self.ledger = Ledger(self.store, self._publish)
        self.on_publish: Callable[[], None] = lambda: None

    def _publish(self, events: Sequence[Event]) -> None:
        self.published += events
        self.on_publish()

    def ask(self, command: c.Command) -> "asyncio.Task[Outcome]":
        return asyncio.create_task(self.ledger.execute(command))

    async def hold_up(self) -> "asyncio.Task[Outcome]":
        """Shut the gate with one command in the commit; return its answer to come."""
        while not self.store.began.empty():
            self.store.began.get_nowait()
        self.store.gate.clear()
        first = self.ask(a_job(description="first"))
        await asyncio.wait_for(self.store.began.get(), 5)
        return first

    async def answers(self, *asked: "asyncio.Task[Outcome]") -> list[Outcome | BaseException]:
        gathered = asyncio.gather(*asked, return_exceptions=True)
        return await asyncio.wait_for(gathered, 5)


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    stage = Scene()
    running = asyncio.create_task(stage.ledger.run())
    try:
        yield stage
    finally:
        stage.store.gate.set()
        stage.ledger.close()
        await asyncio.wait_for(running, 5)


async def settle() -> None:
    """Let every task run as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


def refusals(answers: Sequence[Outcome | BaseException]) -> list[type | None]:
    return [type(answer) if isinstance(answer, BaseException) else None for answer in answers]


# Batches


async def test_a_command_alone_waits_for_nobody() -> None:
    async with scene() as stage:
        outcome = await asyncio.wait_for(stage.ledger.execute(a_job()), 5)
        assert (outcome.job.pk, outcome.gseq, stage.store.sizes) == (1, 1, [1])


async def test_what_arrives_during_a_commit_is_the_next_batch() -> None:
    async with scene() as stage:
        first = await stage.hold_up()
        later = [stage.ask(a_job()) for _ in range(5)]
        await settle()
        assert not any(task.done() for task in (first, *later))
        stage.store.gate.set()
        await stage.answers(first, *later)
        assert stage.store.sizes == [1, 5]


async def test_a_batch_has_a_limit_and_the_rest_keeps_its_order() -> None:
    async with scene() as stage:
        first = await stage.hold_up()
        later = [stage.ask(a_job(description=str(n))) for n in range(BATCH_MAX + 7)]
        await settle()
        stage.store.gate.set()
        await stage.answers(first, *later)
        assert stage.store.sizes == [1, BATCH_MAX, 7]
        told = [event.description for event in stage.published]
        assert told == ["first", *(str(n) for n in range(BATCH_MAX + 7))]


async def test_a_refused_command_costs_its_neighbours_nothing() -> None:
    async with scene() as stage:
        first = await stage.hold_up()
        later = [
            stage.ask(command)
            for command in (
                a_job(),
                c.Cancel(actor=STRANGER, job=99),
                a_job(),
            )
        ]
        await settle()
        stage.store.gate.set()
        answers = await stage.answers(first, *later)
        assert refusals(answers) == [None, None, NotFound, None]
        assert stage.store.sizes == [1, 2]


# Answers and events


async def test_nothing_is_answered_or_published_before_the_commit() -> None:
    async with scene() as stage:
        first = await stage.hold_up()
        await settle()
        assert (first.done(), stage.published) == (False, [])
        stage.store.gate.set()
        await stage.answers(first)
        assert [event.gseq for event in stage.published] == [1]


async def test_events_are_published_before_the_command_is_answered() -> None:
    async with scene() as stage:
        asked = stage.ask(a_job())
        was_answered: list[bool] = []
        stage.on_publish = lambda: was_answered.append(asked.done())
        (outcome,) = await stage.answers(asked)
        assert isinstance(outcome, Outcome)
        assert was_answered == [False]
        assert stage.published[-1].gseq == outcome.gseq


async def test_events_are_published_in_the_order_of_the_log() -> None:
    async with scene() as stage:
        await asyncio.gather(*(stage.ledger.execute(a_job()) for _ in range(250)))
        assert [event.gseq for event in stage.published] == list(range(1, 251))
        stored = [(event["gseq"], event["job"]) for event in stage.store.events]
        assert [(event.gseq, event.job) for event in stage.published] == stored


async def test_an_event_is_published_as_it_is_stored() -> None:
    async with scene() as stage:
        await stage.ledger.execute(a_job(description="a job", labels='{"team":"nlp"}'))
        (event,), (stored,) = stage.published, stage.store.events
        for name, value in stored.items():
            told = getattr(event, name)
            assert (told.decode() if name == "data" else told) == value
        assert event.description == "a job"


async def test_a_caller_that_left_does_not_keep_the_others_from_their_answers() -> None:
    async with scene() as stage:
        first = await stage.hold_up()
        left, stayed = stage.ask(a_job()), stage.ask(a_job())
        await settle()
        left.cancel()
        await settle()
        stage.store.gate.set()
        answers = await stage.answers(first, left, stayed)
        assert refusals(answers) == [None, asyncio.CancelledError, None]
        assert len(stage.store.jobs) == 3


async def test_a_caller_that_leaves_during_the_commit_does_not_undo_it() -> None:
    async with scene() as stage:
        first = await stage.hold_up()
        first.cancel()
        await settle()
        stage.store.gate.set()
        await stage.ledger.execute(a_job())
        assert len(stage.store.jobs) == 2


# Failures


class Broken(Exception):
    """A statement that the database does not take."""


def breaks_on(description: str) -> Callable[[Writes], Exception | None]:
    def failure(writes: Writes) -> Exception | None:
        told = [row.description for row in writes.created]
        return Broken(description) if description in told else None

    return failure


async def test_a_command_whose_statement_fails_fails_alone() -> None:
    async with scene() as stage:
        stage.store.failure = breaks_on("poison")
        first = await stage.hold_up()
        texts = ["a", "poison", "b"]
        later = [stage.ask(a_job(description=text)) for text in texts]
        await settle()
        stage.store.gate.set()
        answers = await stage.answers(first, *later)
        assert refusals(answers) == [None, None, Broken, None]
        assert [row.description for row in stage.store.jobs.values()] == ["first", "a", "b"]
        assert [event.gseq for event in stage.published] == [1, 2, 3]


@pytest.mark.parametrize(
    ("error", "refusal"), [(DatabaseAway("gone"), Unavailable), (DatabaseFull("full"), StorageFull)]
)
async def test_a_failed_commit_is_unavailable_for_all_and_nothing_is_published(
    error: Exception, refusal: type[HubError]
) -> None:
    async with scene() as stage:
        first = await stage.hold_up()
        later = [stage.ask(a_job()) for _ in range(3)]
        await settle()
        stage.store.failure = lambda _: error
        stage.store.gate.set()
        answers = await stage.answers(first, *later)
        assert refusals(answers) == [refusal] * 4
        assert all(isinstance(one, HubError) and one.retry_after_s for one in answers)
        assert stage.published == []


async def test_the_ledger_goes_on_after_a_failed_commit() -> None:
    async with scene() as stage:
        stage.store.failure = lambda _: DatabaseAway("gone")
        with pytest.raises(Unavailable):
            await stage.ledger.execute(a_job())
        stage.store.failure = lambda _: None
        assert (await stage.ledger.execute(a_job())).gseq == 1


async def test_a_refused_command_is_answered_though_nothing_is_written() -> None:
    async with scene() as stage:
        with pytest.raises(NotFound):
            await stage.ledger.execute(c.Cancel(actor=CREATOR, job=1))
        assert stage.published == []


# Limits and the end


async def test_too_many_waiting_commands_are_refused_at_once() -> None:
    async with scene() as stage:
        first = await stage.hold_up()
        later = [stage.ask(c.Cancel(actor=CREATOR, job=9)) for _ in range(WAITING_MAX)]
        await settle()
        with pytest.raises(Unavailable):
            await asyncio.wait_for(stage.ledger.execute(a_job()), 1)
        stage.store.gate.set()
        answers = await stage.answers(first, *later)
        assert refusals(answers) == [None, *[NotFound] * WAITING_MAX]


async def test_a_closed_ledger_commits_what_waits_and_takes_no_more() -> None:
    stage = Scene()
    running = asyncio.create_task(stage.ledger.run())
    first = await stage.hold_up()
    later = [stage.ask(a_job()) for _ in range(BATCH_MAX + 1)]
    await settle()
    stage.ledger.close()
    with pytest.raises(Unavailable):
        await stage.ledger.execute(a_job())
    stage.store.gate.set()
    assert refusals(await stage.answers(first, *later)) == [None] * (BATCH_MAX + 2)
    await asyncio.wait_for(running, 5)


async def test_an_idle_ledger_ends_when_it_is_closed() -> None:
    stage = Scene()
    running = asyncio.create_task(stage.ledger.run())
    await settle()
    stage.ledger.close()
    await asyncio.wait_for(running, 5)


# Contacts


async def running_job(stage: Scene) -> int:
    job = (await stage.ledger.execute(a_job())).job.pk
    await stage.ledger.execute(c.Acquire(actor=NODE, job=job))
    await stage.ledger.execute(c.Start(actor=NODE, job=job))
    return job


async def test_a_contact_is_stored_with_the_next_flush_without_an_event() -> None:
    async with scene() as stage:
        job = await running_job(stage)
        before = stage.store.jobs[job]
        stage.ledger.heard(NODE, job)
        await stage.ledger.flush_contacts()
        after = stage.store.jobs[job]
        assert (after.last_contact_us or 0) > (before.last_contact_us or 0) > NOW_US
        assert (after.seq, len(stage.store.events)) == (before.seq, 3)
        stage.store.began = asyncio.Queue()
        await stage.ledger.flush_contacts()
        assert stage.store.began.empty()


async def test_a_contact_of_a_node_that_lost_the_job_is_dropped() -> None:
    async with scene() as stage:
        job = await running_job(stage)
        stage.ledger.heard(NODE, job)
        await stage.ledger.execute(c.Abort(actor=ADMIN, job=job))
        await stage.ledger.flush_contacts()
        assert stage.store.jobs[job].last_contact_us is None


async def test_contacts_that_cannot_be_stored_now_trouble_nobody() -> None:
    async with scene() as stage:
        stage.ledger.heard(NODE, await running_job(stage))
        stage.store.failure = lambda _: DatabaseAway("gone")
        await stage.ledger.flush_contacts()
