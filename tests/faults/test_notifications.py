"""``kill -9`` of a hub that sends mail: every mail arrives, a few of them twice."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.bench.client import Caller, dial
from tests.bench.world import World, pk_of
from tests.faults.stage import Stage, Victim
from tests.mail_server import MailServer

JOBS_A_ROUND = 12
ROUNDS = 4
STOP_LIMIT_S = 3.0
MAIL = {"subject": "{pk}", "body": "{transition}", "to": ["box@example.org"]}


@pytest.fixture
async def mailbox() -> AsyncIterator[MailServer]:
    async with MailServer().listening() as server:
        yield server


async def canceled(hub: Victim, world: World, count: int) -> set[int]:
    """Make jobs that mail when they are canceled, cancel them, and return those that were."""
    caller = await dial(hub.listens_at, Caller())
    body = {"input_values": {}, "notification_override": {"actions": {"on_cancel": [MAIL]}}}
    done = set()
    try:
        for _ in range(count):
            made = await caller.call(
                world.request("POST", "/job-templates/1/create-job", body=body)
            )
            job = pk_of(made)
            await caller.call(world.request("DELETE", f"/jobs/{job}/cancel"))
            done.add(job)
    finally:
        caller.transport.close()
    return done


async def test_a_hub_that_is_killed_loses_no_mail(stage: Stage, mailbox: MailServer) -> None:
    stage.settings["HUB_SMTP_URL"] = mailbox.url
    dice = random.Random(ROUNDS)
    hub = await asyncio.to_thread(stage.start)
    world = await stage.world(hub, 1)
    jobs: set[int] = set()
    for _ in range(ROUNDS):
        new = await canceled(hub, world, JOBS_A_ROUND)
        await mailed(mailbox, new, dice.randint(1, JOBS_A_ROUND))
        jobs |= new
        await asyncio.to_thread(hub.kill)
        hub = await asyncio.to_thread(stage.start)
    arrived = await mailed(mailbox, jobs, len(jobs))

    assert max(arrived.values()) <= 1 + ROUNDS
    assert len({letter.message["Message-ID"] for letter in mailbox.letters}) == len(jobs)
    assert await asyncio.to_thread(hub.stop) == 0
    assert hub.complaints() == []


async def mailed(mailbox: MailServer, jobs: set[int], count: int) -> "Counter[int]":
    """Wait until there is mail about ``count`` of these jobs; return how often there is."""
    while True:
        there = len(mailbox.letters)
        subjects = (int(letter.message["Subject"]) for letter in mailbox.letters)
        arrived = Counter(job for job in subjects if job in jobs)
        if len(arrived) >= count:
            return arrived
        await mailbox.have(there + 1)


async def test_a_hub_that_waits_for_a_mail_server_stops_in_time(
    embedded: Stage, mailbox: MailServer
) -> None:
    mailbox.is_deaf = True
    embedded.settings["HUB_SMTP_URL"] = mailbox.url
    hub = await asyncio.to_thread(embedded.start)
    await canceled(hub, await embedded.world(hub, 1), 1)
    await mailbox.met(1)

    began_s = time.monotonic()
    assert await asyncio.to_thread(hub.stop) == 0
    assert time.monotonic() - began_s < STOP_LIMIT_S
    assert hub.complaints("") == []


@pytest.mark.parametrize("url", ["http://hub:canary@mail", "smtp://canary:25@"])
async def test_a_hub_that_cannot_read_where_its_mail_goes_does_not_start(
    embedded: Stage, url: str
) -> None:
    embedded.settings["HUB_SMTP_URL"] = url
    with pytest.raises(AssertionError) as refused:
        await asyncio.to_thread(embedded.start)

    assert "HUB_SMTP_URL" in str(refused.value)
    assert "canary" not in str(refused.value)
