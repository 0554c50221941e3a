"""Job templates over REST, on both databases."""

import asyncio
import re

import pytest

from tests.integration.conftest import HubClient, Json, fields_of, filtered

FULL = {
    "name": "resize",
    "description": "Makes pictures smaller.",
    "inputs": {"picture": "BLOB<'png'>"},
    "parameters": {
        "width": {"type": "int", "help": "In pixels.", "default": 640},
        "modes": {"types": ["Array<str>", "Nothing"]},
    },
    "outputs": {"picture": {"type": "BLOB<'png'>", "help": "The smaller one."}},
    "timeout_s": 60,
    "silence_s": 300,
    "max_tries": 5,
    "priority": 7,
    "labels": {"team": "blue"},
    "requirements": {"cpus": 2, "mem": 512.5, "labels": {"gpu": "yes"}},
    "executor_class": "paint.jobs.Resize",
    "required_packages": "paint==1.0 numpy",
}
TAKEN_OVER = set(FULL) - {"description"}


# --- Declare and show -----------------------------------------------------------------------------


async def test_a_template_shows_what_was_declared(hub_client: HubClient) -> None:
    made = await hub_client.template(**FULL)

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", made.pop("creation_time"))
    assert made == FULL | {
        "pk": 1,
        "version": 1,
        "scope": "",
        "domain": None,
        "licence": None,
        "creator": 1,
        "deletion_time": None,
        "type": "",
        "inputs": {"picture": {"types": ["BLOB<'png'>"], "help": ""}},
        "parameters": {
            "width": {
                "types": ["int"],
                "help": "In pixels.",
                "default": 640,
                "default_type": "int",
                "const": False,
            },
            "modes": {"types": ["Array<str, int>", "Nothing"], "help": ""},
        },
    }
    assert await hub_client.audited("job_templates.declare") == [(1, "job_template", 1)]


async def test_only_a_name_is_needed(hub_client: HubClient) -> None:
    made = await hub_client.template(name="bare")

    shown = await hub_client.viewer.get(f"/v1/job-templates/{made['pk']}")
    assert shown.json() == made
    assert (made["max_tries"], made["priority"], made["timeout_s"]) == (3, 100, None)
    assert (made["inputs"], made["requirements"], made["executor_class"]) == ({}, {}, None)


async def test_the_next_version_follows_the_highest_one(hub_client: HubClient) -> None:
    versions = [
        (await hub_client.template(**members))["version"]
        for members in ({}, {}, {"version": 9}, {}, {"name": "other"})
    ]

    assert versions == [1, 2, 9, 10, 1]


async def test_a_version_stands_once(hub_client: HubClient) -> None:
    await hub_client.template(version=4)

    again = await hub_client.admin.post("/v1/job-templates", json={"name": "work", "version": 4})

    assert (again.status_code, again.json()["code"]) == (409, "template_exists")
    assert len(await hub_client.audited("job_templates.declare")) == 1


async def test_a_deleted_version_may_be_declared_anew(hub_client: HubClient) -> None:
    old = await hub_client.template(version=4)
    await hub_client.admin.delete(f"/v1/job-templates/{old['pk']}")

    assert (await hub_client.template())["version"] == 5
    assert (await hub_client.template(version=4))["pk"] != old["pk"]


async def test_versions_declared_at_once_are_all_there(hub_client: HubClient) -> None:
    made = await asyncio.gather(*(hub_client.template() for _ in range(4)))

    assert sorted(template["version"] for template in made) == [1, 2, 3, 4]


async def test_versions_can_be_used_up(hub_client: HubClient) -> None:
    await hub_client.template(version=2**31 - 1)

    answer = await hub_client.admin.post("/v1/job-templates", json={"name": "work"})

    assert (answer.status_code, answer.json()["code"]) == (409, "template_exists")


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": None}, "name"),
        ({"version": 0}, "version"),
        ({"version": 2**31}, "version"),
        ({"version": "1"}, "version"),
        ({"description": "x" * 10_001}, "description"),
        ({"description": "\0"}, "description"),
        ({"inputs": []}, "inputs"),
        ({"inputs": {"x": "Unheard<"}}, "inputs.x"),
        ({"inputs": {"x": "Unheard"}}, "inputs.x"),
        ({"parameters": {"x": "BLOB"}}, "parameters.x"),
        ({"parameters": {"x": {"type": "int", "default": "one"}}}, "parameters.x"),
        ({"parameters": {"x": {"type": "int", "default": 2**70}}}, "parameters.x"),
        ({"outputs": {"a/b": "int"}}, "outputs.a/b"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"silence_s": 11}, "silence_s"),
        ({"timeout_s": 10**30}, "timeout_s"),
        ({"max_tries": 0}, "max_tries"),
        ({"max_tries": 101}, "max_tries"),
        ({"priority": -1}, "priority"),
        ({"priority": 1_000_001}, "priority"),
        ({"labels": {"a": 1}}, "labels"),
        ({"labels": {"a": "\0"}}, "labels"),
        ({"labels": {"\0": "a"}}, "labels"),
        ({"requirements": {"cpus": -1}}, "requirements"),
        ({"requirements": {"gpu": 10**300}}, "requirements"),
        ({"requirements": {"wheels": 4}}, "wheels"),
        ({"requirements": {"labels": {"a": "\0"}}}, "requirements"),
        ({"executor_class": "Resize"}, "executor_class"),
        ({"executor_class": "a b.c"}, "executor_class"),
        ({"executor_class": f"a.{'b' * 127}"}, "executor_class"),
        ({"required_packages": "x" * 4_097}, "required_packages"),
        ({"required_packages": "\0"}, "required_packages"),
        ({"creator": 1}, "creator"),
    ],
)
async def test_a_bad_member_of_a_template_is_named(
    hub_client: HubClient, members: Json, field: str
) -> None:
    answer = await hub_client.admin.post("/v1/job-templates", json={"name": "t"} | members)

    assert answer.status_code == 400
    assert list(fields_of(answer)) == [field]


async def test_a_template_needs_a_name(hub_client: HubClient) -> None:
    answer = await hub_client.admin.post("/v1/job-templates", json={})

    assert fields_of(answer) == {"name": ["This field is required."]}


@pytest.mark.parametrize("body", ["[]", "{", "7", '{"name": "\\ud800"}', '{"name": 1e999}'])
async def test_a_template_is_a_json_object(hub_client: HubClient, body: str) -> None:
    answer = await hub_client.admin.send_json("POST", "/v1/job-templates", body)

    assert answer.status_code == 400


async def test_templates_are_not_created_the_ufdl_way(hub_client: HubClient) -> None:
    for caller in (hub_client.admin, hub_client.viewer):
        assert (await caller.post("/v1/job-templates/create", json=FULL)).status_code == 403


async def test_templates_are_an_administrators(hub_client: HubClient) -> None:
    template = await hub_client.template()
    url = f"/v1/job-templates/{template['pk']}"
    asked = [
        ("POST", "/v1/job-templates"),
        ("PUT", url),
        ("PATCH", url),
        ("DELETE", url),
        ("DELETE", f"{url}/reinstate"),
        ("DELETE", f"{url}/hard"),
    ]

    answers = [await hub_client.user.request(m, path, json={"name": "x"}) for m, path in asked]

    assert [answer.status_code for answer in answers] == [403] * 6
    assert (await hub_client.user.get(url)).json() == template


async def test_a_template_that_is_not_there_is_404(hub_client: HubClient) -> None:
    url = "/v1/job-templates/4242"
    asked = [
        ("GET", url),
        ("PUT", url),
        ("PATCH", url),
        ("DELETE", url),
        ("DELETE", f"{url}/reinstate"),
        ("DELETE", f"{url}/hard"),
    ]

    answers = [await hub_client.admin.request(method, path, json={}) for method, path in asked]

    assert [answer.status_code for answer in answers] == [404] * 6


async def test_active_templates_are_listed(hub_client: HubClient) -> None:
    first = await hub_client.template()
    second = await hub_client.template()
    await hub_client.admin.delete(f"/v1/job-templates/{first['pk']}")

    active = await hub_client.viewer.post("/v1/job-templates/list")
    every = await hub_client.viewer.post(
        "/v1/job-templates/list", json={"include_inactive": True} | filtered("name", "work")
    )

    assert active.json() == [second]
    assert [row["pk"] for row in every.json()] == [first["pk"], second["pk"]]


# --- New versions ---------------------------------------------------------------------------------


async def test_a_patch_makes_the_next_version_and_takes_the_rest_over(
    hub_client: HubClient,
) -> None:
    old = await hub_client.template(**FULL)

    answer = await hub_client.admin.patch(
        f"/v1/job-templates/{old['pk']}", json={"description": "Better."}
    )

    new = answer.json()
    assert answer.status_code == 201
    assert (new["pk"], new["version"], new["description"]) == (2, 2, "Better.")
    assert {name: new[name] for name in TAKEN_OVER} == {name: old[name] for name in TAKEN_OVER}
    assert (await hub_client.viewer.get("/v1/job-templates/1")).json() == old
    assert await hub_client.audited("job_templates.partial_update") == [(1, "job_template", 2)]


async def test_a_put_makes_the_next_version_with_defaults_for_the_rest(
    hub_client: HubClient,
) -> None:
    await hub_client.template(**FULL)
    await hub_client.template(**FULL)

    answer = await hub_client.admin.put(
        "/v1/job-templates/1", json={"name": "resize", "inputs": {"x": "int"}}
    )

    new = answer.json()
    assert (answer.status_code, new["name"], new["version"]) == (201, "resize", 3)
    assert new["inputs"] == {"x": {"types": ["int"], "help": ""}}
    assert (new["parameters"], new["max_tries"], new["executor_class"]) == ({}, 3, None)
    assert await hub_client.audited("job_templates.update") == [(1, "job_template", 3)]


async def test_a_patch_can_take_things_away(hub_client: HubClient) -> None:
    await hub_client.template(**FULL)

    answer = await hub_client.admin.patch(
        "/v1/job-templates/1", json={"timeout_s": None, "labels": {}, "executor_class": None}
    )

    new = answer.json()
    assert (new["timeout_s"], new["labels"], new["executor_class"]) == (None, {}, None)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    "body",
    [
        {"name": "other"},
        {"version": 7},
        {"max_tries": 0},
        {"inputs": {"x": "?"}},
        {"labels": {"": "x"}},
    ],
)
async def test_a_bad_version_is_refused(hub_client: HubClient, method: str, body: Json) -> None:
    await hub_client.template()

    answer = await hub_client.admin.request(method, "/v1/job-templates/1", json=body)

    assert answer.status_code == 400
    assert len((await hub_client.viewer.post("/v1/job-templates/list")).json()) == 1


async def test_a_deleted_template_has_no_next_version(hub_client: HubClient) -> None:
    await hub_client.template()
    await hub_client.admin.delete("/v1/job-templates/1")

    answer = await hub_client.admin.patch("/v1/job-templates/1", json={})

    assert (answer.status_code, answer.json()["code"]) == (409, "template_deleted")


# --- Deletion -------------------------------------------------------------------------------------


async def test_deletion_is_a_mark_that_can_be_taken_back(hub_client: HubClient) -> None:
    made = await hub_client.template()
    url = f"/v1/job-templates/{made['pk']}"

    assert [(await hub_client.admin.delete(url)).status_code for _ in range(2)] == [204, 204]
    assert (await hub_client.viewer.get(url)).json()["deletion_time"] is not None
    back = [await hub_client.admin.delete(f"{url}/reinstate") for _ in range(2)]

    assert [(answer.status_code, answer.json()) for answer in back] == [(200, made)] * 2
    subject = (1, "job_template", made["pk"])
    assert await hub_client.audited("job_templates.destroy") == [subject]
    assert await hub_client.audited("job_templates.reinstate") == [subject]


async def test_a_template_does_not_come_back_beside_its_successor(hub_client: HubClient) -> None:
    old = await hub_client.template(version=1)
    await hub_client.admin.delete(f"/v1/job-templates/{old['pk']}")
    await hub_client.template(version=1)

    answer = await hub_client.admin.delete(f"/v1/job-templates/{old['pk']}/reinstate")

    assert (answer.status_code, answer.json()["code"]) == (409, "template_exists")
    assert await hub_client.audited("job_templates.reinstate") == []


async def test_hard_deletion_answers_with_what_was_there(hub_client: HubClient) -> None:
    made = await hub_client.template()

    answer = await hub_client.admin.delete(f"/v1/job-templates/{made['pk']}/hard")

    assert (answer.status_code, answer.json()) == (200, made)
    assert (await hub_client.viewer.get(f"/v1/job-templates/{made['pk']}")).status_code == 404
    subject = (1, "job_template", made["pk"])
    assert await hub_client.audited("job_templates.hard_delete") == [subject]


async def test_both_deletions_at_once_do_not_wait_for_each_other(hub_client: HubClient) -> None:
    for _ in range(10):
        at = f"/v1/job-templates/{(await hub_client.template())['pk']}"

        marked, gone = await asyncio.gather(
            hub_client.admin.delete(at), hub_client.admin.delete(f"{at}/hard")
        )

        assert (marked.status_code, gone.status_code) in {(204, 200), (404, 200)}


async def test_a_template_with_jobs_is_not_removed_for_good(hub_client: HubClient) -> None:
    made = await hub_client.template()
    job = await hub_client.job(made["pk"])
    await hub_client.admin.delete(f"/v1/jobs/{job['pk']}")

    answer = await hub_client.admin.delete(f"/v1/job-templates/{made['pk']}/hard")

    assert (answer.status_code, answer.json()["code"]) == (409, "template_in_use")
    assert await hub_client.audited("job_templates.hard_delete") == []
