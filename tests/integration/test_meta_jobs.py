"""Jobs of meta-templates over REST, on both databases: made whole, worked through, told upwards."""

from typing import Any

import pytest

from tests.integration.conftest import HubClient, Json, as_node, fields_of
from tests.integration.template_forms import CHAIN, NATIVE, but, chained, imported

PNG = "BLOB<'png'>"
PICTURE = {"first:picture": {"value": "aGk=", "type": PNG}}
MODES = {"first:modes": {"value": "slow", "type": "str"}}


async def made(hub_client: HubClient, template: Json, **body: Any) -> Json:
    """Return the meta-job that create-job makes."""
    values = {"input_values": PICTURE, "parameter_values": MODES} | body
    url = f"/v1/job-templates/{template['pk']}/create-job"
    answer = await hub_client.user.post(url, json=values)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def job(hub_client: HubClient, pk: int) -> Json:
    return dict((await hub_client.viewer.get(f"/v1/jobs/{pk}")).json())


async def children(hub_client: HubClient, parent: Json) -> dict[str, Json]:
    """Return the children of a meta-job by name."""
    answer = await hub_client.viewer.get("/v1/jobs", params={"parent": parent["pk"]})
    return {child["child"]: child for child in answer.json()["items"]}


class Worker:
    """A node that does jobs."""

    def __init__(self, hub_client: HubClient, node: Json) -> None:
        self._hub = hub_client
        self._as_me = as_node(node)

    async def call(self, method: str, path: str, expected: int = 200, **kwargs: Any) -> Any:
        answer = await self._hub.user.request(
            method, f"/v1/jobs/{path}", headers=self._as_me, **kwargs
        )
        assert answer.status_code == expected, answer.text
        return answer.json()

    async def begin(self, pk: int) -> None:
        await self.call("GET", f"{pk}/acquire")
        await self.call("POST", f"{pk}/start", json={"send_notification": ""})

    async def finish(self, pk: int, *, error: str | None = None) -> Json:
        body: Json = {"success": error is None, "send_notification": ""}
        if error is None:
            await self.call("POST", f"{pk}/outputs/picture/{PNG}", content=b"small")
        else:
            body["error"] = error
        return dict(await self.call("POST", f"{pk}/finish", json=body))

    async def polled(self) -> list[int]:
        free = {"field": "node", "type": "isnull"}
        return [row["pk"] for row in await self.call("POST", "list", json={"expressions": [free]})]


@pytest.fixture
async def worker(hub_client: HubClient) -> Worker:
    return Worker(hub_client, await hub_client.node())


async def test_a_meta_job_comes_with_all_its_children(hub_client: HubClient) -> None:
    parent = await made(hub_client, await chained(hub_client))

    found = await children(hub_client, parent)

    assert (parent["status"], parent["children"], parent["num_exes"]) == ("QUEUED", 2, 0)
    first, second = found["first"], found["second"]
    assert (first["status"], second["status"]) == ("QUEUED", "PENDING")
    assert first["input_values"] == {"picture": {"value": "aGk=", "type": PNG}}
    assert first["parameter_values"] == {"modes": {"value": "slow", "type": "str"}}
    assert second["parameter_values"] == {
        "width": {"value": 320, "type": "int"},
        "modes": {"value": "fast", "type": "str"},
    }
    assert second["description"] == "child job 'second' of meta-job chain v1"
    assert (first["priority"], first["labels"]) == (7, {"team": "blue"})


async def test_a_graph_is_worked_through_in_its_order(
    hub_client: HubClient, worker: Worker
) -> None:
    parent = await made(hub_client, await chained(hub_client))
    found = await children(hub_client, parent)
    first, second = found["first"]["pk"], found["second"]["pk"]

    assert await worker.polled() == [first]
    await worker.begin(first)
    assert (await job(hub_client, parent["pk"]))["status"] == "RUNNING"
    await worker.call("POST", f"{first}/progress/0.5", json={"comment": "half"})
    told = await job(hub_client, parent["pk"])
    assert told["progress_amount"] == 0.25
    assert told["progress_data"] == {"triggered_by": first, "progress": 0.5}
    await worker.finish(first)

    assert await worker.polled() == [second]
    waited = await job(hub_client, second)
    output = (await job(hub_client, first))["outputs"][0]["pk"]
    assert waited["input_values"] == {"picture": {"value": output, "type": f"JobOutput<{PNG}>"}}
    await worker.begin(second)
    await worker.finish(second)
    ended = await job(hub_client, parent["pk"])
    assert ended["status"] == "COMPLETED"
    assert [o["name"] for o in ended["outputs"]] == ["first:picture", "second:picture"]
    url = f"/v1/jobs/{parent['pk']}/outputs/second:picture/{PNG}"
    assert (await hub_client.viewer.get(url)).content == b"small"


async def test_an_error_goes_up_and_a_reset_takes_it_back(
    hub_client: HubClient, worker: Worker
) -> None:
    parent = await made(hub_client, await chained(hub_client))
    first = (await children(hub_client, parent))["first"]["pk"]
    await worker.begin(first)

    await worker.finish(first, error="no paint")

    failed = await job(hub_client, parent["pk"])
    assert (failed["status"], failed["error_reason"]) == (
        "FAILED",
        "Error in child job 'first':\nno paint",
    )
    assert (await children(hub_client, parent))["second"]["status"] == "BLOCKED"
    await worker.call("DELETE", f"{first}/reset")
    assert (await job(hub_client, parent["pk"]))["status"] == "RUNNING"
    assert (await children(hub_client, parent))["second"]["status"] == "PENDING"


async def test_cancel_from_the_top_ends_all_and_of_a_child_is_refused(
    hub_client: HubClient, worker: Worker
) -> None:
    parent = await made(hub_client, await chained(hub_client))
    found = await children(hub_client, parent)
    await worker.begin(found["first"]["pk"])

    refused = await hub_client.admin.delete(f"/v1/jobs/{found['first']['pk']}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "graph_member")
    await hub_client.user.delete(f"/v1/jobs/{parent['pk']}/cancel")

    statuses = {child["status"] for child in (await children(hub_client, parent)).values()}
    assert statuses == {"CANCELED"}


async def test_a_node_gets_no_meta_job(hub_client: HubClient, worker: Worker) -> None:
    parent = await made(hub_client, await chained(hub_client))
    refused = await worker.call("GET", f"{parent['pk']}/acquire", expected=409)
    assert refused["code"] == "meta_job"


async def test_graphs_in_graphs_are_made_and_fed(hub_client: HubClient, worker: Worker) -> None:
    await chained(hub_client)
    nodes = {"zero": {"name": "resize"}, "inner": {"name": "chain"}}
    wire = {"from_node": "zero", "from_output": "picture"}
    wires = [wire | {"to_node": "inner", "to_input": "first:picture"}]
    outer = await imported(
        hub_client, but(CHAIN, name="outer", specific__nodes=nodes, specific__dependencies=wires)
    )
    parent = await made(
        hub_client,
        outer,
        input_values={"zero:picture": {"value": "aGk=", "type": PNG}},
        parameter_values={
            "zero:modes": {"value": "slow", "type": "str"},
            "inner:first:modes": {"value": "odd", "type": "str"},
        },
    )
    found = await children(hub_client, parent)
    below = await children(hub_client, found["inner"])
    assert [row["status"] for row in below.values()] == ["PENDING", "PENDING"]
    assert below["first"]["parameter_values"]["modes"]["value"] == "odd"

    for pk in (found["zero"]["pk"], below["first"]["pk"], below["second"]["pk"]):
        await worker.begin(pk)
        await worker.finish(pk)

    ended = await job(hub_client, parent["pk"])
    assert ended["status"] == "COMPLETED"
    assert [o["name"] for o in ended["outputs"]] == [
        "zero:picture",
        "inner:first:picture",
        "inner:second:picture",
    ]
    output = (await job(hub_client, found["zero"]["pk"]))["outputs"][0]["pk"]
    assert (await job(hub_client, below["first"]["pk"]))["input_values"]["picture"] == {
        "value": output,
        "type": f"JobOutput<{PNG}>",
    }


async def test_a_native_submission_gives_priority_and_labels_to_the_whole_graph(
    hub_client: HubClient,
) -> None:
    await chained(hub_client)
    parent = await hub_client.job(
        "chain",
        input_values=PICTURE,
        parameter_values=MODES,
        priority=3,
        labels={"run": "a"},
    )
    found = await children(hub_client, parent)
    assert {child["priority"] for child in found.values()} == {3}
    assert found["first"]["labels"] == {"team": "blue", "run": "a"}


async def test_an_empty_graph_makes_no_job(hub_client: HubClient) -> None:
    empty = await imported(hub_client, but(CHAIN, specific__nodes={}, specific__dependencies=[]))
    url = f"/v1/job-templates/{empty['pk']}/create-job"
    answer = await hub_client.user.post(url, json={"input_values": {}})
    assert (answer.status_code, answer.json()["code"]) == (409, "empty_graph")


@pytest.mark.parametrize(
    ("overrides", "status", "code"),
    [
        ({"third": {"actions": {}}}, 422, "values_refused"),
        ({"first": {"actions": {"on_start": [{"message": "{nobody}"}]}}}, 400, "invalid_input"),
        ({"first": {"actions": {"on_start": [{"message": "{pk}"}]}}}, 200, None),
    ],
)
async def test_overrides_for_children_name_children_and_are_checked(
    hub_client: HubClient, overrides: Json, status: int, code: str | None
) -> None:
    template = await chained(hub_client)
    body = {
        "input_values": PICTURE,
        "parameter_values": MODES,
        "child_notification_overrides": overrides,
    }
    url = f"/v1/job-templates/{template['pk']}/create-job"
    answer = await hub_client.user.post(url, json=body)
    assert (answer.status_code, answer.json().get("code")) == (status, code)
    if status == 400:
        (told,) = fields_of(answer)["child_notification_overrides"]
        assert told.startswith("first: on_start[0]: message: There is no {nobody} here")


async def test_children_are_not_overridden_where_there_are_none(hub_client: HubClient) -> None:
    template = await hub_client.template(**NATIVE)
    url = f"/v1/job-templates/{template['pk']}/create-job"
    body: Json = {"input_values": {}, "child_notification_overrides": {}}
    answer = await hub_client.user.post(url, json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "no_children")


async def test_a_finished_graph_is_deleted_from_its_children_up(
    hub_client: HubClient, worker: Worker
) -> None:
    parent = await made(hub_client, await chained(hub_client))
    found = await children(hub_client, parent)
    for name in ("first", "second"):
        await worker.begin(found[name]["pk"])
        await worker.finish(found[name]["pk"])

    async def hard(pk: int) -> int:
        return (await hub_client.admin.delete(f"/v1/jobs/{pk}/hard")).status_code

    assert await hard(parent["pk"]) == 409
    assert [await hard(found[name]["pk"]) for name in ("first", "second")] == [200, 200]
    assert await hard(parent["pk"]) == 200
