"""Processes on one PostgreSQL see each other, and refuse to keep outputs in different places."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hub.outputs.place import PLACES, place_of
from orm import membership
from orm.engine import Engine, make_engine
from orm.errors import StorageError
from orm.membership import Membership, OtherPlace
from tests.integration import NewUrl, databases

HERE, THERE = 7, 8
END_ALL_OTHERS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""


@pytest.fixture(scope="module")
def new_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewUrl]:
    with databases("postgres", tmp_path_factory.mktemp("none")) as new_url:
        yield new_url


@pytest.fixture
async def engine(new_url: NewUrl, request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    engine = make_engine(new_url(request.node.name[:50]))
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "PATIENCE_S", 0.3)


@asynccontextmanager
async def announced(engine: Engine, place: int) -> AsyncIterator[Membership]:
    made = Membership(engine, place)
    async with made.announced():
        yield made


async def test_processes_of_one_place_count_each_other(engine: Engine) -> None:
    async with announced(engine, HERE) as first:
        assert first.others == 0
        async with announced(engine, HERE) as second:
            await first.look()
            assert (first.others, second.others) == (1, 1)
        async with asyncio.timeout(5):
            while first.others:
                await first.look()


async def test_a_process_of_another_place_is_refused_until_the_first_is_gone(
    engine: Engine,
) -> None:
    async with announced(engine, HERE):
        with pytest.raises(OtherPlace):
            async with announced(engine, THERE):
                pass
    async with announced(engine, THERE):
        pass


async def test_one_that_lost_its_session_is_seen_again(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    async with announced(engine, HERE) as first:
        await engine.fetch(END_ALL_OTHERS)
        async with asyncio.timeout(5):
            while True:
                try:
                    await first.look()
                    break
                except StorageError:  # until it is known that the session is gone
                    await asyncio.sleep(0.01)
        with pytest.raises(OtherPlace):
            async with announced(engine, THERE):
                pass
        assert caplog.text == ""


async def test_places_that_came_to_differ_are_told(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    async with announced(engine, HERE) as first, announced(engine, HERE) as second:
        second._place = THERE
        assert second._session is not None
        second._session.terminate()
        await second.look()
        await first.look()
    assert caplog.text.count("outputs of another process are elsewhere") >= 1


async def test_an_embedded_database_has_no_others(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'hub.sqlite3'}")
    async with announced(engine, HERE) as alone:
        await alone.look()
        assert alone.others == 0


def test_a_folder_is_known_by_what_is_in_it_and_not_by_its_path(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    (tmp_path / "link").symlink_to(one)
    assert place_of(one) == place_of(one) == place_of(tmp_path / "link")
    assert place_of(one) != place_of(other)
    assert 0 <= place_of(one) < PLACES
