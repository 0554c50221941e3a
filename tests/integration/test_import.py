"""Templates that come and go whole, over REST, on both databases."""

import asyncio
import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

from hub.api import template_exchange
from tests.integration.conftest import HubClient, Json, fields_of, filtered
from tests.integration.template_forms import (
    BARE,
    CHAIN,
    IMAGES,
    NATIVE,
    NATIVE_FORM,
    TORCH,
    TRAIN,
    TRAINING,
    active,
    but,
    exported,
    imported,
    lasting,
    send,
)

# --- What an import makes -------------------------------------------------------------------------


async def test_an_imported_template_is_shown_as_it_was_sent(hub_client: HubClient) -> None:
    made = await imported(hub_client, TRAIN)

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", made.pop("creation_time"))
    licence = made.pop("licence")
    assert made == {
        "pk": 1,
        "name": "train",
        "version": 3,
        "description": "Tell pictures apart.",
        "scope": "all",
        "domain": "ic",
        "creator": 1,
        "deletion_time": None,
        "type": TRAINING,
        "executor_class": "kennel.work.Train",
        "required_packages": "kennel==1.0 numpy",
        "parameters": {
            "epochs": {
                "types": ["int", "Array<int>"],
                "help": "rounds",
                "default": 5,
                "default_type": "int",
                "const": False,
            },
            "rate": TRAIN["specific"]["parameters"]["rate"],
            "seed": {"types": ["Array< int >"], "help": "of each round"},
        },
        "inputs": {"dataset": {"types": [f"PK<Dataset<{IMAGES}>>"], "help": ""}},
        "outputs": {"model": {"type": f"Model<{IMAGES}, {TORCH}>", "help": ""}},
        "timeout_s": None,
        "silence_s": None,
        "max_tries": 3,
        "priority": 100,
        "labels": {},
        "requirements": {},
    }
    named = await hub_client.viewer.post("/v1/licences/list", json=filtered("name", "Apache 2.0"))
    assert [row["pk"] for row in named.json()] == [licence]
    assert (await hub_client.viewer.get("/v1/job-templates/1")).json()["type"] == TRAINING
    assert await hub_client.audited("job_templates.import") == [(1, "job_template", 1)]


async def test_what_is_optional_may_be_absent(hub_client: HubClient) -> None:
    made = await imported(hub_client, BARE)

    assert (made["version"], made["description"], made["domain"]) == (1, "", None)
    assert (made["parameters"], made["inputs"], made["outputs"]) == ({}, {}, {})


async def test_jobs_are_made_from_an_imported_template_like_from_any_other(
    hub_client: HubClient,
) -> None:
    await imported(hub_client, TRAIN)
    dataset = {"value": 7, "type": f"PK<Dataset<{IMAGES}>>"}
    seed = {"value": [1, 2], "type": "Array<int, 2>"}

    job = await hub_client.user.post(
        "/v1/job-templates/1/create-job",
        json={
            "input_values": {"dataset": dataset, "surplus": {"value": 1, "type": "int"}},
            "parameter_values": {"seed": seed},
        },
    )

    assert job.status_code == 200, job.text
    assert job.json()["input_values"] == {"dataset": dataset}
    assert job.json()["parameter_values"] == {"seed": seed}


async def test_a_worker_finds_jobs_of_imported_templates_that_have_an_executor(
    hub_client: HubClient,
) -> None:
    await imported(hub_client, BARE)
    await imported(hub_client, but(BARE, name="without", specific__executor_class=""))
    await hub_client.template()
    job = await hub_client.job("bare")
    for name in ("without", "work"):
        await hub_client.job(name)
    workable = {"field": "template.workabletemplate", "type": "isnull", "invert": True}

    found = await hub_client.user.post("/v1/jobs/list", json={"expressions": [workable]})

    assert [row["pk"] for row in found.json()] == [job["pk"]]


async def test_templates_come_and_go_by_administrators(hub_client: HubClient) -> None:
    await imported(hub_client, BARE)

    for caller in (hub_client.user, hub_client.viewer):
        assert (await caller.post("/v1/job-templates/import", json=BARE)).status_code == 403
        assert (await caller.get("/v1/job-templates/1/export")).status_code == 403


# --- Versions -------------------------------------------------------------------------------------


async def test_a_version_takes_the_place_of_the_active_one(hub_client: HubClient) -> None:
    old = await imported(hub_client, TRAIN)
    job = {"input_values": {"dataset": {"value": 7, "type": "PK<Dataset>"}}}
    new = await imported(hub_client, but(TRAIN, description="Better."))

    assert (new["pk"], new["version"], new["description"]) == (2, 3, "Better.")
    assert await active(hub_client) == [new]
    gone = (await hub_client.viewer.get("/v1/job-templates/1")).json()
    assert gone["deletion_time"] == new["creation_time"]
    assert lasting(gone) == lasting(old)
    refused = await hub_client.user.post("/v1/job-templates/1/create-job", json=job)
    assert (refused.status_code, refused.json()["code"]) == (409, "template_deleted")
    assert await hub_client.audited("job_templates.replace") == [(1, "job_template", 1)]


async def test_an_import_may_take_the_place_of_a_declared_template(hub_client: HubClient) -> None:
    await hub_client.template(name="bare", version=2)

    made = await imported(hub_client, but(BARE, version=2))

    assert await active(hub_client) == [made]


async def test_without_a_version_it_is_the_one_after_the_highest_active_one(
    hub_client: HubClient,
) -> None:
    versions = [(await imported(hub_client, BARE))["version"] for _ in range(3)]
    await hub_client.admin.delete("/v1/job-templates/3")
    versions.append((await imported(hub_client, BARE))["version"])
    versions.append((await imported(hub_client, but(BARE, version=9)))["version"])
    versions.append((await imported(hub_client, BARE))["version"])

    assert versions == [1, 2, 3, 3, 9, 10]


async def test_versions_can_be_used_up(hub_client: HubClient) -> None:
    await imported(hub_client, but(BARE, version=2**31 - 1))

    answer = await send(hub_client, BARE)

    assert (answer.status_code, answer.json()["code"]) == (409, "template_exists")


async def test_imports_at_once_get_versions_of_their_own(hub_client: HubClient) -> None:
    made = await asyncio.gather(*(imported(hub_client, BARE) for _ in range(6)))

    assert sorted(template["version"] for template in made) == [1, 2, 3, 4, 5, 6]
    assert len(await active(hub_client)) == 6


async def test_of_imports_of_one_version_at_once_the_last_one_stays(hub_client: HubClient) -> None:
    made = await asyncio.gather(*(imported(hub_client, TRAIN) for _ in range(6)))

    (left,) = await active(hub_client)
    assert left["pk"] in {template["pk"] for template in made}
    assert len(await hub_client.audited("job_templates.import")) == 6
    assert len(await hub_client.audited("job_templates.replace")) == 5


# --- What is refused ------------------------------------------------------------------------------

PARAMETER = {"types": ["int"], "help": ""}


def with_parameter(**members: Any) -> Json:
    return but(BARE, specific__parameters={"x": PARAMETER | members})


BAD: dict[str, tuple[Any, str]] = {
    "no object": ([], "Expected `object`"),
    "nothing": ({}, "name"),
    "an unknown member": (but(BARE, colour="red"), "colour: Unknown field."),
    "no name": (but(BARE, name=...), "name: This field is required."),
    "an empty name": (but(BARE, name=""), "name"),
    "a blank name": (but(BARE, name="  "), "name: This field may not be blank."),
    "a long name": (but(BARE, name="x" * 201), "name"),
    "a name with NUL": (but(BARE, name="a\0b"), "name: Null characters are not allowed."),
    "version 0": (but(BARE, version=0), "version"),
    "a huge version": (but(BARE, version=2**31), "version"),
    "a null version": (but(BARE, version=None), "version"),
    "version as text": (but(BARE, version="1"), "version"),
    "description as number": (but(BARE, description=5), "description"),
    "description with NUL": (but(BARE, description="\0"), "description"),
    "no scope": (but(BARE, scope=...), "scope: This field is required."),
    "an empty scope": (but(BARE, scope=""), "scope"),
    "a long scope": (but(BARE, scope="x" * 17), "scope"),
    "no licence": (but(BARE, licence=...), "licence: This field is required."),
    "an unknown licence": (but(BARE, licence="Mine"), "there is no licence 'Mine'"),
    "licence with NUL": (but(BARE, licence="\0"), "licence"),
    "a licence by number": (but(BARE, licence=1), "licence"),
    "an unknown domain": (but(BARE, domain="zz"), "there is no domain 'zz'"),
    "a long domain": (but(BARE, domain="abc"), "domain"),
    "domain with NUL": (but(BARE, domain="a\0"), "domain"),
    "no specific": (but(BARE, specific=...), "specific: This field is required."),
    "specific as text": (but(BARE, specific="Export"), "specific"),
    "empty specific": (but(BARE, specific={}), "job_type"),
    "unknown in specific": (but(BARE, specific__colour="red"), "colour"),
    "no contract": (but(BARE, specific__job_type=...), "job_type"),
    "an empty contract": (but(BARE, specific__job_type=""), "job_type"),
    "a long contract": (but(BARE, specific__job_type="x" * 257), "job_type"),
    "an unknown contract": (
        but(BARE, specific__job_type="Dance"),
        "Bad name 'Dance': Unknown contract name",
    ),
    "a broken contract": (but(BARE, specific__job_type="Train<"), "Train<"),
    "too few arguments": (but(TRAIN, specific__job_type=f"Train<{IMAGES}>"), "2 arguments"),
    "no arguments": (but(TRAIN, specific__job_type="Train"), "2 arguments, not 0"),
    "too many arguments": (but(BARE, specific__job_type="Export<int>"), "0 arguments"),
    "arguments of another kind": (but(TRAIN, specific__job_type="Train<int, str>"), "Domain"),
    "no executor": (but(BARE, specific__executor_class=...), "executor_class"),
    "a null executor": (but(BARE, specific__executor_class=None), "executor_class"),
    "a long executor": (but(BARE, specific__executor_class="x" * 129), "executor_class"),
    "executor with NUL": (but(BARE, specific__executor_class="\0"), "Null"),
    "no packages": (but(BARE, specific__required_packages=...), "required_packages"),
    "packages with NUL": (but(BARE, specific__required_packages="\0"), "Null"),
    "no parameters": (but(BARE, specific__parameters=...), "parameters"),
    "too many parameters": (
        but(BARE, specific__parameters={str(n): PARAMETER for n in range(257)}),
        "more than 256 parameters",
    ),
    "a blank parameter": (but(BARE, specific__parameters={" ": PARAMETER}), "printable"),
    "no types": (with_parameter(types=[]), "types"),
    "too many types": (with_parameter(types=["int"] * 33), "types"),
    "an unknown type": (with_parameter(types=["Colour"]), 'Unknown type-name "Colour"'),
    "a broken type": (with_parameter(types=["Array<"]), "Array<"),
    "a type that is not JSON": (with_parameter(types=["int", "BLOB"]), "BLOB is not"),
    "no help": (but(BARE, specific__parameters={"x": {"types": ["int"]}}), "help"),
    "long help": (with_parameter(help="x" * 4_097), "help"),
    "a default of another type": (with_parameter(default="x"), "is no int"),
    "a huge default": (with_parameter(default=2**70), "is no int"),
    "a default type of no sub-type": (with_parameter(default="x", default_type="str"), "str"),
    "an unknown default type": (with_parameter(default=1, default_type="Colour"), "Colour"),
    "a null default": (with_parameter(default=None), "is no int"),
    "const without default": (with_parameter(const=True), "const"),
    "const as text": (with_parameter(const="yes", default=1), "const"),
    "unknown in a parameter": (with_parameter(colour="red"), "colour"),
    "a default of the second type": (
        with_parameter(types=["int", "str"], default="x"),
        "is no int",
    ),
    "a bad condition": (but(BARE, hub={"max_tries": 0}), "max_tries"),
    "an unknown condition": (but(BARE, hub={"colour": "red"}), "colour"),
    "a label with NUL": (but(BARE, hub={"labels": {"a": "\0"}}), "labels"),
    "native with a bad type": (
        {"name": "n", "specific": {"inputs": {"x": "Colour"}, "outputs": {}}},
        "inputs.x",
    ),
    "native without outputs": ({"name": "n", "specific": {"inputs": {}}}, "outputs"),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_template_is_refused_and_the_old_one_stays(
    hub_client: HubClient, case: str
) -> None:
    form, detail = BAD[case]
    old = await imported(hub_client, but(BARE, version=1))
    before = await hub_client.hub.engine.fetch("SELECT count(*) FROM audit")
    if "name" in form:
        form = {"version": 1} | form

    answer = await send(hub_client, form)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_job_template")
    assert answer.json()["detail"].startswith("Bad job template: ")
    assert detail in answer.json()["detail"]
    assert await active(hub_client) == [old]
    assert await hub_client.hub.engine.fetch("SELECT count(*) FROM audit") == before


@pytest.mark.parametrize("body", ["", "{", "7", '{"name": "\\ud800"}', '{"name": 1e999}'])
async def test_a_form_is_a_json_object(hub_client: HubClient, body: str) -> None:
    answer = await hub_client.admin.send_json("POST", "/v1/job-templates/import", body)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_job_template")


async def test_an_import_that_fails_at_the_last_moment_leaves_the_old_template(
    hub_client: HubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await imported(hub_client, TRAIN)
    licence = await hub_client.admin.post(
        "/v1/licences/create", json={"name": "Mine", "url": "https://example.org"}
    )
    assert licence.status_code == 201, licence.text

    looked_up = template_exchange._names

    async def removed_meanwhile(*args: Any) -> Any:
        names = await looked_up(*args)
        gone = await hub_client.admin.delete(f"/v1/licences/{licence.json()['pk']}")
        assert gone.status_code == 204
        return names

    monkeypatch.setattr(template_exchange, "_names", removed_meanwhile)

    answer = await send(hub_client, but(TRAIN, licence="Mine"))

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_job_template")
    assert await active(hub_client) == [old]
    assert await hub_client.audited("job_templates.replace") == []


async def test_a_licence_stays_while_a_template_is_under_it(hub_client: HubClient) -> None:
    mine = {"name": "Mine", "url": "https://example.org"}
    licence = (await hub_client.admin.post("/v1/licences/create", json=mine)).json()["pk"]
    made = await imported(hub_client, but(BARE, licence="Mine"))
    await hub_client.admin.delete(f"/v1/job-templates/{made['pk']}")

    gone = await hub_client.admin.delete(f"/v1/licences/{licence}")
    renamed = await hub_client.admin.patch(f"/v1/licences/{licence}", json={"name": "Ours"})

    assert (made["licence"], renamed.status_code) == (licence, 200)
    assert (gone.status_code, gone.json()["code"]) == (409, "licence_in_use")
    assert (await exported(hub_client, made["pk"]))["licence"] == "Ours"


# --- Export ---------------------------------------------------------------------------------------


async def test_an_export_is_what_was_imported(hub_client: HubClient) -> None:
    await imported(hub_client, TRAIN)

    form = await exported(hub_client, 1)

    epochs = TRAIN["specific"]["parameters"]["epochs"] | {"default_type": "int", "const": False}
    assert form == but(TRAIN, specific__parameters__epochs=epochs)


async def test_an_import_of_an_export_makes_an_equal_template(hub_client: HubClient) -> None:
    await imported(hub_client, TRAIN)
    await imported(hub_client, BARE)
    await hub_client.template(**NATIVE)
    await hub_client.template(name="nothing")
    await imported(hub_client, CHAIN)
    await imported(hub_client, but(BARE, name="hub", hub={"priority": 3, "labels": {"a": "b"}}))
    templates = await active(hub_client)
    assert len(templates) == 6

    again = [
        await imported(hub_client, await exported(hub_client, template["pk"]))
        for template in templates
    ]

    assert [lasting(one) for one in again] == [lasting(one) for one in templates]
    assert [row["pk"] for row in await active(hub_client)] == [row["pk"] for row in again]
    forms = [await exported(hub_client, one["pk"]) for one in (*templates, *again)]
    assert forms[:6] == forms[6:]


async def test_only_what_differs_from_the_default_is_exported_of_the_hubs_own(
    hub_client: HubClient,
) -> None:
    await imported(hub_client, but(BARE, hub={"max_tries": 3, "labels": {}, "timeout_s": 5}))

    assert (await exported(hub_client, 1))["hub"] == {"timeout_s": 5}


async def test_a_declared_template_says_itself_what_it_takes(hub_client: HubClient) -> None:
    await hub_client.template(**NATIVE)

    form = await exported(hub_client, 1)

    assert set(form) == {"name", "version", "description", "specific", "hub"}
    assert set(form["specific"]) == {
        *("inputs", "outputs", "parameters"),
        *("executor_class", "required_packages"),
    }


async def test_a_template_that_is_not_there_is_not_exported(hub_client: HubClient) -> None:
    assert (await hub_client.admin.get("/v1/job-templates/4242/export")).status_code == 404


# --- Registered names ---------------------------------------------------------------------------


async def test_registered_names_can_be_imported(hub_client: HubClient) -> None:
    colour = {"name": "Colour", "pkg": "paint", "cls": "paint.Colour"}
    await hub_client.admin.post("/v1/job-types/create", json=colour)
    await hub_client.admin.post("/v1/job-contracts/create", json=colour | {"name": "Paint"})
    parameters = {"x": {"types": ["Array<Colour>"], "help": "", "default": [5]}}

    made = await imported(
        hub_client, but(BARE, specific__job_type="Paint", specific__parameters=parameters)
    )

    assert (made["type"], made["inputs"], made["outputs"]) == ("Paint", {}, {})
    types = await hub_client.viewer.get("/v1/job-templates/1/get-types")
    assert (types.status_code, types.json()) == (200, {})
    assert lasting(await imported(hub_client, await exported(hub_client, 1))) == lasting(made)


NAMED: dict[str, Json] = {
    "job-types": {"specific__parameters": {"x": {"types": ["Array<Colour>"], "help": ""}}},
    "job-contracts": {"specific__job_type": "Colour"},
}
"""Where a name is registered, and how a template names it."""


@pytest.mark.parametrize("change", ["delete", "patch"])
@pytest.mark.parametrize("where", NAMED)
async def test_a_name_that_goes_meanwhile_is_not_imported(
    hub_client: HubClient, monkeypatch: pytest.MonkeyPatch, where: str, change: str
) -> None:
    colour = {"name": "Colour", "pkg": "paint", "cls": "paint.Colour"}
    pk = (await hub_client.admin.post(f"/v1/{where}/create", json=colour)).json()["pk"]
    looked_up = template_exchange._names

    async def gone_meanwhile(*args: Any) -> Any:
        names = await looked_up(*args)
        said = {"json": {"name": "Hue"}} if change == "patch" else {}
        gone = await hub_client.admin.request(change.upper(), f"/v1/{where}/{pk}", **said)
        assert gone.is_success, gone.text
        return names

    monkeypatch.setattr(template_exchange, "_names", gone_meanwhile)

    answer = await send(hub_client, but(BARE, **NAMED[where]))

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_job_template")
    assert await active(hub_client) == []


@pytest.mark.parametrize("where", NAMED)
async def test_a_name_does_not_go_while_it_is_imported(hub_client: HubClient, where: str) -> None:
    for n in range(8):
        colour = {"name": "Colour", "pkg": "paint", "cls": f"paint.Colour{n}"}
        pk = (await hub_client.admin.post(f"/v1/{where}/create", json=colour)).json()["pk"]

        made, gone = await asyncio.gather(
            send(hub_client, but(BARE, **NAMED[where])),
            hub_client.admin.delete(f"/v1/{where}/{pk}"),
        )

        assert (made.status_code, gone.status_code) in {(200, 409), (400, 204)}
        if made.status_code == 200:
            await hub_client.admin.delete(f"/v1/job-templates/{made.json()['pk']}/hard")
            await hub_client.admin.delete(f"/v1/{where}/{pk}")


# --- New versions ---------------------------------------------------------------------------------


async def test_an_imported_template_can_have_a_next_version(hub_client: HubClient) -> None:
    old = await imported(hub_client, TRAIN)
    parameters = {"epochs": {"type": "int", "default": 9}}

    patched = await hub_client.admin.patch(
        "/v1/job-templates/1", json={"parameters": parameters, "priority": 1, "description": "New."}
    )
    put = await hub_client.admin.put(
        "/v1/job-templates/1", json={"executor_class": "kennel.work.Other"}
    )

    kept = {
        name: old[name]
        for name in ("name", "scope", "licence", "domain", "type", "inputs", "outputs")
    }
    assert (patched.status_code, put.status_code) == (201, 201)
    assert kept.items() <= patched.json().items()
    assert kept.items() <= put.json().items()
    assert (patched.json()["version"], put.json()["version"]) == (4, 5)
    assert patched.json()["parameters"]["epochs"]["default"] == 9
    assert put.json()["parameters"] == {}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"inputs": {}}, "inputs"),
        ({"outputs": {}}, "outputs"),
    ],
)
async def test_what_a_contract_says_is_not_changed(
    hub_client: HubClient, method: str, members: Json, field: str
) -> None:
    await imported(hub_client, TRAIN)

    answer = await hub_client.admin.request(method, "/v1/job-templates/1", json=members)

    assert (answer.status_code, list(fields_of(answer))) == (400, [field])
    assert len(await active(hub_client)) == 1


async def test_an_imported_template_does_not_come_back_beside_its_successor(
    hub_client: HubClient,
) -> None:
    await imported(hub_client, TRAIN)
    await imported(hub_client, TRAIN)

    answer = await hub_client.admin.delete("/v1/job-templates/1/reinstate")
    removed = await hub_client.admin.delete("/v1/job-templates/1/hard")

    assert (answer.status_code, answer.json()["code"]) == (409, "template_exists")
    assert removed.status_code == 200


# --- Anything anywhere ----------------------------------------------------------------------------

HOSTILE: tuple[Any, ...] = (
    *(None, True, -1, 0, 1.5, 2**63, 10**400, 1e308),
    *("", "\0", "\u202e", "x" * 70_000, "PK<" * 400, "'" * 3),
    *([], [[]] * 3, {}, {"": {}}, {"\0": {"\0": "\0"}}, ["\0"]),
)


def places(node: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the way to everything in a form."""
    if path:
        yield path
    steps = range(len(node)) if isinstance(node, list) else node if isinstance(node, dict) else ()
    for step in steps:
        yield from places(node[step], *path, step)


def spoiled(form: Json, path: tuple[Any, ...], value: Any) -> Json:
    changed = copy.deepcopy(form)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


@pytest.mark.parametrize("form", [TRAIN, CHAIN, NATIVE_FORM], ids=lambda form: form["name"])
async def test_whatever_stands_in_a_form_is_taken_or_refused(
    hub_client: HubClient, form: Json
) -> None:
    await hub_client.template(**NATIVE)
    before = len(await active(hub_client))

    answers = [
        await send(hub_client, spoiled(form, path, value))
        for path in places(form)
        for value in HOSTILE
    ]

    statuses = [answer.status_code for answer in answers]
    assert set(statuses) <= {200, 400, 409}
    assert statuses.count(400) > 0.8 * len(statuses)
    listed = await hub_client.viewer.post("/v1/job-templates/list", json={"include_inactive": True})
    assert len(listed.json()) == before + statuses.count(200)
