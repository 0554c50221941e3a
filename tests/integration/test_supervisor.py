"""The supervisor with workers that are little programs: they crash, hang and obey on demand."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hub.cli import supervisor
from hub.cli.supervisor import Supervisor, WorkersFailed
from hub.settings import Settings

LIMIT_S = 20.0

BEGIN = """
import json, os, signal, sys
order = json.loads(sys.stdin.readline())
folder = order["settings"]["data"]
number = order["number"]
open(f"{folder}/{number}-{os.getpid()}", "w").close()
"""
READY = "os.write(1, b'ready\\n')\n"
OBEY = "sys.stdin.read()\n"
IGNORE = "signal.pause()\n"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


class Crew:
    """A supervisor and what became of its workers."""

    def __init__(self, folder: Path, listener: socket.socket, workers: int, stop_s: int) -> None:
        self.settings = Settings(data=str(folder), workers=workers, stop_s=stop_s)
        self.started = asyncio.Event()
        self.running = asyncio.create_task(
            Supervisor(self.settings, listener, self.started.set).run()
        )

    def pids(self, number: int) -> list[int]:
        """Return the ids of all processes that ever were worker ``number``."""
        found = Path(self.settings.data).glob(f"{number}-*")
        return [int(path.name.partition("-")[2]) for path in found]

    async def until_there_were(self, count: int, number: int) -> list[int]:
        async with asyncio.timeout(LIMIT_S):
            while len(pids := self.pids(number)) < count:  # noqa: ASYNC110  # processes call nobody
                await asyncio.sleep(0.02)
        return pids

    def all_gone(self) -> bool:
        every = range(1, self.settings.workers + 1)
        return not any(lives(pid) for n in every for pid in self.pids(n))


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@asynccontextmanager
async def crew(
    folder: Path, listener: socket.socket, workers: int = 2, stop_s: int = 1
) -> AsyncIterator[Crew]:
    made = Crew(folder, listener, workers, stop_s)
    try:
        yield made
    finally:
        made.running.cancel()
        await asyncio.gather(made.running, return_exceptions=True)
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(name)


def be(monkeypatch: pytest.MonkeyPatch, *program: str) -> None:
    monkeypatch.setattr(supervisor, "PROGRAM", BEGIN + "".join(program))


async def test_all_are_told_what_to_do_and_started_is_said_once_all_serve(
    tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    be(monkeypatch, "while number == 2 and not os.path.exists(f'{folder}/go'): pass\n", READY, OBEY)
    async with crew(tmp_path, listener) as on:
        for number in (1, 2):
            await on.until_there_were(1, number)
        await asyncio.sleep(0.1)
        assert not on.started.is_set()
        (tmp_path / "go").touch()
        await asyncio.wait_for(on.started.wait(), LIMIT_S)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(on.running, LIMIT_S)
        assert on.all_gone()
        assert [len(on.pids(number)) for number in (1, 2)] == [1, 1]


async def test_a_worker_that_dies_is_replaced_and_its_siblings_stay(
    tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    be(monkeypatch, READY, OBEY)
    async with crew(tmp_path, listener) as on:
        await asyncio.wait_for(on.started.wait(), LIMIT_S)
        for count in range(1, 5):
            pids = await on.until_there_were(count, 1)
            os.kill(next(filter(lives, pids)), signal.SIGKILL)
        await on.until_there_were(5, 1)
        assert len(on.pids(2)) == 1
        assert not on.running.done()


async def test_workers_that_never_serve_end_the_start_with_their_reason(
    tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    be(monkeypatch, "if number == 2: sys.exit(print('no luck today') or 3)\n", READY, OBEY)
    async with crew(tmp_path, listener) as on:
        with pytest.raises(WorkersFailed, match="worker 2 ends before it serves: no luck today"):
            await asyncio.wait_for(on.running, LIMIT_S)
        assert on.all_gone()
        assert len(on.pids(2)) == supervisor.START_TRIES
        assert not on.started.is_set()


async def test_workers_that_hang_at_the_start_end_it(
    tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "START_LIMIT_S", 1.0)
    be(monkeypatch, "if number == 2: signal.pause()\n", READY, OBEY)
    async with crew(tmp_path, listener) as on:
        with pytest.raises(WorkersFailed, match=r"workers \[2\] do not serve after 1 s"):
            await asyncio.wait_for(on.running, LIMIT_S)
        assert on.all_gone()


async def test_a_worker_that_does_not_end_is_killed_in_the_end(
    tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "OVERTIME_S", 0.2)
    be(monkeypatch, READY, IGNORE)
    async with crew(tmp_path, listener, stop_s=1) as on:
        await asyncio.wait_for(on.started.wait(), LIMIT_S)
        began_s = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(on.running, LIMIT_S)
        assert 1.0 < time.monotonic() - began_s < 3.0
        assert on.all_gone()


async def test_a_second_signal_ends_all_at_once(
    tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    be(monkeypatch, READY, IGNORE)
    async with crew(tmp_path, listener, stop_s=60) as on:
        await asyncio.wait_for(on.started.wait(), LIMIT_S)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.1)
        await asyncio.wait_for(on.running, 2.0)
        assert on.all_gone()


async def test_a_worker_whose_loop_is_stuck_is_replaced(
    tmp_path: Path,
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(supervisor, "SILENCE_S", 0.5)
    beat = "import time\nwhile number == 2: time.sleep(0.1); os.write(1, b'alive\\n')\n"
    be(monkeypatch, READY, beat, IGNORE)
    async with crew(tmp_path, listener) as on:
        await asyncio.wait_for(on.started.wait(), LIMIT_S)
        await on.until_there_were(2, 1)
        assert len(on.pids(2)) == 1
        assert "worker stuck" in caplog.text
