"""Nodes and hardware generations over REST, on both databases."""

import asyncio
from typing import Any

import httpx
import pytest

from hub.auth.accounts import HUB
from hub.auth.shared_nodes import SharedNodes
from hub.auth.tokens import digest
from hub.lifecycle import commands as c
from hub.upkeep.alarms import Alarms
from hub.upkeep.contacts import Contacts
from orm.errors import DatabaseAway
from orm.queries import audit, nodes
from orm.queries.shelf import Shelf
from orm.tables import Token, User
from tests.integration.conftest import HubClient, Json, as_node, fields_of, filtered

UNKNOWN_NODE = 4242
NODE_BODY = {"ip": "10.0.0.1", "index": 0, "cpu_mem": 1}
BLACKWELL = {
    "generation": "Blackwell",
    "min_compute_capability": 10.0,
    "max_compute_capability": 13.0,
}


async def run_a_job(hub_client: HubClient, node: Json) -> Json:
    template = await hub_client.template()
    job = await hub_client.job(template["pk"])
    for command in (c.Acquire, c.Start):
        await hub_client.hub.ledger.execute(
            command(actor=c.Actor(2, node=node["pk"]), job=job["pk"])
        )
    return job


async def generation(hub_client: HubClient, **members: Any) -> Json:
    answer = await hub_client.admin.post("/v1/hardware/create", json=BLACKWELL | members)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


# --- Nodes ----------------------------------------------------------------------------------------


async def test_a_registered_node_belongs_to_the_account_that_registered_it(
    hub_client: HubClient,
) -> None:
    node = await hub_client.node(gpu_mem=8, driver_version="470.57")

    created = node.pop("creation_time")
    assert created.endswith("Z")
    assert node == {
        "pk": 1,
        "ip": "10.0.0.1",
        "index": 0,
        "driver_version": "470.57",
        "hardware_generation": None,
        "gpu_mem": 8,
        "cpu_mem": 1,
        "last_seen": None,
        "current_job": None,
        "owner": 2,
    }
    assert (await hub_client.viewer.get("/v1/nodes/1")).json()["owner"] == 2
    assert await hub_client.audited("nodes.create") == [(2, "node", 1)]


async def test_a_viewer_registers_no_node(hub_client: HubClient) -> None:
    answer = await hub_client.viewer.post("/v1/nodes/create", json=NODE_BODY)

    assert answer.status_code == 403


async def test_a_node_is_registered_once_under_its_address_and_index(
    hub_client: HubClient,
) -> None:
    await hub_client.node()

    again = await hub_client.other.post("/v1/nodes/create", json=NODE_BODY)

    assert again.status_code == 400
    assert fields_of(again) == {
        "non_field_errors": ["The fields ip, index must make a unique set."]
    }
    assert (await hub_client.node(index=1))["pk"] != 1


async def test_of_many_registrations_at_once_one_wins(hub_client: HubClient) -> None:
    answers = await asyncio.gather(
        *(hub_client.user.post("/v1/nodes/create", json=NODE_BODY) for _ in range(8))
    )

    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 7


async def test_read_only_and_unknown_members_are_ignored(hub_client: HubClient) -> None:
    node = await hub_client.node(current_job=9, last_seen="yesterday", pk=77, colour="red")

    assert (node["current_job"], node["last_seen"]) == (None, None)
    assert node["pk"] != 77


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"ip": None}, "ip"),
        ({"ip": ""}, "ip"),
        ({"ip": "1" * 40}, "ip"),
        ({"ip": "10.0.0.1\0"}, "ip"),
        ({"ip": 10}, "ip"),
        ({"index": -1}, "index"),
        ({"index": 32_768}, "index"),
        ({"index": 0.5}, "index"),
        ({"index": True}, "index"),
        ({"cpu_mem": 2**63}, "cpu_mem"),
        ({"cpu_mem": -1}, "cpu_mem"),
        ({"gpu_mem": 10**40}, "gpu_mem"),
        ({"driver_version": "4" * 17}, "driver_version"),
        ({"hardware_generation": 2**63}, "hardware_generation"),
        ({"hardware_generation": "Turing"}, "hardware_generation"),
    ],
)
async def test_a_bad_member_is_named(hub_client: HubClient, members: Json, field: str) -> None:
    answer = await hub_client.user.post("/v1/nodes/create", json=NODE_BODY | members)

    assert answer.status_code == 400
    assert list(fields_of(answer)) == [field]


async def test_all_members_that_are_missing_are_named(hub_client: HubClient) -> None:
    answer = await hub_client.user.post("/v1/nodes/create", json={"gpu_mem": 1})

    missing = ["This field is required."]
    assert fields_of(answer) == {"ip": missing, "index": missing, "cpu_mem": missing}


@pytest.mark.parametrize("body", ["[]", "{", '"x"', "nul", '{"ip": "\\ud800"}', "[" * 100])
async def test_a_body_that_is_no_object_is_refused(hub_client: HubClient, body: str) -> None:
    answer = await hub_client.user.send_json("POST", "/v1/nodes/create", body)

    assert answer.status_code == 400


@pytest.mark.parametrize("pk", [99, 0, -1, 2**63 - 1])
async def test_a_hardware_generation_must_exist(hub_client: HubClient, pk: int) -> None:
    answer = await hub_client.user.post(
        "/v1/nodes/create", json=NODE_BODY | {"hardware_generation": pk}
    )

    assert answer.status_code == 400
    text = f'Invalid pk "{pk}" - object does not exist.'
    assert fields_of(answer) == {"hardware_generation": [text]}


async def test_a_worker_finds_its_node_and_brings_it_up_to_date(hub_client: HubClient) -> None:
    node = await hub_client.node()
    hardware = await generation(hub_client)
    found = await hub_client.user.post("/v1/nodes/list", json=filtered("ip", "10.0.0.1"))
    assert [row["pk"] for row in found.json()] == [node["pk"]]

    sent = NODE_BODY | {
        "driver_version": None,
        "hardware_generation": hardware["pk"],
        "gpu_mem": None,
        "cpu_mem": 64,
    }
    answer = await hub_client.user.patch(
        f"/v1/nodes/{node['pk']}", json=sent, headers=as_node(node)
    )

    assert answer.status_code == 200
    assert (answer.json()["cpu_mem"], answer.json()["hardware_generation"]) == (64, hardware["pk"])
    assert answer.json()["last_seen"] is not None
    assert await hub_client.audited("nodes.update") == []


async def test_what_is_not_sent_stays(hub_client: HubClient) -> None:
    node = await hub_client.node(driver_version="1", gpu_mem=5)

    await hub_client.admin.patch("/v1/nodes/1", json={"cpu_mem": 7})
    answer = await hub_client.admin.patch("/v1/nodes/1", json={"driver_version": None})

    assert answer.json() == node | {"cpu_mem": 7, "driver_version": None}
    assert await hub_client.audited("nodes.update") == [(1, "node", 1)] * 2


async def test_put_asks_for_what_a_node_must_have(hub_client: HubClient) -> None:
    await hub_client.node()

    assert (await hub_client.admin.put("/v1/nodes/1", json={"ip": "x"})).status_code == 400
    answer = await hub_client.admin.put("/v1/nodes/1", json=NODE_BODY | {"ip": "x"})
    assert (answer.status_code, answer.json()["ip"]) == (200, "x")


async def test_a_node_cannot_take_the_address_of_another(hub_client: HubClient) -> None:
    await hub_client.node()
    second = await hub_client.node(index=1)

    answer = await hub_client.user.patch(
        f"/v1/nodes/{second['pk']}", json={"index": 0}, headers=as_node(second)
    )

    assert (answer.status_code, list(fields_of(answer))) == (400, ["non_field_errors"])


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_only_an_administrator_or_the_node_itself_changes_it(
    hub_client: HubClient, method: str
) -> None:
    node = await hub_client.node()
    second = await hub_client.node(index=1)
    url = f"/v1/nodes/{node['pk']}"

    async def status(caller: Any, headers: dict[str, str], path: str = url) -> int:
        body = NODE_BODY if method != "DELETE" else None
        return int((await caller.request(method, path, json=body, headers=headers)).status_code)

    assert await status(hub_client.user, {}) == 403
    assert await status(hub_client.user, as_node(second)) == 403
    assert await status(hub_client.other, as_node(node)) == 403
    assert await status(hub_client.viewer, {}) == 403
    assert await status(hub_client.user, {}, f"/v1/nodes/{UNKNOWN_NODE}") == 403
    assert await status(hub_client.admin, {}, f"/v1/nodes/{UNKNOWN_NODE}") == 404
    assert await status(hub_client.user, as_node(node)) < 300


async def test_a_removed_node_may_not_call_any_more(hub_client: HubClient) -> None:
    node = await hub_client.node()
    assert (await hub_client.user.get("/v1/nodes/ping", headers=as_node(node))).is_success

    gone = await hub_client.admin.delete("/v1/nodes/1")

    assert (gone.status_code, gone.content) == (204, b"")
    assert (await hub_client.user.get("/v1/nodes/1")).status_code == 404
    answer = await hub_client.user.get("/v1/nodes/ping", headers=as_node(node))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_node_id")
    assert await hub_client.audited("nodes.destroy") == [(1, "node", 1)]


async def test_a_node_stays_while_jobs_refer_to_it(hub_client: HubClient) -> None:
    node = await hub_client.node()
    await run_a_job(hub_client, node)

    answer = await hub_client.admin.delete(f"/v1/nodes/{node['pk']}")

    assert (answer.status_code, answer.json()["code"]) == (409, "node_in_use")
    assert (await hub_client.user.get(f"/v1/nodes/{node['pk']}")).status_code == 200
    assert await hub_client.audited("nodes.destroy") == []


async def test_a_node_shows_the_job_it_runs(hub_client: HubClient) -> None:
    node = await hub_client.node()
    job = await run_a_job(hub_client, node)

    one = await hub_client.user.get(f"/v1/nodes/{node['pk']}")
    listed = await hub_client.user.post("/v1/nodes/list")

    assert one.json()["current_job"] == job["pk"]
    assert listed.json() == [one.json()]


async def test_a_call_of_the_node_is_seen_at_once(hub_client: HubClient) -> None:
    node = await hub_client.node()

    answer = await hub_client.user.get("/v1/nodes/ping", headers=as_node(node))

    assert (answer.status_code, answer.content) == (200, b"")
    assert (await hub_client.user.get("/v1/nodes/1")).json()["last_seen"] is not None


async def last_seen(hub_client: HubClient, pk: int) -> str:
    """Return what the node and the list say of it, which is the same."""
    one = (await hub_client.user.get(f"/v1/nodes/{pk}")).json()["last_seen"]
    listed = await hub_client.user.post("/v1/nodes/list", json=filtered("pk", pk))
    assert [node["last_seen"] for node in listed.json()] == [one]
    return str(one)


async def test_last_seen_stays_the_same_until_the_node_calls_again(
    hub_client: HubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, hub = await hub_client.node(), hub_client.hub
    contacts = Contacts(hub.engine, hub.owners, hub.ledger)
    store, reads = nodes.seen, []

    async def storing(*args: Any) -> Any:
        reads.append(await last_seen(hub_client, node["pk"]))
        return await store(*args)

    monkeypatch.setattr(nodes, "seen", storing)
    before = None
    for _ in range(3):
        await hub_client.user.get("/v1/nodes/ping", headers=as_node(node))
        first = await last_seen(hub_client, node["pk"])
        assert before is None or before < first
        reads.clear()
        await contacts.flush()
        reads.append(await last_seen(hub_client, node["pk"]))
        assert len(reads) > 1
        assert set(reads) == {first}
        before = first


async def test_last_seen_does_not_go_back_when_it_is_stored_during_a_look(
    hub_client: HubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, hub = await hub_client.node(), hub_client.hub
    await hub_client.user.get("/v1/nodes/ping", headers=as_node(node))
    first = await last_seen(hub_client, node["pk"])
    contacts, look = Contacts(hub.engine, hub.owners, hub.ledger), Shelf.rows

    async def slow(*args: Any) -> Any:
        rows = await look(*args)
        await contacts.flush()
        return rows

    monkeypatch.setattr(Shelf, "rows", slow)
    assert await last_seen(hub_client, node["pk"]) == first


async def test_ping_takes_a_node_or_an_administrator(hub_client: HubClient) -> None:
    assert (await hub_client.admin.get("/v1/nodes/ping")).status_code == 200
    assert (await hub_client.user.get("/v1/nodes/ping")).status_code == 403


@pytest.mark.parametrize("pk", [0, UNKNOWN_NODE, 2**63, 10**30, "one"])
async def test_a_node_that_is_not_there_is_404(hub_client: HubClient, pk: int | str) -> None:
    assert (await hub_client.user.get(f"/v1/nodes/{pk}")).status_code == 404


# --- Another account for a node -------------------------------------------------------------------

URI = 3


async def may_call(hub_client: HubClient, node: Json) -> tuple[bool, bool]:
    """Whether the plain user and the other one may call as ``node``; who may not is told why."""
    answers = [
        await caller.get("/v1/nodes/ping", headers=as_node(node))
        for caller in (hub_client.user, hub_client.other)
    ]
    for answer in answers:
        if not answer.is_success:
            assert (answer.status_code, answer.json()["code"]) == (403, "node_not_yours")
            assert f"PATCH /v1/nodes/{node['pk']}" in answer.json()["detail"]
    return answers[0].is_success, answers[1].is_success


async def give(hub_client: HubClient, node: Json, owner: Any, **members: Any) -> httpx.Response:
    path = f"/v1/nodes/{node['pk']}"
    return await hub_client.admin.patch(path, json={"owner": owner} | members)


async def test_an_administrator_gives_a_node_to_another_account_at_once(
    hub_client: HubClient,
) -> None:
    node = await hub_client.node()
    assert await may_call(hub_client, node) == (True, False)

    answer = await give(hub_client, node, "uri", cpu_mem=7)

    assert answer.status_code == 200, answer.text
    seen = answer.json()["last_seen"]
    assert answer.json() == node | {"owner": URI, "cpu_mem": 7, "last_seen": seen}
    assert await may_call(hub_client, node) == (False, True)
    assert await hub_client.audited("nodes.hand_over") == [(1, "node", 1)]
    assert await hub_client.audited("nodes.update") == []
    (row,) = [
        row
        for row in (await hub_client.admin.get("/v1/audit")).json()["items"]
        if row["action"] == "nodes.hand_over"
    ]
    assert ('"owner":2' in row["before"], '"owner":3' in row["after"]) == (True, True)


async def test_a_node_as_it_is_shown_can_be_sent_back(hub_client: HubClient) -> None:
    node = await hub_client.node()
    await run_a_job(hub_client, node)
    path = f"/v1/nodes/{node['pk']}"

    own = await hub_client.user.put(path, json=node | {"cpu_mem": 7}, headers=as_node(node))
    admins = await hub_client.admin.put(path, json=node | {"cpu_mem": 8})

    assert (own.status_code, admins.status_code) == (200, 200)
    assert (admins.json()["cpu_mem"], admins.json()["owner"]) == (8, 2)
    assert await hub_client.audited("nodes.hand_over") == []


async def test_a_node_that_administers_is_noted_when_it_gives_itself_away(
    hub_client: HubClient,
) -> None:
    node = await hub_client.node(hub_client.admin)

    answer = await hub_client.admin.patch(
        f"/v1/nodes/{node['pk']}", json={"owner": URI}, headers=as_node(node)
    )

    assert (answer.status_code, answer.json()["owner"]) == (200, URI)
    assert await hub_client.audited("nodes.hand_over") == [(1, "node", 1)]


@pytest.mark.parametrize("owner", ["uri", "uma", "nobody", URI, 4242])
async def test_nobody_else_gives_a_node_away(hub_client: HubClient, owner: str | int) -> None:
    node = await hub_client.node()

    answer = await hub_client.user.patch(
        f"/v1/nodes/{node['pk']}", json={"owner": owner, "cpu_mem": 7}, headers=as_node(node)
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await hub_client.user.get("/v1/nodes/1")).json()["cpu_mem"] == 1
    assert await may_call(hub_client, node) == (True, False)


@pytest.mark.parametrize(
    "owner", ["nobody", "vic", "gone", "", "7", "x" * 200, "a\0b", 4242, 0, -1, 2**63, True, None]
)
async def test_a_node_goes_only_to_an_account_that_may_have_nodes(
    hub_client: HubClient, owner: Any
) -> None:
    await User.insert(
        User(username="gone", password_hash="x", role="user", joined_us=1, disabled_us=1)
    )
    node = await hub_client.node()

    answer = await give(hub_client, node, owner, cpu_mem=7)

    assert answer.status_code == 400, answer.text
    assert list(fields_of(answer)) == ["owner"]
    assert (await hub_client.user.get("/v1/nodes/1")).json() == node


async def test_a_node_is_not_given_away_while_it_has_a_job(hub_client: HubClient) -> None:
    node = await hub_client.node()
    job = await run_a_job(hub_client, node)

    refused = await give(hub_client, node, "uri")

    assert (refused.status_code, refused.json()["code"]) == (409, "node_holds_job")
    assert f"job {job['pk']}:" in refused.json()["detail"]
    assert await may_call(hub_client, node) == (True, False)
    assert (await hub_client.admin.delete(f"/v1/jobs/{job['pk']}/abort")).status_code == 200
    assert (await give(hub_client, node, "uri")).status_code == 200
    assert await may_call(hub_client, node) == (False, True)


async def test_a_node_that_may_come_back_to_a_lost_run_is_not_given_away(
    hub_client: HubClient,
) -> None:
    node = await hub_client.node()
    job = await run_a_job(hub_client, node)
    engine, ledger = hub_client.hub.engine, hub_client.hub.ledger
    silent = "UPDATE jobs SET lease_expires_us = 1, last_contact_us = 1 WHERE pk = ? RETURNING pk"
    for _ in ("suspect", "lost"):
        await engine.fetch(silent, (job["pk"],))
        await ledger.execute(c.Expire(actor=HUB, job=job["pk"], attempt=1, seen_us=1))
    shown = (await hub_client.user.get(f"/v1/jobs/{job['pk']}")).json()
    assert (shown["status"], shown["node"]) == ("QUEUED", None)

    refused = await give(hub_client, node, "uri")

    assert (refused.status_code, refused.json()["code"]) == (409, "node_holds_job")
    assert (await hub_client.admin.delete(f"/v1/jobs/{job['pk']}/abort")).status_code == 200
    assert (await give(hub_client, node, "uri")).status_code == 200


async def test_who_had_a_node_is_not_believed_from_a_look_that_is_out_of_date(
    hub_client: HubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, look = await hub_client.node(), nodes.owner

    async def slow(*args: Any) -> Any:
        owner = await look(*args)
        monkeypatch.setattr(nodes, "owner", look)
        assert (await give(hub_client, node, "uri")).status_code == 200
        return owner

    monkeypatch.setattr(nodes, "owner", slow)
    await hub_client.user.get("/v1/nodes/ping", headers=as_node(node))
    assert await may_call(hub_client, node) == (False, True)


async def test_a_node_that_jobs_refer_to_tells_what_can_be_done(hub_client: HubClient) -> None:
    node = await hub_client.node()
    await run_a_job(hub_client, node)

    refused = await hub_client.admin.delete(f"/v1/nodes/{node['pk']}")

    assert "another account" in refused.json()["detail"]


# --- Hardware -------------------------------------------------------------------------------------


async def test_hardware_has_exactly_the_members_that_workers_know(hub_client: HubClient) -> None:
    made = await generation(hub_client)

    assert made == {"pk": made["pk"]} | BLACKWELL
    assert (await hub_client.viewer.get(f"/v1/hardware/{made['pk']}")).json() == made
    found = await hub_client.viewer.post("/v1/hardware/list", json=filtered("pk", made["pk"]))
    assert found.json() == [made]
    assert await hub_client.audited("hardware.create") == [(1, "hardware", made["pk"])]


async def test_hardware_is_an_administrators(hub_client: HubClient) -> None:
    asked = [
        ("POST", "/v1/hardware/create"),
        ("PUT", "/v1/hardware/1"),
        ("PATCH", "/v1/hardware/1"),
        ("DELETE", "/v1/hardware/1"),
    ]

    answers = [await hub_client.user.request(method, path, json={}) for method, path in asked]

    assert [answer.status_code for answer in answers] == [403] * 4


async def test_hardware_can_be_changed_and_removed(hub_client: HubClient) -> None:
    made = await generation(hub_client)
    path = f"/v1/hardware/{made['pk']}"

    patched = await hub_client.admin.patch(path, json={"max_compute_capability": 14})
    put = await hub_client.admin.put(path, json=made | {"generation": "Rubin"})
    gone = await hub_client.admin.delete(path)

    assert patched.json() == made | {"max_compute_capability": 14.0}
    assert put.json() == made | {"generation": "Rubin"}
    assert gone.status_code == 204
    assert (await hub_client.admin.delete(path)).status_code == 404
    assert (await hub_client.admin.patch(path, json={})).status_code == 404


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"generation": "x" * 33}, "generation"),
        ({"generation": " "}, "generation"),
        ({"generation": "Rubin", "min_compute_capability": -1}, "min_compute_capability"),
        ({"generation": "Rubin", "min_compute_capability": "7"}, "min_compute_capability"),
        ({"generation": "Rubin", "max_compute_capability": 10**400}, "max_compute_capability"),
        ({"generation": "Rubin", "min_compute_capability": 13}, "non_field_errors"),
        ({"generation": "Rubin", "cores": 1}, "cores"),
        ({}, "generation"),
    ],
)
async def test_bad_hardware_is_refused(hub_client: HubClient, members: Json, field: str) -> None:
    await generation(hub_client)

    answer = await hub_client.admin.post("/v1/hardware/create", json=BLACKWELL | members)

    assert answer.status_code == 400
    assert list(fields_of(answer)) == [field]


async def test_two_changes_at_once_leave_no_empty_range(hub_client: HubClient) -> None:
    for n in range(10):
        made = await generation(hub_client, generation=f"Blackwell {n}")
        path = f"/v1/hardware/{made['pk']}"

        answers = await asyncio.gather(
            hub_client.admin.patch(path, json={"min_compute_capability": 12.9}),
            hub_client.admin.patch(path, json={"max_compute_capability": 10.1}),
        )

        assert sorted(answer.status_code for answer in answers) == [200, 400]


async def test_hardware_stays_while_a_node_has_it(hub_client: HubClient) -> None:
    made = await generation(hub_client)
    await hub_client.node(hardware_generation=made["pk"])

    answer = await hub_client.admin.delete(f"/v1/hardware/{made['pk']}")

    assert (answer.status_code, answer.json()["code"]) == (409, "hardware_in_use")


@pytest.mark.parametrize(
    ("compute", "name"),
    [
        *(("2", "Fermi"), ("6", "Pascal"), ("6.9999", "Pascal"), ("7.5", "Turing")),
        *(("75e-1", "Turing"), ("8.9", "Ada Lovelace"), ("9.0", "Hopper"), ("10", "Blackwell")),
    ],
)
async def test_a_compute_capability_names_its_generation(
    hub_client: HubClient, compute: str, name: str
) -> None:
    await generation(hub_client)

    answer = await hub_client.viewer.get(f"/v1/hardware/get-hardware-generation/{compute}")

    assert answer.json()["generation"] == name


@pytest.mark.parametrize("compute", ["99", "10", "1.9", "nan", "-7.5", "7_5", "x" * 200, "0x7"])
async def test_a_compute_capability_of_no_generation_is_refused(
    hub_client: HubClient, compute: str
) -> None:
    answer = await hub_client.viewer.get(f"/v1/hardware/get-hardware-generation/{compute}")

    assert answer.status_code == 400
    start = "Bad value for get_hardware_generation parameter 'compute': "
    detail = answer.json()["detail"]
    assert detail.startswith(start + compute[:80])
    assert detail.endswith(", options: [2.0, 10.0)")


async def signed_in_as(hub_client: HubClient, session: str) -> dict[str, str]:
    """Return the headers of another sign-in of the plain user, whose name is its token."""
    await Token.insert(
        Token(account=2, kind="access", sha256=digest(session), session=session, created_us=1)
    )
    return {"Authorization": f"Bearer {session}"}


async def test_two_sign_ins_that_take_turns_as_one_node_raise_an_alarm(
    hub_client: HubClient,
) -> None:
    node = as_node(await hub_client.node())
    copy = await signed_in_as(hub_client, "a copy")
    # One that the hub's own chore does not take from.
    hub_client.hub.owners.shared = SharedNodes()
    alarms = Alarms(hub_client.hub.engine, hub_client.hub.owners.shared)

    for headers in (node, node | copy, node, node | copy, node):
        answer = await hub_client.user.get("/v1/nodes/ping", headers=headers)
        assert answer.status_code == 200

    await alarms.write()
    assert await alarms.write() == 0
    assert await hub_client.audited("nodes.shared_identity") == [(2, "node", 1)]
    (row,) = [
        row
        for row in (await hub_client.admin.get("/v1/audit")).json()["items"]
        if row["action"] == "nodes.shared_identity"
    ]
    assert (row["session"], row["before"]) == ("uma", "a copy")


async def test_an_alarm_that_cannot_be_written_waits(
    hub_client: HubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = SharedNodes()
    for session in "ABA":
        shared.spoke(c.Actor(account=2, node=1, session=session))
    alarms = Alarms(hub_client.hub.engine, shared)

    async def away(*_: object) -> None:
        raise DatabaseAway("gone")

    with monkeypatch.context() as patched:
        patched.setattr(audit, "append", away)
        with pytest.raises(DatabaseAway):
            await alarms.write()
    assert await alarms.write() == 1
