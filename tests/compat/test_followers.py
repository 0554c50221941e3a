"""Our own follower and a real hub that comes and goes: over sockets, lines and pages."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from channels.protocol.frames import Filter, Subscribe
from channels.protocol.orders import Apply, Swap
from hub.client.address import Address
from hub.client.blocking import BlockingFollower
from hub.client.cursors import MemoryCursor
from hub.client.follower import Follower
from hub.client.line_link import line_link
from hub.client.link import Way
from hub.client.page_link import page_link
from hub.client.socket_link import socket_link
from tests.compat import actions
from tests.compat.conftest import FindHome
from tests.compat.python_client import PythonClient, Refused
from tests.compat.site import Site

WAYS: dict[str, Way] = {"socket": socket_link, "lines": line_link, "pages": page_link}
REPORTS = 30


@pytest.fixture(scope="module")
def frail(find_home: FindHome) -> Iterator[Site]:
    """A hub that does not live long."""
    with find_home("followed").running() as site:
        yield site


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


def follower(site: Site, way: Way, wish: Subscribe) -> Follower:
    address = Address(site.host, site.admin.signed_in().access)
    return Follower(address, wish, cursors=MemoryCursor(wish.cursor), ways=[way])


def reported(site: Site, node: PythonClient, job: int) -> None:
    """Post reports through two restarts; what was not answered is posted again."""
    for step in range(REPORTS):
        if step in (REPORTS // 3, 2 * REPORTS // 3):
            site.restart(kindly=step == REPORTS // 3)
        while True:
            try:
                actions.progress(node, job, step / REPORTS, step=step)
                break
            except (OSError, Refused):
                time.sleep(0.05)


def test_nothing_is_missed_or_doubled_over_restarts_of_the_hub(frail: Site, way: Way) -> None:
    node = frail.node(frail.account())
    job = frail.started(frail.template(), node)
    cursor = frail.admin.get("v1/events", limit="1").json()["head"]
    wish = Subscribe(id="s", topic="job", jobs=(job,), progress="all", cursor=cursor)
    applied = []
    with (
        ThreadPoolExecutor(1) as pool,
        BlockingFollower(follower(frail, way, wish)) as news,
    ):
        posting = pool.submit(reported, frail, node, job)
        for one in news:
            assert isinstance(one, Apply)
            applied.append(one.event)
            if one.event.data == {"step": REPORTS - 1}:
                break
        posting.result()

    assert {event.job for event in applied} == {job}
    assert [event.seq for event in applied] == list(range(3 + 1, 3 + 1 + len(applied)))
    steps = [event.data["step"] for event in applied]
    # A report whose answer was lost with the hub may be there twice, in the log as well as here.
    assert sorted(set(steps)) == list(range(REPORTS))
    assert steps == sorted(steps)


@pytest.mark.parametrize("way", ["socket", "lines"], indirect=True)
def test_a_follower_begins_with_what_there_is(frail: Site, way: Way) -> None:
    template = frail.template()
    jobs = [frail.job(template, description=str(number)) for number in range(3)]
    wish = Subscribe(id="s", topic="jobs", filter=Filter(template=(template,)))
    with BlockingFollower(follower(frail, way, wish)) as news:
        told = iter(news)
        first = next(told)
        assert isinstance(first, Swap)
        assert [row["pk"] for row in first.rows] == jobs
        actions.cancel(frail.admin, jobs[1])
        event = next(told)
        assert isinstance(event, Apply)
        assert (event.event.job, event.event.to_status) == (jobs[1], "CANCELED")
