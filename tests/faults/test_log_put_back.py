"""A log that lost its newest events, or its oldest: no cursor leads astray."""

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.bench.world import running_jobs
from tests.conformance.foreign import Json, good, problem
from tests.conformance.hub_process import PROJECT
from tests.faults.stage import Stage, Victim

LIMIT_S = 10.0


class Saved:
    """One folder and one database, and how to put the database back.

    A hub started here again has the same folder, on both kinds of database.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.folder = stage.data
        self._copy = stage.data / "copy.sqlite3"
        self._hubs: list[Victim] = []

    def start(self) -> Victim:
        hub = Victim(self.folder, self.stage.settings)
        self._hubs.append(hub)
        hub.wait_until_ready()
        return hub

    @property
    def marks(self) -> dict[str, int]:
        file = self.folder / "log-marks.json"
        marks: dict[str, int] = json.loads(file.read_bytes()) if file.exists() else {}
        return marks

    def wait_for_mark(self, cursor: str) -> None:
        """Wait until it is stored that the log was seen up to ``cursor``."""
        _, epoch, number = cursor.split(":")
        deadline = time.monotonic() + LIMIT_S
        while self.marks.get(epoch, -1) < int(number):
            assert time.monotonic() < deadline, self.marks
            time.sleep(0.05)

    async def copy(self) -> None:
        """Copy the database, which no hub has open."""
        if self.stage.is_embedded:
            shutil.copy(self._file, self._copy)
        else:
            await self._on_server("copy", "original")

    async def put_back(self) -> None:
        """Put the copy in the place of the database."""
        if self.stage.is_embedded:
            for rest in ("-wal", "-shm"):
                self._file.with_name(self._file.name + rest).unlink(missing_ok=True)
            shutil.copy(self._copy, self._file)
        else:
            await self._on_server("original", "copy")

    @property
    def _file(self) -> Path:
        return Path(self.stage.database_url.removeprefix("sqlite:///"))

    async def _on_server(self, made: str, of: str) -> None:
        url = self.stage.database_url
        base, _, name = url.rpartition("/")
        name, _, options = name.partition("?")
        names = {"original": name, "copy": f"{name}_copy"}
        server = await asyncpg.connect(
            f"{base}/postgres?{options}" if options else f"{base}/postgres"
        )
        try:
            await server.execute(f'DROP DATABASE IF EXISTS "{names[made]}" WITH (FORCE)')
            await server.execute(f'CREATE DATABASE "{names[made]}" TEMPLATE "{names[of]}"')
        finally:
            await server.close()

    async def ask(self, sql: str) -> list[tuple[object, ...]]:
        """Run a statement beside the hub, and return its rows."""
        if self.stage.is_embedded:
            with sqlite3.connect(self._file, timeout=LIMIT_S) as raw:
                rows = raw.execute(sql).fetchall()
            raw.close()
            return rows
        server = await asyncpg.connect(self.stage.database_url)
        try:
            return [tuple(row) for row in await server.fetch(sql)]
        finally:
            await server.close()

    def rotate(self) -> "subprocess.CompletedProcess[str]":
        """Run ``hub epoch rotate``."""
        database = [] if self.stage.is_embedded else ["--database-url", self.stage.database_url]
        return subprocess.run(
            [sys.executable, "-m", "hub", "epoch", "rotate", "--data", str(self.folder), *database],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=LIMIT_S * 2,
            check=False,
        )

    def clear(self) -> None:
        for hub in self._hubs:
            hub.kill()


@pytest.fixture
def saved(stage: Stage) -> Iterator[Saved]:
    made = Saved(stage)
    yield made
    made.clear()


def watched(hub: Victim, token: str | None, job: int, cursor: str) -> list[Json]:
    """Return what a watcher who comes with ``cursor`` is told before it is quiet."""
    told = []
    with connect(
        f"{hub.socket_url}/v1/jobs/{job}?cursor={cursor}",
        additional_headers={"Authorization": f"Bearer {token}"},
        proxy=None,
    ) as connection:
        try:
            while True:
                told.append(json.loads(connection.recv(timeout=0.5)))
        except TimeoutError:
            return told


def is_gone(hub: Victim, token: str | None, job: int, cursor: str) -> bool:
    """Say whether a cursor is refused, by the socket and by the pages of the log alike."""
    with hub.client(token or "") as http:
        page = http.get(f"/v1/jobs/{job}/events", params={"after": cursor})
        of_all = http.get("/v1/events", params={"after": cursor})
    refusal = refused(hub, token, job, cursor)
    if refusal is None:
        good(page)
        good(of_all)
        return False
    assert refusal == (410, "cursor_gone")
    problem(page, *refusal)
    problem(of_all, *refusal)
    return True


def refused(hub: Victim, token: str | None, job: int, cursor: str) -> tuple[int, str] | None:
    """Return status and code with which the socket refuses a cursor, ``None`` if it does not."""
    try:
        watched(hub, token, job, cursor)
    except InvalidStatus as refusal:
        return refusal.response.status_code, json.loads(refusal.response.body)["code"]
    return None


class Run:
    """A job that a node of the only account runs, at one hub after the other."""

    def __init__(self, token: str, node: int, job: int) -> None:
        self.token = token
        self.job = job
        self._node = node

    def report(self, hub: Victim, count: int) -> list[str]:
        """Report so often, and return the cursor of each answer."""
        path = f"/v1/jobs/{self.job}/progress/0.5"
        with hub.client(self.token, self._node) as http:
            answers = [http.post(path, json={"step": step}) for step in range(count)]
        for answer in answers:
            good(answer)
        return [answer.headers["x-hub-cursor"] for answer in answers]

    def is_gone(self, hub: Victim, cursor: str) -> bool:
        """Say whether a cursor is refused, by the socket and by the pages of the log alike."""
        return is_gone(hub, self.token, self.job, cursor)


async def run_at(saved: Saved, hub: Victim) -> Run:
    """Make a job that runs at a new hub."""
    world = await saved.stage.world(hub, 1)
    (job,) = await running_jobs(hub.listens_at, world)
    return Run(world.token, world.nodes[0], job)


ROTATIONS = "SELECT actor, session, before FROM audit WHERE action = 'log.rotate_epoch'"


def epoch_of(cursor: str) -> str:
    return cursor.split(":")[1]


def number_of(cursor: str) -> int:
    return int(cursor.split(":")[2])


# --- The newest events are gone -------------------------------------------------------------------


async def test_a_database_that_was_put_back_makes_every_cursor_void(saved: Saved) -> None:
    hub = saved.start()
    run = await run_at(saved, hub)
    (old,) = run.report(hub, 1)
    assert hub.stop() == 0
    assert saved.marks == {epoch_of(old): number_of(old)}
    await saved.copy()
    hub = saved.start()
    shown = run.report(hub, 5)[-1]
    assert not run.is_gone(hub, shown)
    saved.wait_for_mark(shown)
    hub.kill()
    await saved.put_back()

    hub = saved.start()

    now = run.report(hub, 9)[-1]
    # The number of what was shown is that of another event by now.
    assert number_of(now) > number_of(shown)
    assert epoch_of(now) != epoch_of(shown)
    assert [run.is_gone(hub, cursor) for cursor in (old, shown, now)] == [True, True, False]
    assert "the log went back" in hub.last_words()
    assert await saved.ask(ROTATIONS) == [(None, None, epoch_of(shown))]
    assert await saved.stage.faults() == []


async def test_a_hub_that_was_killed_keeps_its_epoch(saved: Saved) -> None:
    hub = saved.start()
    run = await run_at(saved, hub)
    (cursor,) = run.report(hub, 1)
    saved.wait_for_mark(cursor)
    hub.kill()

    hub = saved.start()

    assert not run.is_gone(hub, cursor)


async def test_a_folder_whose_marks_are_damaged_costs_the_cursors_only(saved: Saved) -> None:
    hub = saved.start()
    run = await run_at(saved, hub)
    (cursor,) = run.report(hub, 1)
    assert hub.stop() == 0
    (saved.folder / "log-marks.json").write_bytes(b"\0" * 64)

    hub = saved.start()

    assert run.is_gone(hub, cursor)
    assert hub.stop() == 0
    assert saved.start().stop() == 0
    assert len(await saved.ask(ROTATIONS)) == 1


async def test_a_log_that_goes_back_under_a_running_hub_ends_it(saved: Saved) -> None:
    hub = saved.start()
    run = await run_at(saved, hub)
    (cursor,) = run.report(hub, 1)
    saved.wait_for_mark(cursor)
    with watching(hub, run.token, run.job) as next_message:
        await saved.ask("UPDATE hub_meta SET gseq = gseq - 1")
        assert close_code(next_message) == 1012
    assert hub.exit_code() == 1
    assert "the log was replaced" in hub.last_words()

    await saved.ask("UPDATE hub_meta SET gseq = gseq + 1")
    assert run.is_gone(saved.start(), cursor)


@contextmanager
def watching(hub: Victim, token: str | None, job: int) -> Iterator[Callable[[], object]]:
    """A watcher; called, it waits for the next message."""
    with connect(
        f"{hub.socket_url}/v1/jobs/{job}",
        additional_headers={"Authorization": f"Bearer {token}"},
        proxy=None,
    ) as connection:
        yield lambda: connection.recv(timeout=LIMIT_S)


def close_code(next_message: Callable[[], object]) -> int | None:
    """Read to the end, and return the code with which the hub closed."""
    try:
        while True:
            next_message()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


# --- hub epoch rotate -----------------------------------------------------------------------------


async def test_the_operator_makes_every_cursor_void(saved: Saved) -> None:
    hub = saved.start()
    run = await run_at(saved, hub)
    (cursor,) = run.report(hub, 1)
    assert hub.stop() == 0

    done = saved.rotate()

    assert done.returncode == 0, done.stderr
    assert f"the epoch was {epoch_of(cursor)}" in done.stdout
    assert run.is_gone(saved.start(), cursor)
    assert await saved.ask(ROTATIONS) == [(None, "cli", epoch_of(cursor))]
    assert await saved.stage.faults() == []


async def test_a_running_hub_is_not_left_with_the_old_epoch(saved: Saved) -> None:
    hub = saved.start()
    run = await run_at(saved, hub)
    (cursor,) = run.report(hub, 1)

    done = saved.rotate()

    if saved.stage.is_embedded:
        assert done.returncode == 1
        assert "is in use by another hub" in done.stderr
        assert not run.is_gone(hub, cursor)
        return
    assert done.returncode == 0, done.stderr
    assert hub.exit_code() == 1
    assert run.is_gone(saved.start(), cursor)


def test_there_is_nothing_to_rotate_without_a_database(tmp_path: Path) -> None:
    done = Saved(Stage(tmp_path / "none")).rotate()

    assert done.returncode == 1
    assert "there is no database" in done.stderr
    assert not (tmp_path / "none").exists()


# --- The oldest events are gone -------------------------------------------------------------------


async def test_a_cursor_is_good_from_the_floor_of_the_log_on(saved: Saved) -> None:
    hub = saved.start()
    run = await run_at(saved, hub)
    cursors = run.report(hub, 6)
    floor = number_of(cursors[2])
    # What retention does, in one transaction.
    await saved.ask(f"DELETE FROM events WHERE gseq <= {floor}")
    await saved.ask(f"UPDATE hub_meta SET floor = {floor}")

    assert [run.is_gone(hub, cursor) for cursor in cursors] == [
        *(True, True, False, False, False, False)
    ]
    for number in (2, 3, 4, 5):
        told = watched(hub, run.token, run.job, cursors[number])
        assert [one["transition_data"]["step"] for one in told] == list(range(number + 1, 6))
    head = number_of(cursors[-1])
    assert run.is_gone(hub, f"v1:{epoch_of(cursors[-1])}:{head + 1}")
    with hub.client(run.token) as http:
        kept = good(http.get("/v1/events"))["items"]
    assert [one["g"] for one in kept] == list(range(floor + 1, head + 1))
