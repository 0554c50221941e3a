"""New jobs over REST, on both databases."""

import asyncio
import json
import threading
from typing import Any

import httpx
import pytest

from hub.api import submission
from tests.integration.conftest import HubClient, Json, fields_of

INTERFACE: Json = {
    "inputs": {"size": {"types": ["int", "Array<int>"]}},
    "parameters": {
        "mode": {"type": "str", "default": "fast"},
        "fixed": {"type": "int", "default": 1, "const": True},
        "name": "str",
    },
    "labels": {"team": "blue", "site": "west"},
    "priority": 30,
    "max_tries": 4,
}
SIZE = {"value": 5, "type": "int"}
NAME = {"value": "n", "type": "str"}
TYPED: Json = {"input_values": {"size": SIZE}, "parameter_values": {"name": NAME}}
BARE: Json = {"inputs": {"size": 5}, "parameters": {"name": "n"}}

NINE = ("acquire", "release", "start", "progress", "finish", "error", "reset", "abort", "cancel")


@pytest.fixture
async def template(hub_client: HubClient) -> Json:
    return await hub_client.template(**INTERFACE)


async def submit(hub_client: HubClient, **members: Any) -> httpx.Response:
    return await hub_client.user.post("/v1/jobs", json={"template": "work"} | members)


async def create_job(hub_client: HubClient, body: Any, pk: int = 1) -> httpx.Response:
    return await hub_client.user.post(f"/v1/job-templates/{pk}/create-job", json=body)


async def jobs_of(hub_client: HubClient) -> int:
    ((count,),) = await hub_client.hub.engine.fetch("SELECT count(*) FROM jobs")
    return int(count)


# --- POST /v1/jobs --------------------------------------------------------------------------------


@pytest.mark.usefixtures("template")
@pytest.mark.parametrize("values", [TYPED, BARE])
async def test_a_job_keeps_its_values_with_their_types(hub_client: HubClient, values: Json) -> None:
    answer = await submit(hub_client, **values, description="Ünal's first")

    job = answer.json()
    assert answer.status_code == 201
    assert answer.headers["x-hub-cursor"]
    assert job["input_values"] == {"size": SIZE}
    assert job["parameter_values"] == {"name": NAME}
    assert (job["status"], job["creator"], job["node"]) == ("QUEUED", 2, None)
    assert job["template"] == {"pk": 1, "name": "work", "version": 1}
    assert (job["description"], job["outputs"]) == ("Ünal's first", [])
    assert (job["priority"], job["max_tries"]) == (30, 4)
    assert job["labels"] == {"team": "blue", "site": "west"}
    assert (await hub_client.viewer.get(f"/v1/jobs/{job['pk']}")).json() == job


@pytest.mark.usefixtures("template")
async def test_types_are_stored_in_their_canonical_text(hub_client: HubClient) -> None:
    sizes = {"size": {"value": [1, 2], "type": "Array< int >"}}

    answer = await submit(hub_client, **(TYPED | {"input_values": sizes}))

    assert answer.json()["input_values"]["size"]["type"] == "Array<int, int>"


@pytest.mark.usefixtures("template")
async def test_a_job_has_its_own_priority_and_adds_labels(hub_client: HubClient) -> None:
    answer = await submit(hub_client, **BARE, priority=0, labels={"team": "red", "run": "7"})

    job = answer.json()
    assert job["priority"] == 0
    assert job["labels"] == {"team": "red", "site": "west", "run": "7"}


async def test_a_name_means_its_highest_active_version(hub_client: HubClient) -> None:
    for _ in range(3):
        await hub_client.template()
    await hub_client.admin.delete("/v1/job-templates/3")

    newest = await hub_client.job("work")
    chosen = await hub_client.job("work", version=1)
    numbered = await hub_client.job(1)

    assert [j["template"]["version"] for j in (newest, chosen, numbered)] == [2, 1, 1]


@pytest.mark.usefixtures("template")
async def test_values_that_json_can_hold_come_back_as_they_were(hub_client: HubClient) -> None:
    await hub_client.template(name="any", inputs={"x": "JSON"})
    value = {"nul": "a\0b", "text": "Ünal ✓ 😀", "deep": [[{}]], "big": 2**63 - 1, "f": 1e-7}

    job = await hub_client.job("any", inputs={"x": value})

    shown = await hub_client.viewer.get(f"/v1/jobs/{job['pk']}")
    assert shown.json()["input_values"]["x"] == {"value": value, "type": "JSON"}


@pytest.mark.usefixtures("template")
@pytest.mark.parametrize(
    ("members", "status", "code"),
    [
        ({}, 422, "values_refused"),
        ({"inputs": {"size": 5}}, 400, "invalid_input"),
        (BARE | {"inputs": {"size": "five"}}, 422, "values_refused"),
        (BARE | {"inputs": {"size": 2**63}}, 422, "values_refused"),
        (BARE | {"inputs": {"size": 10**400}}, 422, "values_refused"),
        (BARE | {"inputs": {"size": 5, "more": 1}}, 422, "values_refused"),
        (BARE | {"parameters": {"name": "n", "more": 1}}, 422, "values_refused"),
        (BARE | {"parameters": {"name": "n", "fixed": 1}}, 422, "values_refused"),
        (BARE | {"input_values": {}}, 400, "invalid_input"),
        (TYPED | {"parameters": {}}, 400, "invalid_input"),
        (TYPED | {"input_values": {"size": {"value": 5}}}, 400, "invalid_input"),
        (TYPED | {"input_values": {"size": {"value": 5, "type": "?"}}}, 400, "bad_type"),
        (TYPED | {"input_values": {"size": {"value": 5, "type": "str"}}}, 422, "values_refused"),
        (BARE | {"priority": -1}, 400, "invalid_input"),
        (BARE | {"priority": 10**30}, 400, "invalid_input"),
        (BARE | {"labels": {"a": "\0"}}, 400, "invalid_input"),
        (BARE | {"labels": {"a": ["b"]}}, 400, "invalid_input"),
        (BARE | {"labels": {"a" * 65: "b"}}, 400, "invalid_input"),
        (BARE | {"labels": {str(n): "" for n in range(65)}}, 400, "invalid_input"),
        (BARE | {"labels": {str(n): "" for n in range(63)}}, 400, "invalid_input"),
        (BARE | {"description": "\0"}, 400, "invalid_input"),
        (BARE | {"description": "x" * 10_001}, 400, "invalid_input"),
        (BARE | {"description": None}, 400, "invalid_input"),
        (BARE | {"colour": "red"}, 400, "invalid_input"),
        (BARE | {"template": 0}, 400, "invalid_input"),
        (BARE | {"template": 2**63}, 400, "invalid_input"),
        (BARE | {"template": True}, 400, "invalid_input"),
        (BARE | {"template": "a\0b"}, 400, "invalid_input"),
        (BARE | {"template": 1, "version": 1}, 400, "invalid_input"),
        (BARE | {"version": 2}, 404, "not_found"),
        (BARE | {"version": 2**63 - 1}, 404, "not_found"),
        (BARE | {"template": "x" * 10_000}, 404, "not_found"),
        (BARE | {"template": 4242}, 404, "not_found"),
    ],
)
async def test_a_job_that_makes_no_sense_is_refused(
    hub_client: HubClient, members: Json, status: int, code: str
) -> None:
    answer = await submit(hub_client, **members)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await jobs_of(hub_client) == 0


@pytest.mark.usefixtures("template")
@pytest.mark.parametrize("body", ["", "[]", "{", '{"template": "\\udfff"}', "[" * 65 + "]" * 65])
async def test_a_job_is_a_json_object(hub_client: HubClient, body: str) -> None:
    assert (await hub_client.user.send_json("POST", "/v1/jobs", body)).status_code == 400


@pytest.mark.parametrize(("count", "is_beside"), [(1, False), (100_000, True)])
async def test_the_values_of_a_large_body_are_checked_beside_the_calls_of_others(
    hub_client: HubClient, monkeypatch: pytest.MonkeyPatch, count: int, is_beside: bool
) -> None:
    threads: list[int] = []

    def seen(check: Any) -> Any:
        def checked(*args: Any) -> Any:
            threads.append(threading.get_ident())
            return check(*args)

        return checked

    for name in ("bound_values", "bind"):
        monkeypatch.setattr(submission, name, seen(getattr(submission, name)))
    await hub_client.template(inputs={"x": "Array<int>"})
    values = [0] * count

    bare = await submit(hub_client, inputs={"x": values})
    typed = {"input_values": {"x": {"value": values, "type": "Array<int>"}}}
    created = await create_job(hub_client, typed)

    assert (bare.status_code, created.status_code) == (201, 200)
    assert created.json()["input_values"]["x"]["value"] == values
    assert [ident != threading.get_ident() for ident in threads] == [is_beside] * 2


async def test_values_beyond_the_limit_of_a_body_are_refused(hub_client: HubClient) -> None:
    await hub_client.template(inputs={"x": "str"})

    answer = await submit(hub_client, inputs={"x": "x" * 2**20})

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.usefixtures("template")
async def test_a_deleted_template_makes_no_jobs(hub_client: HubClient) -> None:
    await hub_client.job("work", **BARE)
    await hub_client.admin.delete("/v1/job-templates/1")

    by_pk = await submit(hub_client, **BARE, template=1)
    by_name = await submit(hub_client, **BARE)
    created = await create_job(hub_client, TYPED)

    assert (by_pk.status_code, by_pk.json()["code"]) == (409, "template_deleted")
    assert by_name.status_code == 404
    assert (created.status_code, created.json()["code"]) == (409, "template_deleted")


@pytest.mark.usefixtures("template")
@pytest.mark.parametrize("at", ["/v1/jobs", "/v1/job-templates/1/create-job"])
async def test_a_template_that_goes_meanwhile_makes_no_jobs(
    hub_client: HubClient, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    bind = submission._bound

    async def gone_meanwhile(*args: Any) -> Any:
        gone = await hub_client.admin.delete("/v1/job-templates/1/hard")
        assert gone.status_code == 200
        return await bind(*args)

    monkeypatch.setattr(submission, "_bound", gone_meanwhile)

    body = TYPED if at.endswith("create-job") else {"template": 1} | BARE
    answer = await hub_client.user.post(at, json=body)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert await jobs_of(hub_client) == 0


async def test_jobs_are_made_while_their_templates_are_removed(hub_client: HubClient) -> None:
    for _ in range(10):
        pk = (await hub_client.template())["pk"]

        made, gone = await asyncio.gather(
            create_job(hub_client, {"input_values": {}}, pk),
            hub_client.admin.delete(f"/v1/job-templates/{pk}/hard"),
        )

        assert (made.status_code, gone.status_code) in {(200, 409), (404, 200)}


@pytest.mark.usefixtures("template")
async def test_a_viewer_makes_no_jobs(hub_client: HubClient) -> None:
    job = await hub_client.viewer.post("/v1/jobs", json={"template": 1} | BARE)
    created = await hub_client.viewer.post("/v1/job-templates/1/create-job", json=TYPED)

    assert (job.status_code, created.status_code) == (403, 403)


async def test_nobody_creates_jobs_where_ufdl_refuses_it(hub_client: HubClient) -> None:
    for caller in (hub_client.admin, hub_client.user, hub_client.viewer):
        assert (await caller.post("/v1/jobs/create", json={"template": 1})).status_code == 403


# --- create-job -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("template")
async def test_create_job_answers_with_the_job(hub_client: HubClient) -> None:
    answer = await create_job(hub_client, TYPED | {"description": "d"})

    job = answer.json()
    assert answer.status_code == 200
    assert (job["input_values"], job["parameter_values"]) == ({"size": SIZE}, {"name": NAME})
    assert (job["description"], job["priority"], job["max_tries"]) == ("d", 30, 4)
    assert job["labels"] == INTERFACE["labels"]
    assert (await hub_client.viewer.get(f"/v1/jobs/{job['pk']}")).json() == job


@pytest.mark.parametrize("parameters", [{}, {"parameter_values": None}, {"parameter_values": {}}])
async def test_no_parameters_are_an_empty_object(hub_client: HubClient, parameters: Json) -> None:
    await hub_client.template()

    answer = await create_job(hub_client, {"input_values": {}} | parameters)

    assert (answer.status_code, answer.json()["parameter_values"]) == (200, {})


@pytest.mark.usefixtures("template")
async def test_surplus_inputs_are_dropped(hub_client: HubClient) -> None:
    body = TYPED | {"input_values": {"size": SIZE, "more": {"value": None, "type": "Nothing"}}}

    assert (await create_job(hub_client, body)).json()["input_values"] == {"size": SIZE}


@pytest.mark.usefixtures("template")
@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({}, 400, "input_values"),
        (TYPED | {"input_values": None}, 400, "input_values"),
        (TYPED | {"colour": "red"}, 400, "colour"),
        (TYPED | {"description": 5}, 400, "description"),
        (TYPED | {"description": "\0"}, 400, "description"),
        (TYPED | {"priority": 5}, 400, "priority"),
        (TYPED | {"input_values": {"size": 5}}, 400, "input_values"),
        (
            TYPED | {"input_values": {"size": {"value": 5, "type": "Colour"}}},
            400,
            'Error parsing type-string "Colour": Unknown type-name "Colour"',
        ),
        (
            {"input_values": {}},
            422,
            "No input value provided for input 'size'",
        ),
        ({"input_values": {"size": SIZE}}, 400, "Required parameter 'name' is missing"),
        (
            TYPED | {"parameter_values": {"name": NAME, "fixed": SIZE}},
            422,
            "fixed is const",
        ),
        (
            TYPED | {"parameter_values": {"name": NAME, "q": NAME}},
            422,
            "Unknown job parameters: q",
        ),
        (TYPED | {"parameter_values": {"name": SIZE}}, 422, "'name' takes str, not int"),
        (
            TYPED | {"input_values": {"size": {"value": "x", "type": "int"}}},
            422,
            "'size' is no int: size: expected int, got text",
        ),
    ],
)
async def test_create_job_says_what_it_refuses(
    hub_client: HubClient, body: Json, status: int, detail: str
) -> None:
    answer = await create_job(hub_client, body)

    assert answer.status_code == status
    assert detail in answer.json()["detail"]
    assert await jobs_of(hub_client) == 0


async def test_a_missing_template_is_noticed_before_a_bad_body(hub_client: HubClient) -> None:
    assert (await create_job(hub_client, [], pk=4242)).status_code == 404


# --- Notifications --------------------------------------------------------------------------------


def overriding(*actions: Any, transition: str = "on_start", **more: Any) -> Json:
    return {
        "input_values": {},
        "notification_override": {"actions": {transition: list(actions)}, **more},
    }


async def test_web_socket_notifications_may_be_asked_for(hub_client: HubClient) -> None:
    await hub_client.template()
    silent = {"suppress_for_parent": True}
    override = {"actions": {f"on_{name}": [{}, {}, silent] for name in NINE}, "keep_default": True}

    answer = await create_job(hub_client, {"input_values": {}, "notification_override": override})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "action",
    [
        {"message": "{pk} started"},
        {"message": "m", "suppress_for_parent": False},
        {"subject": "s", "body": "b"},
        {"subject": "s", "body": "b", "to": ["a@example.org"], "cc": [], "bcc": []},
    ],
)
async def test_prints_and_mails_are_kept_with_the_job(hub_client: HubClient, action: Json) -> None:
    await hub_client.template()

    answer = await create_job(hub_client, overriding({}, action, action, {}))

    assert answer.status_code == 200
    ((kept,),) = await hub_client.hub.engine.fetch("SELECT notifications FROM job_specs")
    assert json.loads(kept) == {"start": [action]}


async def test_a_job_without_an_override_keeps_none(hub_client: HubClient) -> None:
    await hub_client.template()

    await create_job(hub_client, {"input_values": {}, "notification_override": None})

    kept = await hub_client.hub.engine.fetch("SELECT notifications FROM job_specs")
    assert kept == [(None,)]


@pytest.mark.parametrize(
    "body",
    [
        overriding({"message": 5}),
        overriding({"colour": "red"}),
        overriding({"suppress_for_parent": "yes"}),
        overriding({"subject": "s"}),
        overriding({"subject": "s", "body": "b", "to": []}),
        overriding({"subject": "s", "body": "b", "to": ["a@b", "a@b"]}),
        overriding({"subject": "s\r\nBcc: a@b", "body": "b"}),
        overriding({"message": "{pk.__class__}"}),
        overriding({"message": "a\0b"}),
        overriding("print"),
        overriding({}, transition="on_create"),
        overriding({}, transition="start"),
        overriding({}, keep_default="yes"),
        overriding({}, keep=True),
        {"input_values": {}, "notification_override": {}},
        {"input_values": {}, "notification_override": {"actions": []}},
        {"input_values": {}, "notification_override": {"actions": {"on_start": {}}}},
        {"input_values": {}, "notification_override": []},
    ],
)
async def test_an_override_of_another_form_is_refused(hub_client: HubClient, body: Json) -> None:
    await hub_client.template()

    answer = await create_job(hub_client, body)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert list(fields_of(answer)) == ["notification_override"]


async def test_a_template_without_children_takes_no_overrides_for_them(
    hub_client: HubClient,
) -> None:
    await hub_client.template()

    empty = await create_job(hub_client, {"input_values": {}, "child_notification_overrides": {}})
    null = await create_job(hub_client, {"input_values": {}, "child_notification_overrides": None})

    assert (empty.status_code, empty.json()["code"]) == (409, "no_children")
    assert null.status_code == 200


@pytest.mark.parametrize(("silence_s", "expected"), [(None, 3_600), (120, 120)])
async def test_a_template_says_for_how_long_its_nodes_may_be_silent(
    hub_client: HubClient, silence_s: int | None, expected: int
) -> None:
    template = await hub_client.template(silence_s=silence_s)
    made = await hub_client.job(template["pk"])
    sql = "SELECT silence_s FROM jobs WHERE pk = ?"
    assert await hub_client.hub.engine.fetch(sql, (made["pk"],)) == [(expected,)]
