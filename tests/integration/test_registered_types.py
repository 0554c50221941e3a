"""Types that users registered, in templates and in the values of jobs, on both databases."""

from typing import Any

import httpx
import pytest

from orm.queries.named_classes import NamedClasses
from tests.integration.conftest import HubClient, Json, fields_of

COLOUR = {"name": "Colour", "pkg": "paint", "cls": "paint.types.Colour"}
RED: Json = {"r": 255}
INTERFACE: Json = {
    "inputs": {"palette": {"types": ["int", "Array<Colour>"]}, "any": "UFDLJSONType"},
    "parameters": {"ink": {"type": "Colour", "default": RED}, "paper": "Map<Colour>"},
    "outputs": {"mixed": "Colour", "file": "Compressed<Colour, 8>"},
}


@pytest.fixture
async def colour(hub_client: HubClient) -> Json:
    answer = await hub_client.admin.post("/v1/job-types/create", json=COLOUR)
    assert answer.status_code == 201
    return dict(answer.json())


async def create_job(hub_client: HubClient, inputs: Json, parameters: Json) -> httpx.Response:
    body = {"input_values": inputs, "parameter_values": parameters}
    return await hub_client.user.post("/v1/job-templates/1/create-job", json=body)


def typed(value: Any, type_text: str) -> Json:
    return {"value": value, "type": type_text}


@pytest.mark.usefixtures("colour")
async def test_a_template_may_name_a_registered_type_everywhere(hub_client: HubClient) -> None:
    made = await hub_client.template(**INTERFACE)

    assert made["inputs"]["palette"]["types"] == ["int", "Array<Colour, int>"]
    assert made["parameters"]["ink"]["default_type"] == "Colour"
    assert made["parameters"]["paper"]["types"] == ["Map<Colour>"]
    assert made["outputs"]["file"]["type"] == "Compressed<Colour, 8>"


@pytest.mark.usefixtures("colour")
async def test_the_next_version_may_name_one_too(hub_client: HubClient) -> None:
    url = f"/v1/job-templates/{(await hub_client.template())['pk']}"

    patched = await hub_client.admin.patch(url, json={"inputs": {"palette": "Colour"}})
    put = await hub_client.admin.put(url, json={"outputs": {"mixed": "Colour"}})

    assert (patched.status_code, put.status_code) == (201, 201)
    assert patched.json()["inputs"]["palette"]["types"] == ["Colour"]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_type_that_goes_meanwhile_is_not_declared(
    hub_client: HubClient, colour: Json, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    known = NamedClasses.registered
    at = "/v1/job-templates"
    if method == "PATCH":
        at += f"/{(await hub_client.template())['pk']}"

    async def gone_meanwhile(self: NamedClasses, source: Any) -> frozenset[str]:
        names = await known(self, source)
        gone = await hub_client.admin.delete(f"/v1/job-types/{colour['pk']}")
        assert gone.status_code == 204
        return names

    monkeypatch.setattr(NamedClasses, "registered", gone_meanwhile)

    answer = await hub_client.admin.request(method, at, json={"name": "work"} | INTERFACE)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


async def test_nobody_knows_a_type_that_is_not_registered(hub_client: HubClient) -> None:
    answer = await hub_client.admin.post("/v1/job-templates", json={"name": "x"} | INTERFACE)

    assert answer.status_code == 400
    assert fields_of(answer)["inputs.palette"] == [
        'Error parsing type-string "Array<Colour>": Unknown type-name "Colour"'
    ]


@pytest.mark.usefixtures("colour")
async def test_a_registered_type_takes_no_arguments(hub_client: HubClient) -> None:
    body = {"name": "x", "inputs": {"palette": "Colour<int>"}}

    answer = await hub_client.admin.post("/v1/job-templates", json=body)

    (told,) = fields_of(answer)["inputs.palette"]
    assert "Colour takes 0 arguments, not 1" in told


@pytest.mark.usefixtures("colour")
async def test_a_job_keeps_values_of_a_registered_type(hub_client: HubClient) -> None:
    await hub_client.template(**INTERFACE)
    inputs = {"palette": typed([RED, "red", None], "Array<Colour, 3>"), "any": typed(7, "Colour")}
    parameters = {"paper": typed({"front": [RED]}, "Map< Colour >"), "ink": typed("red", "Colour")}

    answer = await create_job(hub_client, inputs, parameters)

    job = answer.json()
    assert answer.status_code == 200
    assert job["input_values"] == inputs
    assert job["parameter_values"] == parameters | {"paper": typed({"front": [RED]}, "Map<Colour>")}


@pytest.mark.usefixtures("colour")
async def test_a_bare_value_becomes_one_of_a_registered_type(hub_client: HubClient) -> None:
    await hub_client.template(**INTERFACE)

    job = await hub_client.job(
        "work", inputs={"palette": [RED], "any": 5}, parameters={"paper": {}, "ink": 5}
    )

    assert job["input_values"]["palette"] == typed([RED], "Array<Colour, int>")
    assert job["parameter_values"]["ink"] == typed(5, "Colour")


@pytest.mark.usefixtures("colour")
async def test_a_large_body_may_hold_values_of_a_registered_type(hub_client: HubClient) -> None:
    await hub_client.template(**INTERFACE)
    inputs = {"palette": typed([RED] * 10_000, "Array<Colour>"), "any": typed(7, "int")}

    answer = await create_job(hub_client, inputs, {"paper": typed({}, "Map<Colour>")})

    assert answer.status_code == 200
    assert len(answer.json()["input_values"]["palette"]["value"]) == 10_000


@pytest.mark.usefixtures("colour")
@pytest.mark.parametrize(
    ("palette", "code", "told"),
    [
        (typed([RED], "Array<Colour, 2>"), "values_refused", "expected 2 items, got 1"),
        (typed(RED, "Colour"), "values_refused", "takes int or Array<Colour, int>, not Colour"),
        (typed([1], "Array<int>"), "values_refused", "not Array<int, int>"),
        (typed([1], "Array<Shade>"), "bad_type", 'Unknown type-name "Shade"'),
        (typed([1], "Array<Colour"), "bad_type", "expected ',' or '>'"),
    ],
)
async def test_a_value_is_still_checked_around_a_registered_type(
    hub_client: HubClient, palette: Json, code: str, told: str
) -> None:
    await hub_client.template(**INTERFACE)

    inputs = {"palette": palette, "any": typed(1, "int")}

    answer = await create_job(hub_client, inputs, {"paper": typed({}, "Map<Colour>")})

    assert answer.json()["code"] == code
    assert told in answer.json()["detail"]


async def test_a_registered_type_is_renamed_or_removed_only_when_no_template_names_it(
    hub_client: HubClient, colour: Json
) -> None:
    template = await hub_client.template(outputs={"file": "Compressed<JobOutput<Colour>, 8>"})
    url = f"/v1/job-types/{colour['pk']}"

    refused = [
        await hub_client.admin.patch(url, json={"name": "Shade"}),
        await hub_client.admin.delete(url),
    ]
    await hub_client.admin.delete(f"/v1/job-templates/{template['pk']}/hard")

    assert [answer.json()["code"] for answer in refused] == ["job_type_in_use"] * 2
    assert (await hub_client.admin.delete(url)).status_code == 204
    again = await hub_client.admin.post(
        "/v1/job-templates", json={"name": "x", "inputs": {"palette": "Colour"}}
    )
    assert again.status_code == 400


@pytest.mark.usefixtures("colour")
async def test_a_job_of_built_in_types_asks_for_no_others(
    hub_client: HubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hub_client.template(**INTERFACE)
    await hub_client.template(name="plain", inputs={"any": "UFDLJSONType"})
    monkeypatch.delattr(NamedClasses, "registered")

    mixed = await hub_client.job("work", inputs={"palette": 5, "any": 5}, parameters={"paper": {}})
    plain = await hub_client.job("plain", input_values={"any": typed([5], "Array<5>")})

    assert mixed["input_values"]["palette"] == typed(5, "int")
    assert plain["input_values"]["any"] == typed([5], "Array<5, int>")


@pytest.mark.parametrize("name", ["e\u0301tat", "my type", "7up", "Colour<int>", "'Colour'", "²"])
async def test_a_type_has_a_name_that_can_stand_in_a_type(hub_client: HubClient, name: str) -> None:
    answer = await hub_client.admin.post("/v1/job-types/create", json=COLOUR | {"name": name})

    assert (answer.status_code, list(fields_of(answer))) == (400, ["name"])


@pytest.mark.parametrize("name", ["Größe", "色", "_", "int8", "Strasse_2"])
async def test_letters_digits_and_underscores_of_any_language_make_a_name(
    hub_client: HubClient, name: str
) -> None:
    answer = await hub_client.admin.post("/v1/job-types/create", json=COLOUR | {"name": name})
    assert answer.status_code == 201

    made = await hub_client.template(inputs={"x": f"Array<{name}>"})

    assert made["inputs"]["x"]["types"] == [f"Array<{name}, int>"]
    gone = await hub_client.admin.delete(f"/v1/job-types/{answer.json()['pk']}")
    assert gone.json()["code"] == "job_type_in_use"
