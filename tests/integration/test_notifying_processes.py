"""Several hubs on one PostgreSQL: one of them tells, and another one takes over."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from channels.events import Event
from channels.feed import Feed
from hub import clock
from hub.lifecycle.log import CommittedLog
from hub.notify.follower import Follower
from orm import leadership
from orm.engine import Engine, make_engine
from orm.leadership import Duty
from orm.queries import meta
from orm.queries.meta import Told
from tests.integration import NewUrl, databases, migrated

LIMIT_S = 20.0
PAGE = 10
EVENT = (
    "INSERT INTO events (gseq, job, seq, tseq, kind, type, time_us, attempt, progress, n, data) "
    "VALUES (?, 1, ?, 1, 't', 'start', 0, 1, 0, 1, '{}')"
)
END_THE_SESSION_ON_DUTY = """
SELECT pg_terminate_backend(l.pid) FROM pg_locks l
WHERE l.locktype = 'advisory' AND l.granted AND l.objid = ? AND l.classid = ?"""


@pytest.fixture(scope="module")
def new_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewUrl]:
    with databases("postgres", tmp_path_factory.mktemp("none")) as new_url:
        yield new_url


@pytest.fixture
async def database(new_url: NewUrl, request: pytest.FixtureRequest) -> str:
    """The address of a database of a hub that has been started once."""
    url = new_url(request.node.name)
    async with migrated(url) as engine:
        await meta.ensure(engine, clock.wall_us())
    return url


@pytest.fixture
async def engine(database: str) -> AsyncIterator[Engine]:
    engine = make_engine(database)
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for the duty more often."""
    monkeypatch.setattr(leadership, "ASK_AGAIN_S", 0.05)


class Process:
    """What one hub would do: it follows the log, and writes down what it told."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = make_engine(url)
        self.told: list[int] = []
        self._feed = Feed(CommittedLog(self.engine), poll_s=0.05)
        self._has_told = asyncio.Event()
        self.follower = Follower(
            self.engine, self._feed, Duty.PRINTS, [Told.PRINTED], self._tell, page=PAGE
        )

    async def _tell(self, events: Sequence[Event]) -> None:
        self.told += [event.gseq for event in events]
        self._has_told.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Process"]:
        """Follow the log; leaving the block is a crash: nothing is stored any more."""
        await self.engine.start()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.engine.stop)
            await stack.enter_async_context(self._feed.running())
            following = asyncio.create_task(self.follower.run())
            yield self
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def has(self, gseq: int) -> None:
        """Wait until it told event ``gseq``."""
        async with asyncio.timeout(LIMIT_S):
            while gseq not in self.told:
                self._has_told.clear()
                await self._has_told.wait()


async def happen(engine: Engine, count: int) -> int:
    """Commit some events, and return the number of the newest."""
    async with engine.transaction() as transaction:
        ((head,),) = await transaction.fetch(
            "UPDATE hub_meta SET gseq = gseq + ? WHERE pk = 1 RETURNING gseq", (count,)
        )
        for gseq in range(head - count + 1, head + 1):
            await transaction.fetch(EVENT, (gseq, gseq))
    return int(head)


async def test_one_tells_and_another_goes_on_where_it_is_known_to_have_been(
    database: str, engine: Engine
) -> None:
    first, second = Process(database), Process(database)
    async with AsyncExitStack() as stack:
        async with first.running():
            await first.has(await happen(engine, 2 * PAGE + 1))
            await stack.enter_async_context(second.running())
            known = await happen(engine, PAGE)
            await first.has(known)
            await first.follower.keep()
            unknown = await happen(engine, 3)
            await first.has(unknown)
            assert second.told == []
        last = await happen(engine, 2)
        await second.has(last)

    assert first.told == list(range(1, unknown + 1))
    assert second.told == list(range(known + 1, last + 1))


async def test_one_that_lost_its_session_leaves_the_next_page_to_another(
    database: str, engine: Engine
) -> None:
    first, second = Process(database), Process(database)
    async with first.running():
        await first.has(await happen(engine, PAGE))
        await first.follower.keep()
        async with second.running():
            key = int(Duty.PRINTS)
            ended = await engine.fetch(END_THE_SESSION_ON_DUTY, (key & 0xFFFFFFFF, key >> 32))
            assert ended == [(True,)]
            last = await happen(engine, PAGE)
            await second.has(last)

    assert first.told == list(range(1, PAGE + 1))
    assert second.told == list(range(PAGE + 1, last + 1))


async def test_a_place_never_goes_back(engine: Engine) -> None:
    for gseq in (5, 3):
        await meta.set_told(engine, list(Told), gseq)
    assert [await meta.told(engine, way) for way in Told] == [5, 5]
