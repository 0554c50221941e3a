"""What forms ask about templates, over REST, on both databases."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.integration.conftest import HubClient, Json
from tests.integration.template_forms import (
    BARE,
    IMAGES,
    NATIVE,
    TORCH,
    TRAIN,
    active,
    but,
    chained,
    imported,
)

SPEECH = "Domain<'Speech'>"


async def ask(hub_client: HubClient, pk: int, question: str) -> httpx.Response:
    return await hub_client.viewer.get(f"/v1/job-templates/{pk}/{question}")


async def matching(hub_client: HubClient, contract: str, query: str = "") -> httpx.Response:
    url = f"/v1/job-templates/get-all-matching-templates/{contract}{query}"
    return await hub_client.viewer.get(url)


async def names(hub_client: HubClient, contract: str, query: str = "") -> list[str]:
    answer = await matching(hub_client, contract, query)
    assert answer.status_code == 200, answer.text
    return [template["name"] for template in answer.json()]


@pytest.fixture
async def several(hub_client: HubClient) -> None:
    """Templates of each contract, a deleted one, and ones without a contract."""
    predict = f"Predict<{IMAGES}, {TORCH}>"
    forms = (
        BARE,
        but(TRAIN, name="train pictures"),
        but(TRAIN, name="train speech", specific__job_type=f" Train < {SPEECH},{TORCH} > "),
        but(TRAIN, name="train any", specific__job_type="Train<Domain, Framework>"),
        but(TRAIN, name="gone"),
        but(TRAIN, name="predict", specific__job_type=predict),
    )
    for form in forms:
        made = await imported(hub_client, form)
        if made["name"] == "gone":
            await hub_client.admin.delete(f"/v1/job-templates/{made['pk']}")
    same = {"dataset": {"types": [f"PK<Dataset<{IMAGES}>>"]}}
    await hub_client.template(name="declared", description="Train", inputs=same)
    await chained(hub_client)


# --- Which templates match ------------------------------------------------------------------------


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    ("contract", "inputs", "found"),
    [
        ("Export", {}, ["bare"]),
        ("Predict", {}, ["predict"]),
        ("Train", {}, ["train pictures", "train speech", "train any"]),
        ("Train", {"dataset": f"PK<Dataset<{IMAGES}>>"}, ["train pictures", "train any"]),
        ("Train", {"dataset": f"PK<Dataset<{SPEECH}>>"}, ["train speech", "train any"]),
        ("Train", {"dataset": "PK<Dataset>"}, ["train any"]),
        ("Train", {"dataset": f"Name<Dataset<{IMAGES}>>"}, []),
        ("Train", {"dataset": "int"}, []),
        ("Predict", {"dataset": f"Name<Dataset<{IMAGES}>>"}, ["predict"]),
        (
            "Predict",
            {
                "dataset": f"PK<Dataset<{IMAGES}>>",
                "model": f"JobOutput<Model<{IMAGES},{TORCH}>>",
            },
            ["predict"],
        ),
        (
            "Predict",
            {
                "dataset": f"PK<Dataset<{IMAGES}>>",
                "model": f"JobOutput<Model<{SPEECH}, {TORCH}>>",
            },
            [],
        ),
    ],
)
async def test_templates_match_that_are_of_the_contract_and_take_what_is_given(
    hub_client: HubClient, contract: str, inputs: dict[str, str], found: list[str]
) -> None:
    pairs = [f"{name}={quote(text)}" for name, text in inputs.items()]

    assert await names(hub_client, contract, "?" + "&".join(pairs)) == found


@pytest.mark.usefixtures("several")
async def test_types_may_stand_in_the_query_as_they_are(hub_client: HubClient) -> None:
    text = f"PK<Dataset<{IMAGES}>>"
    transport = httpx.ASGITransport(app=hub_client.app)  # type: ignore[arg-type]  # its own types
    headers = {"Authorization": "Bearer vic"}
    found = []
    for query in (text.replace(" ", "%20"), text.replace(" ", "+"), quote(text, safe="")):
        url = httpx.URL("http://hub/v1/job-templates/get-all-matching-templates/Train")
        url = url.copy_with(query=f"dataset={query}".encode())
        async with httpx.AsyncClient(transport=transport, headers=headers) as client:
            answer = await client.get(url)
        found.append([template["name"] for template in answer.json()])

    assert found == [["train pictures", "train any"]] * 3


async def test_matching_templates_are_shown_whole(hub_client: HubClient) -> None:
    await imported(hub_client, TRAIN)

    assert (await matching(hub_client, "Train")).json() == await active(hub_client)


@pytest.mark.usefixtures("several")
async def test_a_type_is_asked_for_each_time_it_is_given(hub_client: HubClient) -> None:
    both = f"?dataset={quote(f'PK<Dataset<{SPEECH}>>')}&dataset={quote(f'PK<Dataset<{IMAGES}>>')}"

    assert await names(hub_client, "Train", both) == ["train any"]


@pytest.mark.parametrize(
    ("contract", "query", "code", "detail"),
    [
        ("Dance", "", "bad_contract", "Bad name 'Dance': Unknown contract name"),
        ("1", "", "bad_contract", "1"),
        (quote("Train<Domain, Framework>"), "", "bad_contract", "Unknown contract name"),
        ("Train%00", "", "bad_contract", "Train"),
        ("%25", "", "bad_contract", "%"),
        ("Train", "?picture=int", "invalid_input", "Bad name 'picture'"),
        ("Export", "?dataset=int", "invalid_input", "Bad name 'dataset'"),
        ("Train", "?dataset=Colour", "bad_type", 'Unknown type-name "Colour"'),
        ("Train", "?dataset=PK<", "bad_type", "PK<"),
        ("Train", "?dataset=", "bad_type", "expected a type"),
        ("Train", "?dataset", "bad_type", "expected a type"),
        ("Train", "?dataset=%ff", "bad_type", "unexpected character"),
        ("Train", "?dataset=%00", "bad_type", "unexpected character"),
        ("Train", "?" + "dataset=int&" * 300, "invalid_input", "more than 256"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    hub_client: HubClient, contract: str, query: str, code: str, detail: str
) -> None:
    answer = await matching(hub_client, contract, query)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert detail in answer.json()["detail"]


async def test_registered_names_can_be_asked_for(hub_client: HubClient) -> None:
    paint = {"name": "Paint", "pkg": "paint", "cls": "paint.Paint"}
    await hub_client.admin.post("/v1/job-contracts/create", json=paint)
    await hub_client.admin.post("/v1/job-types/create", json=paint | {"name": "Colour"})
    await imported(hub_client, but(BARE, specific__job_type="Paint"))
    await imported(hub_client, TRAIN)

    assert await names(hub_client, "Paint") == ["bare"]
    assert await names(hub_client, "Train", "?dataset=Colour") == []


# --- What its jobs take and give ------------------------------------------------------------------


async def test_parameters_come_with_a_schema_for_each_type(hub_client: HubClient) -> None:
    await imported(hub_client, TRAIN)

    answer = await ask(hub_client, 1, "get-all-parameters")

    integers = {"type": "array", "items": {"type": "integer"}}
    assert answer.json() == {
        "epochs": {
            "types": {"int": {"type": "integer"}, "Array<int>": integers},
            "help": "rounds",
            "default": {"value": 5, "type": "int", "schema": {"type": "integer"}, "const": False},
        },
        "rate": {
            "types": {"float": {"type": "number"}, "'auto'": {"const": "auto"}},
            "help": "",
            "default": {
                "value": "auto",
                "type": "'auto'",
                "schema": {"const": "auto"},
                "const": True,
            },
        },
        "seed": {"types": {"Array< int >": integers}, "help": "of each round"},
    }


async def test_a_parameter_may_be_any_of_what_there_is_now(hub_client: HubClient) -> None:
    types = ["Name<Domain>", "PK<Domain>", "Name<Hardware>"]
    await hub_client.template(parameters={"what": {"types": types}})

    shown = (await ask(hub_client, 1, "get-all-parameters")).json()["what"]["types"]

    known: dict[str, Any] = {}
    for path, name in (("domains", "description"), ("hardware", "generation")):
        rows = (await hub_client.viewer.post(f"/v1/{path}/list")).json()
        known[path] = [(row["pk"], row[name]) for row in rows]
    assert sorted(shown["Name<Domain<str>>"]["enum"]) == sorted(n for _, n in known["domains"])
    assert sorted(shown["PK<Domain<str>>"]["enum"]) == sorted(pk for pk, _ in known["domains"])
    assert sorted(shown["Name<Hardware>"]["enum"]) == sorted(n for _, n in known["hardware"])


async def test_a_contract_says_types_and_outputs(hub_client: HubClient) -> None:
    await imported(hub_client, TRAIN)

    types = await ask(hub_client, 1, "get-types")
    outputs = await ask(hub_client, 1, "get-outputs")

    assert types.json() == {"DomainType": IMAGES, "FrameworkType": TORCH}
    assert outputs.json() == {"model": f"Model<{IMAGES}, {TORCH}>"}


async def test_a_template_of_export_has_neither(hub_client: HubClient) -> None:
    await imported(hub_client, BARE)

    answers = [await ask(hub_client, 1, f"get-{what}") for what in ("types", "outputs")]
    answers.append(await ask(hub_client, 1, "get-all-parameters"))

    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, {})] * 3


async def test_a_declared_template_has_outputs_and_no_contract(hub_client: HubClient) -> None:
    await hub_client.template(**NATIVE)

    assert (await ask(hub_client, 1, "get-types")).json() == {}
    assert (await ask(hub_client, 1, "get-outputs")).json() == {"picture": "BLOB<'png'>"}


async def test_a_meta_template_has_no_contract(hub_client: HubClient) -> None:
    made = await chained(hub_client)

    answers = [await ask(hub_client, made["pk"], f"get-{what}") for what in ("types", "outputs")]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [
        (400, "invalid_input")
    ] * 2
    assert (await ask(hub_client, made["pk"], "get-all-parameters")).status_code == 200


@pytest.mark.parametrize("question", ["get-all-parameters", "get-types", "get-outputs"])
async def test_nothing_is_known_of_a_template_that_is_not_there(
    hub_client: HubClient, question: str
) -> None:
    assert (await ask(hub_client, 4242, question)).status_code == 404


async def test_a_deleted_template_still_answers(hub_client: HubClient) -> None:
    await imported(hub_client, TRAIN)
    await hub_client.admin.delete("/v1/job-templates/1")

    answers: list[Json] = [
        (await ask(hub_client, 1, question)).json()
        for question in ("get-all-parameters", "get-types", "get-outputs")
    ]

    assert all(answers)
