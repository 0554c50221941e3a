import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from tests import private_server
from tests.servers import (
    REQUIRE_VARIABLE,
    PrivatePostgres,
    PrivateRedis,
    PrivateServer,
    ServerFailed,
    require,
)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgres]:
    require(PrivatePostgres)
    with PrivatePostgres() as server:
        yield server


@pytest.fixture
def redis() -> Iterator[PrivateRedis]:
    require(PrivateRedis)
    with PrivateRedis() as server:
        yield server


async def ask(url: str, *statements: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return [await connection.fetchval(statement) for statement in statements][-1]
    finally:
        await connection.close()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def has_open_files(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    # A zombie forbids the look to all but root; it holds nothing any more.
    except (FileNotFoundError, PermissionError):
        return False


async def test_postgres_answers_on_this_machine_only(postgres: PrivatePostgres) -> None:
    url = postgres.create_database("greeting")

    assert await ask(url, "SELECT current_database()") == "greeting"
    assert await ask(url, "SHOW listen_addresses") == "127.0.0.1"


async def test_a_database_made_from_a_template_has_its_tables(postgres: PrivatePostgres) -> None:
    pattern = postgres.create_database("pattern")
    await ask(pattern, "CREATE TABLE job (id int)", "INSERT INTO job VALUES (7)")

    copy = postgres.create_database("copy", template="pattern")

    assert await ask(copy, "SELECT id FROM job") == 7


async def test_a_dropped_database_takes_its_connections_along(postgres: PrivatePostgres) -> None:
    connection = await asyncpg.connect(postgres.create_database("crowded"))

    postgres.drop_database("crowded")

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await connection.fetchval("SELECT 1")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(postgres.url("crowded"))


def test_a_refused_statement_is_an_error(postgres: PrivatePostgres) -> None:
    with pytest.raises(ServerFailed, match="already exists"):
        postgres.create_database("postgres")


async def test_a_committed_row_survives_a_crash(postgres: PrivatePostgres) -> None:
    url = postgres.create_database("durable")
    await ask(url, "CREATE TABLE job (id int)", "INSERT INTO job VALUES (7)")
    crashed = postgres.pid

    postgres.kill9()
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await asyncpg.connect(url)
    postgres.restart()

    assert postgres.pid != crashed
    assert await ask(url, "SELECT id FROM job") == 7


@pytest.mark.parametrize(("durable", "fsync"), [(True, "on"), (False, "off")])
async def test_only_a_hasty_postgres_does_not_wait_for_the_disk(durable: bool, fsync: str) -> None:
    require(PrivatePostgres)

    with PrivatePostgres(durable=durable) as server:
        assert await ask(server.url(), "SHOW fsync") == fsync


def test_postgres_leaves_neither_process_nor_folder() -> None:
    require(PrivatePostgres)
    with PrivatePostgres(durable=False) as server:
        pid, folder = server.pid, server.folder
        assert is_running(pid)
        assert folder.is_dir()

    assert not is_running(pid)
    assert not folder.exists()


async def test_redis_answers(redis: PrivateRedis) -> None:
    async with Redis.from_url(redis.url) as client:
        await client.set("job", "7")
        assert await client.get("job") == b"7"


async def test_redis_keeps_nothing_over_a_restart(redis: PrivateRedis) -> None:
    url, crashed = redis.url, redis.pid
    async with Redis.from_url(url) as client:
        await client.set("job", "7")

    redis.kill9()
    redis.restart()

    assert redis.pid != crashed
    async with Redis.from_url(url) as client:
        assert await client.get("job") is None


def test_redis_leaves_neither_process_nor_folder() -> None:
    require(PrivateRedis)
    with PrivateRedis() as server:
        pid, folder = server.pid, server.folder
        assert is_running(pid)
        assert folder.is_dir()

    assert not is_running(pid)
    assert not folder.exists()


@pytest.mark.parametrize("kind", [PrivatePostgres, PrivateRedis])
def test_a_port_that_was_taken_meanwhile_is_given_up(
    kind: type[PrivateServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    require(kind)
    with socket.create_server((private_server.HOST, 0)) as stranger:
        taken = stranger.getsockname()[1]
        ports = iter([taken, private_server.free_port()])
        monkeypatch.setattr(private_server, "free_port", lambda: next(ports))

        with kind() as server:
            assert server.port != taken


def test_of_a_crashed_postgres_no_orphan_holds_a_file(postgres: PrivatePostgres) -> None:
    children = Path(f"/proc/{postgres.pid}/task/{postgres.pid}/children")
    if not children.exists():
        pytest.skip("only Linux lists the children of a process")
    family = [Path(f"/proc/{child}/fd") for child in children.read_text().split()]
    assert all(has_open_files(folder) for folder in family)

    postgres.kill9()

    assert not any(has_open_files(folder) for folder in family)
    postgres.restart()


def test_a_server_that_cannot_start_says_why_and_leaves_no_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Broken(PrivateRedis):
        def _command(self) -> list[str]:
            return ["/bin/sh", "-c", "echo out of cheese; exit 1"]

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    with pytest.raises(ServerFailed, match=r"Redis did not start: (?s:.*)out of cheese"), Broken():
        pass

    assert list(tmp_path.iterdir()) == []


class Absent(PrivateRedis):
    find = staticmethod(lambda: None)


def test_a_server_without_a_binary_leaves_no_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Lost(PrivateRedis):
        def _command(self) -> list[str]:
            return [str(tmp_path / "no-such-binary")]

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    with pytest.raises(FileNotFoundError), Lost():
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_missing_server_skips_the_test_and_names_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(REQUIRE_VARIABLE, raising=False)

    with pytest.raises(
        pytest.skip.Exception, match="Redis is not installed: apt-get install redis-server"
    ):
        require(Absent)


def test_a_missing_server_fails_the_test_where_servers_are_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(REQUIRE_VARIABLE, "1")

    with pytest.raises(pytest.fail.Exception, match="Redis is not installed"):
        require(Absent)
