"""What became of a job each time it was queued, over HTTP."""

from typing import Any

import httpx
import pytest

from hub.api import executions as api
from hub.api.places import cursor_of
from tests.integration.conftest import HubClient, as_node, fields_of

Json = dict[str, Any]
START = {"send_notification": ""}


async def failed(hub_client: HubClient, times: int) -> int:
    """Return a job that failed so many times, and runs once more."""
    await hub_client.template()
    job, node = (await hub_client.job("work"))["pk"], as_node(await hub_client.node())
    path = f"/v1/jobs/{job}"
    assert (await hub_client.user.get(f"{path}/acquire", headers=node)).status_code == 200
    for number in range(times):
        await hub_client.user.post(f"{path}/start", json=START, headers=node)
        said = START | {"success": False, "error": f"error {number}"}
        assert (await hub_client.user.post(f"{path}/finish", json=said, headers=node)).is_success
        assert (await hub_client.user.delete(f"{path}/reset", headers=node)).is_success
    await hub_client.user.post(f"{path}/start", json=START, headers=node)
    return int(job)


async def page(hub_client: HubClient, job: int, **query: Any) -> Json:
    answer = await hub_client.viewer.get(f"/v1/jobs/{job}/executions", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_the_executions_of_a_job_are_told_newest_first(hub_client: HubClient) -> None:
    job = await failed(hub_client, 1)
    found = await page(hub_client, job)
    assert found["next"] is None
    running, first = found["items"]
    assert {name for name, value in running.items() if value is None} == {
        *("outcome", "end_time", "error", "error_name", "category"),
    }
    assert (running["number"], running["attempt"], running["node"]) == (2, 1, 1)
    times = [first[f"{name}_time"] for name in ("queued", "acquired", "start", "end")]
    assert times == sorted(times)
    assert {name: value for name, value in first.items() if "time" not in name} == {
        "number": 1,
        "attempt": 1,
        "node": 1,
        "outcome": "failed",
        "error": "error 0",
        "error_name": "algorithm-unknown",
        "category": "ALGORITHM",
    }


async def test_a_job_that_nobody_took_has_one_open_execution(hub_client: HubClient) -> None:
    await hub_client.template()
    job = (await hub_client.job("work"))["pk"]
    (item,) = (await page(hub_client, job))["items"]
    assert (item["number"], item["attempt"], item["node"], item["outcome"]) == (1, 0, None, None)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7])
async def test_pages_hold_each_execution_once(hub_client: HubClient, limit: int) -> None:
    job = await failed(hub_client, 5)
    numbers: list[int] = []
    cursor: Json = {}
    while True:
        found = await page(hub_client, job, limit=limit, **cursor)
        assert len(found["items"]) <= limit
        numbers += [item["number"] for item in found["items"]]
        if found["next"] is None:
            break
        cursor = {"cursor": found["next"]}
    assert numbers == [6, 5, 4, 3, 2, 1]


async def test_a_page_of_long_errors_ends_early(
    hub_client: HubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await failed(hub_client, 2)
    monkeypatch.setattr(api, "PAGE_BYTES", 1)
    found = await page(hub_client, job)
    assert [item["number"] for item in found["items"]] == [3]
    found = await page(hub_client, job, cursor=found["next"])
    assert [item["number"] for item in found["items"]] == [2]


async def test_many_executions_are_read_in_parts(
    hub_client: HubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await failed(hub_client, 5)
    monkeypatch.setattr(api, "PAGE", 2)
    assert [item["number"] for item in (await page(hub_client, job))["items"]] == [6, 5, 4, 3, 2, 1]
    found = await page(hub_client, job, limit=4)
    assert ([item["number"] for item in found["items"]], found["next"] is None) == (
        [6, 5, 4, 3],
        False,
    )


async def test_what_is_no_cursor_of_executions_is_refused(hub_client: HubClient) -> None:
    job = await failed(hub_client, 0)
    await hub_client.job("work")
    jobs = (await hub_client.viewer.get("/v1/jobs", params={"limit": 1})).json()["next"]
    for cursor in ("x", "é", "", "WyJleGVjdXRpb25zIixbXV0", jobs):
        answer = await asked(hub_client, job, cursor=cursor)
        assert (answer.status_code, list(fields_of(answer))) == (400, ["cursor"])
    for limit in (0, 1_001, -1):
        assert (await asked(hub_client, job, limit=limit)).status_code == 400


async def asked(hub_client: HubClient, job: int, **query: Any) -> httpx.Response:
    return await hub_client.viewer.get(f"/v1/jobs/{job}/executions", params=query)


async def test_a_cursor_far_away_is_no_failure(hub_client: HubClient) -> None:
    job = await failed(hub_client, 0)
    far = cursor_of(api.ORDER, (2**63 - 1,))
    assert len((await page(hub_client, job, cursor=far))["items"]) == 1
    assert (await page(hub_client, job, cursor=cursor_of(api.ORDER, (0,))))["items"] == []


async def test_a_job_that_is_not_there_has_none(hub_client: HubClient) -> None:
    assert (await asked(hub_client, 99)).status_code == 404
    job = await failed(hub_client, 0)
    await hub_client.admin.delete(f"/v1/jobs/{job}/cancel")
    assert (await hub_client.admin.delete(f"/v1/jobs/{job}/hard")).status_code == 200
    assert (await asked(hub_client, job)).status_code == 404
