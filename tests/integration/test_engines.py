"""The connections: one writer that nobody locks out, and a pool that gives up in time."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from orm.engine import Engine, bind, make_engine
from orm.errors import DatabaseAway, NotUnique, StillReferenced, TooSlow
from orm.postgres import POOL_SIZE, ServerEngine
from orm.queries import meta
from orm.sqlite import READERS, EmbeddedEngine
from orm.tables import Hardware, JobType
from tests.integration import KINDS, migrated
from tests.servers import PrivatePostgres, require

LIMIT_S = 10.0
AT_ONCE = 100


@pytest.fixture(scope="module")
def server() -> Iterator[PrivatePostgres]:
    """A server whose database ``origin`` has the schema."""

    async def prepare(url: str) -> None:
        async with migrated(url):
            pass

    require(PrivatePostgres)
    with PrivatePostgres(durable=False) as server:
        asyncio.run(prepare(server.create_database("origin")))
        yield server


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedEngine]:
    async with migrated(f"sqlite:///{tmp_path}/hub.sqlite3") as engine:
        assert isinstance(engine, EmbeddedEngine)
        yield engine


@pytest.fixture
async def pooled(server: PrivatePostgres, tmp_path: Path) -> AsyncIterator[ServerEngine]:
    engine = make_engine(server.create_database(tmp_path.name, "origin"))
    assert isinstance(engine, ServerEngine)
    await engine.start()
    bind(engine)
    yield engine
    await engine.stop()


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest) -> Engine:
    name = "embedded" if request.param == "sqlite" else "pooled"
    found: Engine = request.getfixturevalue(name)
    return found


async def names(engine: Engine) -> list[str]:
    return [row[0] for row in await engine.fetch("SELECT name FROM job_types ORDER BY name")]


def job_type(name: str) -> JobType:
    return JobType(name=name, pkg="p", cls=f"c.{name}")


async def within(limit_s: float, work: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(work, limit_s)


# Both engines


async def test_queries_inside_a_transaction_join_it_and_those_outside_do_not_see_it(
    engine: Engine,
) -> None:
    async with engine.transaction() as transaction:
        await JobType.insert(job_type("a"))
        assert await transaction.fetch("SELECT count(*) FROM job_types") == [(1,)]
        assert await names(engine) == []
    assert await names(engine) == ["a"]


async def test_a_transaction_that_fails_takes_everything_back(engine: Engine) -> None:
    async def insert_twice() -> None:
        async with engine.transaction() as transaction:
            await JobType.insert(job_type("a"))
            await transaction.fetch("INSERT INTO job_types (name, pkg, cls) VALUES ('a', '', '')")

    with pytest.raises(NotUnique):
        await insert_twice()
    assert await names(engine) == []


async def test_a_reference_to_nothing_is_told_from_a_second_key(engine: Engine) -> None:
    sql = (
        "INSERT INTO tokens (kind, sha256, account, session, name, created_us)"
        " VALUES ('api', '', 404, '', '', 1)"
    )
    async with engine.transaction() as transaction:
        with pytest.raises(StillReferenced):
            await transaction.fetch(sql)
        await transaction.rollback()


async def test_a_transaction_can_be_taken_back_and_left(engine: Engine) -> None:
    async with engine.transaction() as transaction:
        await JobType.insert(job_type("a"))
        await transaction.rollback()
    assert await names(engine) == []
    async with engine.transaction():
        await JobType.insert(job_type("b"))
    assert await names(engine) == ["b"]


async def test_the_writing_probe_leaves_no_trace(engine: Engine) -> None:
    before = await meta.ensure(engine, 1)
    await meta.check_writable(engine)
    assert await meta.clock(engine) == before


@pytest.mark.parametrize("moment", range(12))
async def test_a_transaction_cancelled_at_any_moment_is_taken_back_and_holds_up_nobody(
    engine: Engine, moment: int
) -> None:
    async def work() -> None:
        async with engine.transaction() as transaction:
            await JobType.insert(job_type("cancelled"))
            await transaction.fetch("SELECT 1")
            await asyncio.sleep(60)

    for _ in range(POOL_SIZE + 2):  # none of the connections may get lost
        task = asyncio.create_task(work())
        for _ in range(moment):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task], timeout=LIMIT_S)
        assert task.cancelled()
    async with asyncio.timeout(LIMIT_S), engine.transaction():
        await JobType.insert(job_type("kept"))
    assert await names(engine) == ["kept"]


async def test_a_snapshot_is_one_moment_however_long_it_takes(engine: Engine) -> None:
    count = "SELECT count(*) FROM job_types"
    slow = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
    reading = asyncio.create_task(
        engine.snapshot((count, ()), (f"{slow} SELECT max(i) FROM n", ()), (count, ()))
    )
    written = 0
    while not reading.done():
        await JobType.insert(job_type(f"type {written}"))
        written += 1
    before, _, after = await reading
    assert before == after
    assert written > before[0][0] + 2


async def test_no_write_is_lost_when_many_write_at_once(engine: Engine) -> None:
    async def alone(number: int) -> None:
        await JobType.insert(job_type(f"alone {number}"))

    async def together(number: int) -> None:
        async with engine.transaction():
            await JobType.insert(job_type(f"first {number}"))
            await asyncio.sleep(0)
            await JobType.insert(job_type(f"second {number}"))

    async def read(number: int) -> None:
        firsts, seconds = await engine.snapshot(
            ("SELECT count(*) FROM job_types WHERE name LIKE ?", ("first%",)),
            ("SELECT count(*) FROM job_types WHERE name LIKE ?", ("second%",)),
        )
        assert firsts == seconds, number

    kinds: list[Callable[[int], Awaitable[None]]] = [alone, together, read]
    await within(30, asyncio.gather(*(do(n) for n in range(AT_ONCE) for do in kinds)))
    assert len(await names(engine)) == 3 * AT_ONCE


COUNTING = (
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)"
    " SELECT max(i) FROM n"
)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("orm.sqlite", "orm.postgres"):
        monkeypatch.setattr(f"{module}.SEARCH_LIMIT_S", 0.5)


@pytest.mark.usefixtures("hurried")
async def test_slow_searches_are_ended_and_only_keep_each_other_waiting(engine: Engine) -> None:
    searches = [asyncio.create_task(engine.search(COUNTING)) for _ in range(POOL_SIZE)]
    await asyncio.sleep(0)
    began_s = time.monotonic()
    for _ in range(2 * READERS):
        assert await within(LIMIT_S, names(engine)) == []
    assert time.monotonic() - began_s < 0.5
    assert not any(search.done() for search in searches)

    answers = await within(LIMIT_S, asyncio.gather(*searches, return_exceptions=True))
    assert {type(answer) for answer in answers} == {TooSlow}
    assert await within(LIMIT_S, engine.search("SELECT 1")) == [(1,)]


# SQLite


async def test_a_commit_on_sqlite_is_on_the_disk(embedded: EmbeddedEngine) -> None:
    for connection in (embedded.writer, *(embedded.reader() for _ in range(READERS))):
        assert await connection.execute("PRAGMA journal_mode") == [("wal",)]
        assert await connection.execute("PRAGMA synchronous") == [(2,)]
        assert await connection.execute("PRAGMA foreign_keys") == [(1,)]


async def test_readers_do_not_wait_for_an_open_transaction(embedded: EmbeddedEngine) -> None:
    async with embedded.transaction():
        await JobType.insert(job_type("a"))
        assert await within(1, names(embedded)) == []
        assert await within(1, embedded.snapshot(("SELECT 1", ()))) == [[(1,)]]


@pytest.mark.parametrize(
    ("text", "folded"), [("ÄÖÜ ÇÉ", "äöü çé"), ("ΣΊΓΜΑ", "σίγμα"), ("ABC", "abc"), (None, None)]
)
async def test_letters_of_all_alphabets_fold(
    embedded: EmbeddedEngine, text: str | None, folded: str | None
) -> None:
    assert await embedded.fetch("SELECT lower(?)", (text,)) == [(folded,)]


async def test_a_stopped_engine_leaves_one_file(tmp_path: Path) -> None:
    async with migrated(f"sqlite:///{tmp_path}/hub.sqlite3"):
        await JobType.insert(job_type("a"))
        assert "hub.sqlite3-wal" in os.listdir(tmp_path)
    assert os.listdir(tmp_path) == ["hub.sqlite3"]


async def test_a_second_program_that_writes_delays_us_and_does_not_fail_us(
    embedded: EmbeddedEngine, tmp_path: Path
) -> None:
    other = EmbeddedEngine(tmp_path / "hub.sqlite3")
    await other.start()
    try:
        async with other.transaction() as transaction:
            await transaction.fetch("INSERT INTO job_types (name, pkg, cls) VALUES ('b', '', '')")
            waiting = asyncio.create_task(insert_type("a"))
            done, _ = await asyncio.wait([waiting], timeout=0.2)
            assert not done
        await within(LIMIT_S, waiting)
        assert await names(embedded) == ["a", "b"]
    finally:
        await other.stop()


async def test_a_file_in_a_folder_that_is_not_there_is_away(tmp_path: Path) -> None:
    with pytest.raises(DatabaseAway):
        await EmbeddedEngine(tmp_path / "missing" / "hub.sqlite3").start()


async def insert_type(name: str) -> None:
    await JobType.insert(job_type(name))


# PostgreSQL


async def begin(engine: ServerEngine) -> None:
    async with engine.transaction() as transaction:
        await transaction.fetch("SELECT 1")


async def look(engine: ServerEngine) -> None:
    await engine.fetch("SELECT 1")


async def look_twice(engine: ServerEngine) -> None:
    await engine.snapshot(("SELECT 1", ()), ("SELECT 2", ()))


async def ask_piccolo(_: ServerEngine) -> None:
    await Hardware.select()


@asynccontextmanager
async def exhausted(engine: ServerEngine) -> AsyncIterator[None]:
    assert engine.pool is not None
    async with AsyncExitStack() as stack:
        for _ in range(POOL_SIZE):
            await stack.enter_async_context(engine.pool.acquire())
        yield


@pytest.mark.parametrize("use", [begin, look, look_twice, ask_piccolo])
async def test_a_pool_that_is_used_up_is_said_within_three_seconds(
    pooled: ServerEngine, use: Callable[[ServerEngine], Awaitable[None]]
) -> None:
    async with exhausted(pooled):
        began_s = time.monotonic()
        with pytest.raises(DatabaseAway):
            await within(6, use(pooled))
        assert time.monotonic() - began_s < 3
    await within(1, use(pooled))


async def test_the_pool_heals_from_connections_that_the_server_ended(
    pooled: ServerEngine,
) -> None:
    for _ in range(2):
        await asyncio.gather(*(begin(pooled) for _ in range(POOL_SIZE)))
        await cut_all(pooled)
        # Each dead connection may fail one caller, and is replaced.
        everybody = (begin(pooled) for _ in range(POOL_SIZE))
        answers = await within(LIMIT_S, asyncio.gather(*everybody, return_exceptions=True))
        assert {type(answer) for answer in answers} <= {type(None), DatabaseAway}
        await within(LIMIT_S, asyncio.gather(*(begin(pooled) for _ in range(POOL_SIZE))))


async def cut_all(engine: ServerEngine) -> None:
    """End every session of the database but the one that says so."""
    connection = await asyncpg.connect(engine.config["dsn"])
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()


async def test_a_transaction_whose_session_ends_gives_its_connection_back(
    pooled: ServerEngine,
) -> None:
    async def be_cut() -> None:
        async with pooled.transaction() as transaction:
            await cut_all(pooled)
            await transaction.fetch("SELECT 1")

    # All in one task: what a lost transaction leaves behind would be in the way of the next one.
    for _ in range(POOL_SIZE + 1):
        with pytest.raises(DatabaseAway):
            await be_cut()
    await within(LIMIT_S, begin(pooled))


async def test_a_session_that_ends_before_the_commit_is_no_commit(pooled: ServerEngine) -> None:
    async def be_cut() -> None:
        async with pooled.transaction():
            await insert_type("lost")
            await cut_all(pooled)

    with pytest.raises(DatabaseAway):
        await be_cut()
    await within(LIMIT_S, insert_type("kept"))
    assert await names(pooled) == ["kept"]


async def test_a_transaction_that_sleeps_is_ended_by_the_server(pooled: ServerEngine) -> None:
    (limit,) = await pooled.fetch("SHOW idle_in_transaction_session_timeout")
    assert limit == ("5s",)

    async def fall_asleep() -> None:
        async with pooled.transaction() as transaction:
            await transaction.fetch("SET LOCAL idle_in_transaction_session_timeout = 100")
            await insert_type("asleep")
            await asyncio.sleep(0.3)
            await transaction.fetch("SELECT 1")

    with pytest.raises(DatabaseAway):
        await fall_asleep()
    await within(LIMIT_S, insert_type("awake"))
    assert await names(pooled) == ["awake"]


async def test_a_server_that_is_not_there_is_away(server: PrivatePostgres) -> None:
    engine = make_engine(server.url().replace(f":{server.port}/", ":1/"))
    with pytest.raises(DatabaseAway):
        await engine.start()


async def test_a_database_that_is_not_there_is_away(server: PrivatePostgres) -> None:
    engine = make_engine(server.url().rsplit("/", 1)[0] + "/nowhere")
    with pytest.raises(DatabaseAway):
        await engine.start()


async def test_a_deadlock_is_a_reason_to_try_again(pooled: ServerEngine) -> None:
    for name in ("a", "b"):
        await insert_type(name)
    both_hold_one = asyncio.Barrier(2)

    async def change(first: str, second: str) -> None:
        async with pooled.transaction() as transaction:
            sql = "UPDATE job_types SET pkg = '' WHERE name = ?"
            await transaction.fetch(sql, (first,))
            await both_hold_one.wait()
            await transaction.fetch(sql, (second,))

    answers = await within(
        LIMIT_S, asyncio.gather(change("a", "b"), change("b", "a"), return_exceptions=True)
    )
    (error,) = [answer for answer in answers if answer is not None]
    assert isinstance(error, DatabaseAway)
    assert isinstance(error.__cause__, asyncpg.DeadlockDetectedError)


async def test_no_statement_is_compiled_for_longer_than_it_runs(pooled: ServerEngine) -> None:
    plan = await pooled.fetch("EXPLAIN ANALYZE SELECT epoch, gseq, floor FROM hub_meta")
    assert not [line for (line,) in plan if "JIT" in line]

    assert await pooled.search("SHOW jit") == [("off",)]
