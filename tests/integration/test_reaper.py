"""The look at silent nodes on real databases; time passes by moving what is stored back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hub import clock
from hub.app import Hub
from hub.lifecycle import commands as c
from hub.settings import load
from hub.upkeep import reaper
from hub.upkeep.contacts import Contacts
from hub.upkeep.reaper import GRACE_US, Reaper
from hub.upkeep.ticker import Chore
from orm.errors import DatabaseAway
from orm.queries import jobs, leases, nodes
from orm.queries.leases import Shift
from orm.rows import JobRow
from tests.folding import check_log
from tests.integration import NODE, TEMPLATE, insert
from tests.integration.conftest import Caller, as_node, running_hub
from tests.unit.batch_world import a_job, worker

S = 1_000_000
LOST_S, DOUBT_S = 3_600, 300
HOLDER = c.Actor(account=2, node=1, session="uma")
FREE_JOBS = {"expressions": [{"type": "isnull", "field": "node"}]}


class World:
    """A hub whose chores wait to be told, and its view of time."""

    def __init__(self, hub: Hub, caller: Caller) -> None:
        self.hub = hub
        self.caller = caller
        self.reaper = self.another_reaper()

    def another_reaper(self) -> Reaper:
        """Return what another process, or this one after a restart, looks with."""
        hub = self.hub
        contacts = Contacts(hub.engine, hub.owners, hub.ledger)
        return Reaper(hub.engine, contacts, hub.ledger, hub.owners)

    async def acquired(self, node: int = 1) -> int:
        ledger = self.hub.ledger
        job = (await ledger.execute(a_job())).job.pk
        await ledger.execute(c.Acquire(actor=replace(HOLDER, node=node), job=job))
        return job

    async def running(self, node: int = 1) -> int:
        job = await self.acquired(node)
        await self.hub.ledger.execute(c.Start(actor=replace(HOLDER, node=node), job=job))
        return job

    async def report(self, job: int, node: int = 1) -> None:
        actor = replace(HOLDER, node=node)
        await self.hub.ledger.execute(c.Progress(actor=actor, job=job, value=0.5, body="{}"))

    async def row(self, job: int) -> JobRow:
        row = await jobs.brief(self.hub.engine, job)
        assert row is not None
        return row

    async def story(self, job: int) -> list[str]:
        sql = "SELECT type FROM events WHERE job = ? ORDER BY gseq"
        return [kind for (kind,) in await self.hub.engine.fetch(sql, (job,))]

    # Time

    async def ask(self, sql: str, *values: object) -> None:
        async with self.hub.engine.transaction() as transaction:
            await transaction.fetch(sql, values)

    async def rewind(self, seconds: float) -> None:
        """Move all that is stored so far into the past."""
        back_us = round(seconds * S)
        held = "WHERE lease_expires_us IS NOT NULL"
        for name in ("lease_expires_us", "last_contact_us", "suspect_us", "start_us"):
            await self.ask(f"UPDATE jobs SET {name} = {name} - ? {held}", back_us)
        await self.ask("UPDATE nodes SET last_seen_us = last_seen_us - ?", back_us)
        await self.ask("UPDATE hub_meta SET swept_us = swept_us - ?", back_us)

    async def unseen(self, seconds: float, *, jump_s: float = 0.0) -> None:
        """Let time pass in which this process did nothing; the clock may be set in it, too."""
        await self.rewind(seconds + jump_s)
        last = self.reaper._last
        assert last is not None
        look = replace(last.look, now_us=last.look.now_us - round((seconds + jump_s) * S))
        self.reaper._last = replace(last, look=look, steady_s=last.steady_s - seconds)

    async def pass_by(self, seconds: float) -> None:
        """Let time pass in which the hub looked as often as it does."""
        await self.rewind(seconds)
        look = await leases.last_look(self.hub.engine, clock.wall_us())
        await self.ask("UPDATE hub_meta SET swept_us = ?", look.now_us - 2 * S)
        now = await self.reaper._moment()
        before = replace(now.look, now_us=now.look.now_us - 2 * S)
        self.reaper._last = replace(now, look=before, steady_s=now.steady_s - 2)

    async def left_s(self, job: int) -> float:
        """Return how much of a job's lease is left."""
        look = await leases.last_look(self.hub.engine, clock.wall_us())
        expires_us = (await self.row(job)).lease_expires_us
        assert expires_us is not None
        return (expires_us - look.now_us) / S


async def put_off(_: Chore) -> None:
    """Do nothing by itself: what time brings is up to the test."""


@pytest.fixture
async def world(
    fresh_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    monkeypatch.setattr("hub.app.tick", put_off)
    async with running_hub(load({}, data=str(tmp_path), database_url=fresh_url)) as client:
        hub = client.hub
        await insert(hub.engine, "job_templates", TEMPLATE, {"name": "work"})
        mine = NODE | {"owner": 2}
        await insert(hub.engine, "nodes", mine, *({"ip": "::1", "index": n} for n in range(5)))
        made = World(hub, client.user)
        await made.reaper.sweep()
        yield made
    assert await check_log(fresh_url) == []


# --- A node that dies -----------------------------------------------------------------------------


async def test_the_job_of_a_dead_node_waits_again_after_an_hour(world: World) -> None:
    job = await world.running()
    await world.report(job)
    await world.pass_by(DOUBT_S - 10)
    assert await world.reaper.sweep() == 0
    await world.pass_by(10)
    assert await world.reaper.sweep() == 1
    assert ((await world.row(job)).status, (await world.story(job))[-1]) == ("RUNNING", "suspect")
    await world.pass_by(LOST_S - DOUBT_S - 10)
    assert await world.reaper.sweep() == 0
    await world.pass_by(10)
    await world.reaper.sweep()
    row = await world.row(job)
    assert (row.status, row.node, row.tries) == ("QUEUED", None, 1)
    assert (await world.story(job))[-2:] == ["suspect", "lost"]


async def test_it_can_come_back_until_somebody_else_took_the_job(world: World) -> None:
    job = await world.running()
    await world.report(job)
    for seconds in (DOUBT_S, LOST_S):
        await world.pass_by(seconds)
        await world.reaper.sweep()
    await world.report(job)
    row = await world.row(job)
    assert (row.status, row.node, row.progress) == ("RUNNING", 1, 0.5)
    assert (await world.story(job))[-3:] == ["lost", "revived", "progress"]
    assert 0 < DOUBT_S - await world.left_s(job) < 20


async def test_a_run_that_takes_too_long_ends(world: World) -> None:
    job = await world.running()
    look = await leases.last_look(world.hub.engine, clock.wall_us())
    await world.ask("UPDATE jobs SET deadline_us = ? WHERE pk = ?", look.now_us - 1, job)
    await world.pass_by(2)
    assert await world.reaper.sweep() == 1
    assert (await world.row(job)).error_name == "timeout"


# --- A node that lives ----------------------------------------------------------------------------


async def test_any_call_of_a_node_keeps_its_job(world: World) -> None:
    job = await world.running()
    for _ in range(3):
        await world.pass_by(DOUBT_S - 1)
        world.hub.owners.contacts.heard(1)
        await world.reaper.sweep()
    assert (await world.story(job))[-1] == "start"
    assert await world.left_s(job) > 0


async def test_an_extended_lease_is_not_looked_at_again_until_it_runs_out(world: World) -> None:
    job = await world.running()
    await world.pass_by(DOUBT_S)
    world.hub.owners.contacts.heard(1)
    assert await world.reaper.sweep() == 1
    assert DOUBT_S - await world.left_s(job) < 20
    await world.pass_by(2)
    assert await world.reaper.sweep() == 0


async def test_leases_that_are_extended_make_room_for_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper, "AT_ONCE", 2)
    held = [await world.running(node) for node in (1, 2, 3, 4, 5)]
    await world.pass_by(DOUBT_S)
    for node in (1, 2, 3, 4):
        world.hub.owners.contacts.heard(node)
    for _ in range(3):
        await world.reaper.sweep()
        await world.pass_by(2)
    assert (await world.row(held[-1])).suspect_us is not None


async def test_a_get_of_the_job_counts_before_it_is_stored(world: World) -> None:
    job = await world.running()
    await world.pass_by(DOUBT_S)
    answer = await world.caller.get(f"/v1/jobs/{job}", headers=as_node(1))
    assert answer.status_code == 200
    await world.reaper.sweep()
    assert (await world.story(job))[-1] == "start"
    row = await world.row(job)
    assert (row.last_contact_us or 0) > (row.start_us or 0)


async def test_a_doubted_node_that_pings_is_trusted_again_at_the_next_look(world: World) -> None:
    job = await world.running()
    await world.pass_by(DOUBT_S)
    await world.reaper.sweep()
    await world.pass_by(60)
    assert (await world.caller.get("/v1/nodes/ping", headers=as_node(1))).status_code == 200
    assert await world.reaper.sweep() == 1
    assert (await world.story(job))[-2:] == ["suspect", "revived"]
    assert (await world.row(job)).suspect_us is None


async def test_contacts_are_stored_by_the_clock_that_decides(world: World) -> None:
    world.hub.owners.contacts.heard(1)
    await nodes.seen(world.hub.engine, {2: 60 * S}, clock.wall_us())
    await world.pass_by(0)
    await world.reaper.sweep()
    look = await leases.last_look(world.hub.engine, clock.wall_us())
    rows = await world.hub.engine.fetch("SELECT last_seen_us FROM nodes ORDER BY pk")
    ago_s = [(look.now_us - seen_us) / S for (seen_us,) in rows if seen_us is not None]
    assert len(ago_s) == 2
    assert 0 <= ago_s[0] < 20 <= 60 <= ago_s[1] < 80


# --- A node that asks for work --------------------------------------------------------------------


@pytest.mark.parametrize(("silent_s", "is_lost"), [(50, False), (60, True)])
async def test_a_node_that_polls_while_its_run_is_silent_loses_it(
    world: World, silent_s: int, *, is_lost: bool
) -> None:
    job = await world.running()
    await world.pass_by(silent_s)
    answer = await world.caller.post("/v1/jobs/list", json=FREE_JOBS, headers=as_node(1))
    assert answer.status_code == 200
    await world.reaper.sweep()
    assert ((await world.row(job)).status == "QUEUED") is is_lost


OTHER_LISTS: dict[str, tuple[dict[str, Any], int | None]] = {
    "all jobs": ({}, 1),
    "its own jobs": ({"expressions": [{"type": "exact", "field": "node", "value": 1}]}, 1),
    "held jobs": (
        {"expressions": [{"type": "isnull", "field": "node", "invert": True}]},
        1,
    ),
    "free jobs, not as the node": (FREE_JOBS, None),
    "free jobs, as another node": (FREE_JOBS, 2),
}


@pytest.mark.parametrize("asked", OTHER_LISTS)
async def test_other_lists_are_no_questions_for_work(world: World, asked: str) -> None:
    job = await world.running()
    await world.pass_by(100)
    spec, node = OTHER_LISTS[asked]
    headers = {} if node is None else as_node(node)
    answer = await world.caller.post("/v1/jobs/list", json=spec, headers=headers)
    assert answer.status_code == 200
    await world.reaper.sweep()
    assert (await world.row(job)).status == "RUNNING"


async def test_a_process_judges_who_polled_there_though_another_has_just_looked(
    world: World,
) -> None:
    job = await world.running()
    await world.pass_by(100)
    await world.another_reaper().sweep()
    world.hub.owners.polled.add(1)
    await world.reaper.sweep()
    assert (await world.row(job)).status == "QUEUED"


# --- Time in which nobody could be heard ----------------------------------------------------------


@pytest.mark.parametrize("down_s", [15, LOST_S, 30 * LOST_S])
async def test_the_time_that_the_hub_was_down_is_no_silence(world: World, down_s: int) -> None:
    job = await world.running()
    await world.pass_by(200)
    await world.reaper.sweep()
    await world.rewind(down_s)
    restarted = world.another_reaper()
    assert await restarted.sweep() == 0
    assert (await world.story(job))[-1] == "start"
    left_s = await world.left_s(job)
    assert 0 <= DOUBT_S - 200 + GRACE_US / S - left_s < 20
    world.reaper = restarted
    await world.pass_by(left_s)
    await restarted.sweep()
    assert (await world.story(job))[-1] == "suspect"


async def test_a_doubted_node_keeps_the_rest_of_its_time_over_an_outage(world: World) -> None:
    job = await world.running()
    await world.pass_by(DOUBT_S)
    await world.reaper.sweep()
    await world.pass_by(3_000)
    await world.reaper.sweep()
    await world.rewind(10 * LOST_S)
    world.reaper = world.another_reaper()
    await world.reaper.sweep()
    await world.pass_by(300)
    await world.reaper.sweep()
    assert (await world.row(job)).status == "RUNNING"
    await world.pass_by(60)
    await world.reaper.sweep()
    assert (await world.row(job)).status == "QUEUED"


async def test_a_lease_moves_no_farther_than_its_node_could_have_been_silent(world: World) -> None:
    # Nobody looks while no job is held; a hub that dies right after a grant was not down for days.
    await world.ask("UPDATE hub_meta SET swept_us = swept_us - ?", 3 * 86_400 * S)
    job = await world.running()
    await world.rewind(20)
    await world.another_reaper().sweep()
    assert 0 <= DOUBT_S + GRACE_US / S - await world.left_s(job) < 20


async def test_the_time_that_the_process_was_frozen_is_no_silence(world: World) -> None:
    job = await world.running()
    before = await world.row(job)
    await world.unseen(2 * LOST_S)
    assert await world.reaper.sweep() == 0
    assert (await world.story(job))[-1] == "start"
    row = await world.row(job)
    # As if the frozen time had not been: what the job knows of its node is as old as before.
    assert abs((row.last_contact_us or 0) - (before.last_contact_us or 0)) < 20 * S
    await world.pass_by(2)
    assert await world.reaper.sweep() == 0


async def test_an_outage_does_not_make_a_silent_run_of_one_that_reported(world: World) -> None:
    job = await world.running()
    await world.unseen(100)
    world.hub.owners.polled.add(1)
    await world.reaper.sweep()
    assert (await world.row(job)).status == "RUNNING"


@pytest.mark.parametrize("jump_s", [LOST_S, -LOST_S])
async def test_a_clock_that_is_set_moves_leases_and_makes_nobody_suspect(
    world: World, jump_s: int
) -> None:
    job = await world.running()
    world.hub.owners.contacts.heard(1)
    await world.pass_by(2)
    await world.reaper.sweep()
    left_s = await world.left_s(job)
    await world.unseen(2, jump_s=jump_s)
    assert await world.reaper.sweep() == 0
    assert abs(await world.left_s(job) - left_s) < 20
    look = await leases.last_look(world.hub.engine, clock.wall_us())
    ((seen_us,),) = await world.hub.engine.fetch("SELECT last_seen_us FROM nodes WHERE pk = 1")
    assert abs(look.now_us - seen_us) < 20 * S
    assert look.jump_us == pytest.approx(jump_s * S, abs=S)
    # A node that died is noticed as soon as before.
    await world.pass_by(DOUBT_S)
    await world.reaper.sweep()
    assert (await world.story(job))[-1] == "suspect"


async def test_a_clock_that_was_set_back_while_the_hub_was_down_keeps_no_lease_for_ever(
    world: World,
) -> None:
    job = await world.running()
    await world.pass_by(2)
    await world.reaper.sweep()
    await world.rewind(-LOST_S)
    world.reaper = world.another_reaper()
    await world.reaper.sweep()
    assert 0 <= DOUBT_S + GRACE_US / S - await world.left_s(job) < 20
    await world.pass_by(DOUBT_S + GRACE_US / S)
    await world.reaper.sweep()
    assert (await world.story(job))[-1] == "suspect"


async def test_a_time_in_which_the_database_was_away_is_no_silence(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await world.running()

    async def away(*_: object) -> None:
        raise DatabaseAway("gone")

    with monkeypatch.context() as patched:
        patched.setattr(leases, "last_look", away)
        for _ in range(3):
            with pytest.raises(DatabaseAway):
                await world.reaper.sweep()
    await world.unseen(LOST_S)
    assert await world.reaper.sweep() == 0
    assert (await world.story(job))[-1] == "start"


async def test_who_was_heard_of_is_not_forgotten_while_the_database_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await world.running()
    await world.pass_by(DOUBT_S)
    world.hub.owners.contacts.heard(1)

    async def away(*_: object) -> None:
        raise DatabaseAway("gone")

    with monkeypatch.context() as patched:
        patched.setattr(nodes, "seen", away)
        with pytest.raises(DatabaseAway):
            await world.reaper.sweep()
    contact = world.hub.owners.contacts.last(1)
    assert contact is not None
    assert contact.stored_us is None
    await world.reaper.sweep()
    assert (await world.story(job))[-1] == "start"


# --- Several processes ----------------------------------------------------------------------------


async def test_who_comes_right_after_another_leaves_the_leases_alone(world: World) -> None:
    await world.running()
    await world.pass_by(DOUBT_S)
    other = world.another_reaper()
    assert await other.sweep() == 1
    await world.ask("UPDATE jobs SET lease_expires_us = 1")
    assert await world.reaper.sweep() == 0
    await world.pass_by(2)
    assert await world.reaper.sweep() == 1


@pytest.mark.parametrize("jump_s", [LOST_S, -LOST_S])
async def test_two_processes_that_see_one_jump_move_leases_once(world: World, jump_s: int) -> None:
    job = await world.running()
    await world.pass_by(2)
    first, second = world.reaper, world.another_reaper()
    await second.sweep()
    await first.sweep()
    left_s = await world.left_s(job)
    await world.unseen(2, jump_s=jump_s)
    second._last = first._last
    for one in (first, second, first):
        await one.sweep()
        assert abs(await world.left_s(job) - left_s) < 20
    assert (await world.story(job))[-1] == "start"


async def test_two_processes_that_miss_the_same_time_move_leases_once(world: World) -> None:
    job = await world.running()
    await world.pass_by(2)
    first, second = world.reaper, world.another_reaper()
    await second.sweep()
    await first.sweep()
    await world.unseen(LOST_S)
    second._last = first._last
    for one in (first, second, first):
        await one.sweep()
        assert 0 <= DOUBT_S + GRACE_US / S - await world.left_s(job) < 20


async def test_a_turn_that_another_process_took_moves_nothing(world: World) -> None:
    job = await world.running()
    look = await leases.last_look(world.hub.engine, clock.wall_us())
    await world.ask("UPDATE hub_meta SET swept_us = swept_us + 1")
    before = await world.row(job)
    assert not await leases.take_turn(world.hub.engine, look, Shift(5 * S, 7 * S, 9 * S))
    assert await world.row(job) == before


async def test_leases_can_move_while_nodes_report(world: World) -> None:
    held = [await world.running(node) for node in (1, 2, 3, 4)]

    async def reports(job: int, node: int) -> None:
        for _ in range(25):
            await world.report(job, node)

    async def moves() -> None:
        for n in range(10):
            look = await leases.last_look(world.hub.engine, clock.wall_us())
            shift = Shift(0, S if n % 2 else -S, 0)
            assert await leases.take_turn(world.hub.engine, look, shift)

    before = [await world.left_s(job) for job in held]
    await asyncio.gather(moves(), *(reports(job, node) for node, job in enumerate(held, 1)))
    left = [await world.left_s(job) for job in held]
    assert all(abs(was - now) < 20 for was, now in zip(before, left, strict=True))
    assert [len(await world.story(job)) for job in held] == [28] * 4


async def test_a_hub_without_held_jobs_writes_nothing_down(world: World) -> None:
    await world.hub.ledger.execute(a_job())
    await world.hub.ledger.execute(c.Acquire(actor=worker(2), job=1))
    await world.hub.ledger.execute(c.Release(actor=worker(2), job=1))
    before = (await leases.last_look(world.hub.engine, clock.wall_us())).before_us
    for _ in range(3):
        assert await world.reaper.sweep() == 0
    assert (await leases.last_look(world.hub.engine, clock.wall_us())).before_us == before


async def test_contacts_are_stored_while_nodes_take_jobs(world: World) -> None:
    # Both change many nodes at once; they must not wait for each other in a circle.
    ledger, pks = world.hub.ledger, range(1, 6)
    made = [(await ledger.execute(a_job())).job.pk for _ in pks]

    async def store() -> None:
        for n in range(60):
            order = list(pks) if n % 2 else list(reversed(pks))
            await nodes.seen(world.hub.engine, dict.fromkeys(order, 0), clock.wall_us())

    async def take() -> None:
        for _ in range(20):
            for kind in (c.Acquire, c.Release):
                asked = [
                    kind(actor=replace(HOLDER, node=n), job=j)
                    for n, j in zip(pks, made, strict=True)
                ]
                await asyncio.gather(*(ledger.execute(one) for one in asked))

    await asyncio.gather(store(), store(), take())
