"""All come back at once with the same old cursor: the database is asked once for all of them."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from channels.events import Cursor
from channels.feed import Feed
from channels.protocol.frames import Subscribe
from channels.selections import OfFilter, OfJobs, Selection
from hub.lifecycle.log import CommittedLog
from hub.live.following import Following
from tests.integration.conftest import HubClient, as_node

REPORTS = 1_200
PAGES = 40
"""Looks at the log that one client alone may need for them."""

CROWDS = [100, pytest.param(1_000, marks=[pytest.mark.nightly, pytest.mark.timeout(300)])]


def wish(selection: Selection, cursor: str) -> Subscribe:
    jobs = tuple(selection.jobs) if isinstance(selection, OfJobs) else ()
    return Subscribe(id="s", topic="job" if jobs else "jobs", jobs=jobs, cursor=cursor)


async def come_back(client: HubClient, feed: Feed, selection: Selection, cursor: str) -> int:
    """Resume, and return up to where everything was told when nothing more came."""
    reader = feed.read(selection, lambda: None)
    following = Following("s", reader, client.hub.gallery)
    async for _ in following.begin(wish(selection, cursor)):
        pass
    is_more = True
    while is_more:
        _, is_more = await following.next()
    following.close()
    return reader.position


@pytest.mark.parametrize("crowd", CROWDS)
@pytest.mark.parametrize("topic", ["job", "jobs"])
async def test_a_crowd_that_comes_back_reads_the_log_once(
    hub_client: HubClient, monkeypatch: pytest.MonkeyPatch, topic: str, crowd: int
) -> None:
    client = hub_client
    await client.template()
    job = (await client.job("work"))["pk"]
    node = as_node(await client.node())
    await client.user.get(f"/v1/jobs/{job}/acquire", headers=node)
    await client.user.post(f"/v1/jobs/{job}/start", json={"send_notification": ""}, headers=node)
    for number in range(REPORTS):
        body = {"number": number}
        await client.user.post(f"/v1/jobs/{job}/progress/0.5", json=body, headers=node)

    asked: Counter[str] = Counter()
    engine = client.hub.engine
    fetch = engine.fetch

    async def counted(sql: str, values: Sequence[Any] = ()) -> Any:
        asked["events" if "FROM events" in sql else "others"] += 1
        return await fetch(sql, values)

    kinds: frozenset[str] = frozenset()
    selection = OfJobs(frozenset([job]), kinds) if topic == "job" else OfFilter(kinds=kinds)
    # A feed of its own has nothing in memory yet, as that of a hub that was just started.
    async with Feed(CommittedLog(engine), poll_s=60).running() as feed:
        monkeypatch.setattr(engine, "fetch", counted)
        cursor = str(Cursor(client.hub.gallery.epoch, 0))
        back = [come_back(client, feed, selection, cursor) for _ in range(crowd)]
        assert set(await asyncio.gather(*back)) == {feed.head}
    assert asked["events"] <= PAGES
    assert asked["others"] <= 3 * PAGES
