"""Pages that end at a size: large jobs and events come in more pages, and none is left out."""

from typing import Any

import pytest

from hub.lifecycle import commands as c
from tests.integration.conftest import HubClient, Json

JOBS = 7
LABELS = {"text": "x" * 200}


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("hub.api.job_lists", "hub.api.events"):
        monkeypatch.setattr(f"{module}.PAGE_BYTES", 2_000)
        monkeypatch.setattr(f"{module}.PAGE", 2)


async def make_jobs(hub_client: HubClient) -> list[int]:
    template = await hub_client.template()
    return [
        (await hub_client.job(template["pk"], labels=LABELS, description=f"job {n}"))["pk"]
        for n in range(JOBS)
    ]


async def walk(
    hub_client: HubClient, path: str, ask: str, member: str, **fixed: str
) -> list[list[Json]]:
    """Return the items of page after page, until one is empty or names none to follow."""
    pages: list[list[Json]] = []
    query: dict[str, Any] = {}
    while not pages or (query[ask] and pages[-1]):
        answer = (await hub_client.user.get(path, params={"limit": 50, **fixed, **query})).json()
        pages.append(answer["items"])
        query = {ask: answer[member]}
    return pages


@pytest.mark.parametrize("order", ["created", "-created", "-modified", "priority"])
async def test_a_page_of_large_jobs_ends_early_and_the_next_goes_on_there(
    hub_client: HubClient, order: str
) -> None:
    pks = await make_jobs(hub_client)

    pages = await walk(hub_client, "/v1/jobs", "cursor", "next", order=order)

    assert max(len(page) for page in pages) < JOBS
    shown = [job["pk"] for page in pages for job in page]
    assert shown == (pks[::-1] if order.startswith("-") else pks)


@pytest.mark.parametrize("path", ["/v1/events", "/v1/jobs/1/events"])
async def test_a_page_of_large_events_ends_early_and_the_next_goes_on_there(
    hub_client: HubClient, path: str
) -> None:
    await make_jobs(hub_client)
    for n in range(JOBS):
        command = c.Describe(actor=c.Actor(2), job=1, description=f"again {n}")
        await hub_client.hub.ledger.execute(command)

    pages = await walk(hub_client, path, "after", "cursor")

    shown = [event["g"] for page in pages for event in page]
    whole = range(1, 2 * JOBS + 1)
    assert shown == (list(whole) if path == "/v1/events" else [1, *whole[JOBS:]])
    assert 2 < len(pages) < len(shown)
