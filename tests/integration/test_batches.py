"""The ledger's batches on real databases: what they write, and in which order."""

import asyncio
import itertools
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import pytest

from channels.events import Event
from hub import clock
from hub.errors import HubError
from hub.lifecycle import commands as c
from hub.lifecycle.ledger import Ledger
from hub.lifecycle.planner import Batch, Outcome
from orm.errors import StillReferenced, StorageError
from orm.postgres import ServerEngine
from orm.postgres import Transaction as ServerTransaction
from orm.queries import audit, meta
from orm.queries.batch import BatchStore, Loaded, Needs, Writes
from orm.queries.batch_postgres import PostgresBatches, load, write
from orm.queries.batch_sqlite import SqliteBatches
from orm.rows import AuditEntry
from orm.sqlite import EmbeddedEngine
from tests.folding import Story, check_log, read_story, violations
from tests.integration import KINDS, NODE, TEMPLATE, USER, insert, migrated
from tests.servers import PrivatePostgres, require
from tests.unit.batch_world import ADMIN, CREATOR, MemoryBatches, a_job, bytes_named, worker

LIMIT_S = 20.0
NODES = 3


class Database:
    """A database with a template and nodes in it; ``batches`` write to it."""

    def __init__(self, url: str, batches: BatchStore) -> None:
        self.url = url
        self.batches = batches

    async def together(self, *commands: c.Command) -> list[Outcome | HubError]:
        """Run commands as one batch."""
        batch = Batch(commands, {}, clock.wall_us())
        await asyncio.wait_for(self.batches.run(batch.needs, batch.plan), LIMIT_S)
        return batch.outcomes

    async def do(self, command: c.Command) -> Outcome:
        """Run one command; a refusal is raised."""
        (outcome,) = await self.together(command)
        if isinstance(outcome, HubError):
            raise outcome
        return outcome

    async def story(self) -> Story:
        """Return everything that is stored."""
        if isinstance(self.batches, MemoryBatches):
            return self.batches.story()
        return await read_story(self.url)


@asynccontextmanager
async def furnished(url: str) -> AsyncIterator[EmbeddedEngine | ServerEngine]:
    """An engine on a database that has what jobs refer to."""
    async with migrated(url) as engine:
        await meta.ensure(engine, clock.wall_us())
        if not await engine.fetch("SELECT pk FROM job_templates"):
            await insert(engine, "users", USER, {"username": "ada"})
            await insert(engine, "job_templates", TEMPLATE, {"name": "work"})
            await insert(engine, "nodes", NODE, *({"ip": f"10.0.0.{n}"} for n in range(NODES)))
        yield engine


def batches_of(engine: EmbeddedEngine | ServerEngine) -> BatchStore:
    return PostgresBatches(engine) if isinstance(engine, ServerEngine) else SqliteBatches(engine)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Callable[[], str]]:
    """How to get a furnished PostgreSQL database of one's own."""
    require(PrivatePostgres)
    numbers = itertools.count()

    async def furnish(url: str) -> None:
        async with furnished(url):
            pass

    with PrivatePostgres(durable=False) as server:
        asyncio.run(furnish(server.create_database("origin")))
        yield lambda: server.create_database(f"copy_{next(numbers)}", "origin")


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/hub.sqlite3"
    new_url: Callable[[], str] = request.getfixturevalue("postgres")
    return new_url()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with furnished(url) as engine:
        yield Database(url, batches_of(engine))


async def running_job(database: Database, node: int = 1) -> int:
    job = (await database.do(a_job())).job.pk
    await database.do(c.Acquire(actor=worker(node), job=job))
    await database.do(c.Start(actor=worker(node), job=job))
    return job


def report(job: int, value: float = 0.5, node: int = 1, body: str = "{}") -> c.Progress:
    return c.Progress(actor=worker(node), job=job, value=value, body=body)


# The same on all stores

NODE_1, NODE_2 = worker(1), worker(2)
TEXT = "ein Bündel — 束 \U0001f4e6 'quoted' \"too\" ? $1 %s"
SCRIPT: tuple[tuple[c.Command, ...], ...] = (
    (
        a_job(description=TEXT, labels='{"team":"nlp"}', inputs='{"a":"ü"}', parameters="[1]"),
        a_job(priority=0),
        a_job(),
        a_job(),
    ),
    (c.Acquire(actor=NODE_1, job=1), c.Acquire(actor=NODE_2, job=2)),
    (c.Start(actor=NODE_1, job=1), c.Start(actor=NODE_2, job=2), c.Start(actor=NODE_2, job=3)),
    (report(1, 0.25, body=f'{{"text":"{TEXT[:8]}"}}'), report(2, 1.0, 2), report(1, 0.125)),
    (report(1, 0.75), bytes_named("log", 1, NODE_1), bytes_named("model", 1, NODE_1)),
    (bytes_named("log", 2, NODE_2), c.RemoveOutput(actor=ADMIN, job=1, output=1)),
    (c.ReinstateOutput(actor=ADMIN, job=1, output=1), report(2, 0.5, 2)),
    (c.HardDeleteOutput(actor=ADMIN, job=1, output=2), c.Finish(actor=NODE_2, job=2, error="no")),
    (c.Finish(actor=NODE_1, job=1, outputs=("log",)), c.Reset(actor=NODE_2, job=2)),
    (c.Cancel(actor=CREATOR, job=2), c.Describe(actor=ADMIN, job=1, description="done")),
    (c.Requeue(actor=ADMIN, job=2, priority=7), c.Destroy(actor=ADMIN, job=3)),
    (c.Acquire(actor=NODE_1, job=2), c.Reinstate(actor=ADMIN, job=3)),
    (c.Acquire(actor=NODE_1, job=4), c.Abort(actor=ADMIN, job=4)),
    (c.HardDelete(actor=ADMIN, job=1), c.HardDelete(actor=ADMIN, job=99)),
    (c.Acquire(actor=NODE_1, job=3),),
    (c.Touch(actor=NODE_1, job=3, ago_us=0), c.Finish(actor=NODE_1, job=3)),
)


def comparable(story: Story) -> dict[str, list[dict[str, Any]]]:
    """Return a story with only the presence of times: each store has a clock of its own."""

    def plain(row: Any) -> dict[str, Any]:
        told = {name: value for name, value in row.items() if name != "hash"}
        return {n: v is not None if n.endswith("_us") else v for n, v in told.items()}

    tables = story._asdict() | {"clock": [{"gseq": story.clock["gseq"]}]}
    return {name: [plain(row) for row in rows] for name, rows in tables.items()}


def told(outcome: Outcome | HubError) -> object:
    if isinstance(outcome, HubError):
        return outcome.code
    job = outcome.job
    outputs = [(output.pk, output.name) for output in outcome.outputs]
    return job.pk, job.status, job.attempt, job.seq, job.progress, job.output_count, outputs


async def test_databases_hold_after_each_batch_what_the_store_in_memory_holds(
    database: Database,
) -> None:
    memory = Database("", MemoryBatches())
    for commands in SCRIPT:
        mine, theirs = await database.together(*commands), await memory.together(*commands)
        assert [told(outcome) for outcome in mine] == [told(outcome) for outcome in theirs]
        assert comparable(await database.story()) == comparable(await memory.story())
    assert violations(await database.story()) == []


async def test_what_a_job_was_created_with_is_stored(database: Database) -> None:
    created = await database.do(a_job(inputs='{"a":"ü"}', parameters='{"b":[1,2.5]}'))
    (spec,) = await asked(database, "SELECT pk, inputs, parameters FROM job_specs")
    assert spec == (created.job.pk, '{"a":"ü"}', '{"b":[1,2.5]}')
    await database.do(c.HardDelete(actor=ADMIN, job=created.job.pk))
    assert await asked(database, "SELECT * FROM job_specs") == []


async def test_what_a_job_is_asked_to_tell_is_stored_and_removed_with_it(
    database: Database,
) -> None:
    for text in ('{"start":[{"message":"ü"}]}', None):
        created = await database.do(a_job(notifications=text))
        kept = await asked(database, "SELECT pk, notifications FROM job_specs")
        assert kept == [(created.job.pk, text)]
        await database.do(c.HardDelete(actor=ADMIN, job=created.job.pk))
    assert await asked(database, "SELECT * FROM job_specs") == []


async def asked(database: Database, sql: str) -> list[tuple[Any, ...]]:
    """Ask the database past the hub."""
    if database.url.startswith("sqlite:///"):
        connection = sqlite3.connect(database.url.removeprefix("sqlite:///"))
        rows = connection.execute(sql).fetchall()
        connection.close()
        return rows
    server = await asyncpg.connect(database.url)
    try:
        return [tuple(row) for row in await server.fetch(sql)]
    finally:
        await server.close()


async def test_extreme_values_come_back_as_they_were(database: Database) -> None:
    job = await running_job(database)
    tiny = 5e-324
    body = '{"deep":' + "[" * 50 + "]" * 50 + ',"text":"' + "ü" * 60_000 + '"}'
    outcome = await database.do(report(job, tiny, body=body))
    story = await database.story()
    assert story.jobs[0]["progress"] == outcome.job.progress == tiny
    assert story.jobs[0]["progress_data"] == story.events[-1]["data"] == body


async def test_a_batch_that_writes_nothing_says_where_the_log_stands(database: Database) -> None:
    await database.together(a_job(), a_job())
    assert await database.batches.run(Needs(jobs=()), lambda _: Writes(1)) == 2
    refused = Batch([c.Cancel(actor=CREATOR, job=99)], {}, clock.wall_us())
    assert await database.batches.run(refused.needs, refused.plan) == 2


async def test_an_audit_row_without_an_event_is_chained_too(database: Database) -> None:
    await database.do(a_job())
    entry = Batch([c.Destroy(actor=ADMIN, job=1)], {}, clock.wall_us())

    def only_audits(loaded: Loaded) -> Writes:
        return Writes(1, audits=entry.plan(loaded).audits)

    for _ in range(2):
        assert await database.batches.run(entry.needs, only_audits) == 1
    await database.do(c.Destroy(actor=ADMIN, job=1))
    story = await database.story()
    assert len(story.audit) == 3
    assert violations(story) == []


async def test_what_a_job_said_is_gone_with_it(database: Database) -> None:
    await database.do(a_job(description="a secret", labels='{"a":"secret"}', inputs='["secret"]'))
    await database.together(
        c.Describe(actor=ADMIN, job=1, description="still a secret"),
        c.HardDelete(actor=ADMIN, job=1),
    )
    story = await database.story()
    assert "secret" not in str((story.jobs, story.events, story.outputs))
    assert await asked(database, "SELECT * FROM job_specs") == []
    assert violations(story) == []


async def test_numbers_are_never_given_twice_not_even_after_a_restart(url: str) -> None:
    seen: list[int] = []
    for _ in range(2):
        async with furnished(url) as engine:
            database = Database(url, batches_of(engine))
            for _ in range(2):
                job = await running_job(database)
                output = (await database.do(bytes_named("log", job, worker(1)))).output
                assert output is not None
                seen += [job, 1_000 + output.pk]
                await database.do(c.HardDeleteOutput(actor=ADMIN, job=job, output=output.pk))
                await database.do(c.Abort(actor=ADMIN, job=job))
                await database.do(c.HardDelete(actor=ADMIN, job=job))
    assert len(set(seen)) == len(seen) == 8
    assert await check_log(url) == []


# What fails


class Stop(Exception):
    """The rules broke in the middle of a batch."""


async def test_a_batch_that_breaks_while_it_is_planned_writes_nothing(database: Database) -> None:
    await database.do(a_job())
    before = await database.story()

    def broken(_: Loaded) -> Writes:
        raise Stop

    with pytest.raises(Stop):
        await database.batches.run(Needs(jobs=(1,), new_jobs=1), broken)
    assert await database.story() == before
    await database.do(c.Cancel(actor=CREATOR, job=1))


async def test_a_batch_with_a_row_that_the_database_refuses_writes_nothing(
    database: Database,
) -> None:
    await database.do(a_job())
    before = await database.story()
    with pytest.raises(StillReferenced):
        await database.together(a_job(), c.Cancel(actor=CREATOR, job=1), a_job(template=404))
    assert await database.story() == before


async def test_a_row_that_the_database_refuses_costs_its_neighbours_nothing(
    database: Database,
) -> None:
    published: list[Event] = []
    ledger = Ledger(database.batches, published.extend)
    commands = [a_job(), a_job(template=404), a_job()]
    asked = [asyncio.create_task(ledger.execute(command)) for command in commands]
    await asyncio.sleep(0)  # all of them wait before the first batch begins
    running = asyncio.create_task(ledger.run())
    answers = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), LIMIT_S)
    ledger.close()
    await running
    assert [isinstance(answer, Outcome) for answer in answers] == [True, False, True]
    assert [event.gseq for event in published] == [1, 2]
    assert violations(await database.story()) == []


# Several processes on one PostgreSQL: each engine here is what a process has


@asynccontextmanager
async def engines(url: str, count: int) -> AsyncIterator[list[ServerEngine]]:
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(count):
            engine = await stack.enter_async_context(furnished(url))
            assert isinstance(engine, ServerEngine)
            found.append(engine)
        yield found


async def test_numbers_are_given_in_the_order_of_commits(postgres: Callable[[], str]) -> None:
    async with engines(postgres(), 2) as (first, second):
        await Database("", PostgresBatches(first)).together(a_job(), a_job())
        early = Batch([c.Cancel(actor=ADMIN, job=1)], {}, 0)
        late = Batch([c.Cancel(actor=ADMIN, job=2)], {}, 0)
        async with first.transaction() as transaction:
            loaded = await load(transaction, early.needs)
            early_head = await write(transaction, early.plan(loaded))
            waiting = asyncio.create_task(PostgresBatches(second).run(late.needs, late.plan))
            done, _ = await asyncio.wait([waiting], timeout=0.3)
            # It has another job and could go on, were it not for the clock row.
            assert not done
            assert await meta.clock(second) == await meta.clock(first)
        assert await asyncio.wait_for(waiting, LIMIT_S) == early_head + 1 == 4


async def test_a_sequence_would_let_a_reader_miss_what_the_clock_row_does_not(
    postgres: Callable[[], str],
) -> None:
    url = postgres()
    slow, fast, reader = [await asyncpg.connect(url) for _ in range(3)]
    try:
        await reader.execute("CREATE TABLE naive (id BIGSERIAL PRIMARY KEY)")
        async with slow.transaction():
            await slow.execute("INSERT INTO naive DEFAULT VALUES")
            await fast.execute("INSERT INTO naive DEFAULT VALUES")
            seen = [row["id"] for row in await reader.fetch("SELECT id FROM naive ORDER BY id")]
        last = max(seen)
        seen += [r["id"] for r in await reader.fetch("SELECT id FROM naive WHERE id > $1", last)]
        stored = [row["id"] for row in await reader.fetch("SELECT id FROM naive ORDER BY id")]
        assert (stored, seen) == ([1, 2], [2])
    finally:
        for connection in (slow, fast, reader):
            await connection.close()


class Follower:
    """Reads the log as watchers do, from the number it saw last, as fast as it can."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.seen: list[int] = []
        self.snapshots = 0

    async def follow(self, until: asyncio.Event) -> None:
        connection = await asyncpg.connect(self._url)
        try:
            is_last_round = False
            while not is_last_round:
                is_last_round = until.is_set()
                await self._look(connection)
        finally:
            await connection.close()

    async def _look(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        last = self.seen[-1] if self.seen else 0
        rows = await connection.fetch("SELECT gseq FROM events WHERE gseq > $1 ORDER BY gseq", last)
        self.seen += [row["gseq"] for row in rows]
        clock_row, newest, count = await connection.fetchrow(
            "SELECT gseq, (SELECT max(gseq) FROM events), (SELECT count(*) FROM events)"
            " FROM hub_meta"
        ) or (0, 0, 0)
        assert clock_row == newest == count
        self.snapshots += 1


async def write_at_random(store: BatchStore, jobs: Sequence[int], dice: random.Random) -> int:
    """Describe some jobs in one batch, in any order; every tenth time change one's mind."""
    some = dice.sample(jobs, dice.randint(1, 6))
    text = str(dice.random())
    batch = Batch([c.Describe(actor=ADMIN, job=job, description=text) for job in some], {}, 0)
    changes_mind = dice.random() < 0.1

    def plan(loaded: Loaded) -> Writes:
        writes = batch.plan(loaded)
        if changes_mind:
            raise Stop
        return writes

    try:
        await store.run(batch.needs, plan)
    except Stop:
        return 0
    return len(some)


@pytest.mark.parametrize(
    "seconds", [3.0, pytest.param(30.0, marks=[pytest.mark.nightly, pytest.mark.timeout(300)])]
)
async def test_eight_writers_number_densely_and_never_block_each_other(
    postgres: Callable[[], str], seconds: float
) -> None:
    url = postgres()
    dice = random.Random(13)
    async with engines(url, 8) as several:
        stores = [PostgresBatches(engine) for engine in several]
        outcomes = await Database("", stores[0]).together(*(a_job() for _ in range(12)))
        jobs = [outcome.job.pk for outcome in outcomes if isinstance(outcome, Outcome)]
        over, all_written = asyncio.Event(), asyncio.Event()
        follower = Follower(url)
        following = asyncio.create_task(follower.follow(all_written))

        async def keep_writing(store: BatchStore, dice: random.Random) -> int:
            written = 0
            while not over.is_set():
                written += await write_at_random(store, jobs, dice)
            return written

        async with asyncio.TaskGroup() as group:
            writers = [
                group.create_task(keep_writing(store, random.Random(dice.random())))
                for store in stores
            ]
            await asyncio.wait([following], timeout=seconds)
            over.set()
        all_written.set()
        await asyncio.wait_for(following, LIMIT_S)
    written = sum(writer.result() for writer in writers)
    assert written > 100 * seconds
    assert follower.snapshots > 10 * seconds
    assert follower.seen == list(range(1, written + len(jobs) + 1))
    assert await check_log(url) == []


async def race(*attempts: Awaitable[Outcome | HubError]) -> list[Outcome | HubError]:
    return await asyncio.wait_for(asyncio.gather(*attempts), LIMIT_S)


async def test_two_processes_never_give_one_node_two_running_jobs(
    postgres: Callable[[], str],
) -> None:
    url = postgres()

    async def one(store: BatchStore, command: c.Command) -> Outcome | HubError:
        return (await Database(url, store).together(command))[0]

    async with engines(url, 2) as several:
        here, there = (PostgresBatches(engine) for engine in several)
        database = Database(url, here)
        for _ in range(25):
            failed = await running_job(database)
            await database.do(c.Finish(actor=NODE_1, job=failed, error="no"))
            fresh = (await database.do(a_job())).job.pk
            # A reset gives a job back to its node without asking what else it has.
            await race(
                one(here, c.Reset(actor=NODE_1, job=failed)),
                one(there, c.Acquire(actor=NODE_1, job=fresh)),
            )
            starts = await race(
                one(here, c.Start(actor=NODE_1, job=failed)),
                one(there, c.Start(actor=NODE_1, job=fresh)),
            )
            started = [answer for answer in starts if isinstance(answer, Outcome)]
            running = [job for job in (await database.story()).jobs if job["status"] == "RUNNING"]
            assert len(running) == 1
            assert [o.job.pk for o in started if o.job.status == "RUNNING"] == [running[0]["pk"]]
            await database.do(c.Finish(actor=NODE_1, job=running[0]["pk"]))
    assert await check_log(url) == []


async def test_two_processes_never_give_one_node_two_jobs_at_once(
    postgres: Callable[[], str],
) -> None:
    url = postgres()
    async with engines(url, 2) as several:
        here, there = (Database(url, PostgresBatches(engine)) for engine in several)
        for _ in range(25):
            jobs = [(await here.do(a_job())).job.pk for _ in range(2)]
            await race(
                first_of(here.together(c.Acquire(actor=NODE_1, job=jobs[0]))),
                first_of(there.together(c.Acquire(actor=NODE_1, job=jobs[1]))),
            )
            statuses = [job["status"] for job in (await here.story()).jobs[-2:]]
            assert sorted(statuses) == ["ACQUIRED", "QUEUED"]
    assert await check_log(url) == []


async def test_the_audit_of_several_processes_is_one_chain(postgres: Callable[[], str]) -> None:
    url = postgres()

    async def note(engine: ServerEngine, number: int) -> None:
        async with engine.transaction() as transaction:
            entry = AuditEntry(1, None, None, "note", "thing", number)
            await audit.append(transaction, [entry, entry], 1)

    async with engines(url, 3) as several:
        database = Database(url, PostgresBatches(several[0]))
        await database.together(*(a_job() for _ in range(20)))
        notes = [note(engine, number) for number in range(20) for engine in several]
        deletions = [database.together(c.Destroy(actor=ADMIN, job=pk)) for pk in range(1, 21)]
        await asyncio.wait_for(asyncio.gather(*notes, *deletions), LIMIT_S)
    story = await read_story(url)
    assert len(story.audit) == 2 * 60 + 20
    assert violations(story) == []


async def test_an_audit_of_many_acts_takes_no_more_statements(
    postgres: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    fetch = ServerTransaction.fetch

    async def counted(self: ServerTransaction, sql: str, values: Sequence[Any] = ()) -> Any:
        asked.append(sql)
        return await fetch(self, sql, values)

    url = postgres()
    async with engines(url, 1) as (engine,):
        monkeypatch.setattr(ServerTransaction, "fetch", counted)
        for count in (1, 50):
            asked.clear()
            async with engine.transaction() as transaction:
                entries = [AuditEntry(1, None, "h", "note", "thing", n) for n in range(count)]
                await audit.append(transaction, entries, 7)
            assert len(asked) == 3
    story = await read_story(url)
    assert [row["object_pk"] for row in story.audit] == [0, *range(50)]
    assert {row["time_us"] for row in story.audit} == {7}


async def test_creation_goes_by_the_clock_of_the_database(postgres: Callable[[], str]) -> None:
    async with engines(postgres(), 1) as (engine,):
        hub_us = 1
        batch = Batch([a_job()], {}, hub_us)
        await PostgresBatches(engine).run(batch.needs, batch.plan)
        (outcome,) = batch.outcomes
        assert isinstance(outcome, Outcome)
        assert abs(outcome.job.created_us - clock.wall_us()) < 60 * 1_000_000


async def test_two_processes_that_grant_one_job_agree_on_the_node(
    postgres: Callable[[], str],
) -> None:
    url = postgres()
    async with engines(url, 2) as several:
        here, there = (Database(url, PostgresBatches(engine)) for engine in several)
        for _ in range(25):
            job = (await here.do(a_job())).job.pk
            answers = await race(
                first_of(here.together(c.Acquire(actor=NODE_1, job=job))),
                first_of(there.together(c.Acquire(actor=NODE_2, job=job))),
            )
            (granted,) = [answer for answer in answers if isinstance(answer, Outcome)]
            (refused,) = [answer for answer in answers if isinstance(answer, HubError)]
            assert refused.code == "job_held"
            assert granted.job.attempt == 1
    assert await check_log(url) == []


async def first_of(
    outcomes: Awaitable[list[Outcome | HubError]],
) -> Outcome | HubError:
    return (await outcomes)[0]


async def test_a_batch_that_waits_too_long_for_a_row_gives_up(
    postgres: Callable[[], str],
) -> None:
    async with engines(postgres(), 2) as (first, second):
        database = Database("", PostgresBatches(second))
        await database.do(a_job())
        async with first.transaction() as transaction:
            await transaction.fetch("SELECT pk FROM jobs FOR UPDATE")
            with pytest.raises(StorageError):
                await asyncio.wait_for(database.do(c.Cancel(actor=ADMIN, job=1)), 4)
        assert (await database.do(c.Cancel(actor=ADMIN, job=1))).job.status == "CANCELED"
