"""Job types and job contracts over REST, on both databases: one form, two addresses."""

from typing import Any

import pytest

from orm.queries.named_classes import ALL, JOB_CONTRACTS, JOB_TYPES
from tests.integration.conftest import HubClient, Json, fields_of, filtered

KNOWN = {"name": "Colour", "pkg": "paint", "cls": "paint.types.Colour"}
BUILT_IN = {"job-types": JOB_TYPES.built_in, "job-contracts": JOB_CONTRACTS.built_in}

either = pytest.mark.parametrize("path", ["job-types", "job-contracts"])


def said_of(path: str) -> tuple[str, str, str]:
    """Return how a thing at this address is called: in words, by an action, in the audit."""
    noun = path.removesuffix("s").replace("-", " ")
    return noun, path.replace("-", "_"), noun.replace(" ", "_")


async def named(hub_client: HubClient, path: str, name: str) -> Json:
    (row,) = (await hub_client.viewer.post(f"/v1/{path}/list", json=filtered("name", name))).json()
    return dict(row)


async def add(hub_client: HubClient, path: str, **members: Any) -> Json:
    answer = await hub_client.admin.post(f"/v1/{path}/create", json=KNOWN | members)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def store_text(hub_client: HubClient, column: str, text: str) -> None:
    """Let the only template name what the hub itself does not know."""
    async with hub_client.hub.engine.transaction() as transaction:
        await transaction.fetch(f"UPDATE job_templates SET {column} = ?", (text,))


# --- Built in -------------------------------------------------------------------------------------


async def test_the_types_that_workers_import_are_there_from_the_start(
    hub_client: HubClient,
) -> None:
    listed = (await hub_client.viewer.post("/v1/job-types/list", json={})).json()

    assert {row["name"]: row["cls"] for row in listed} == BUILT_IN["job-types"]
    assert {row["pkg"] for row in listed} == {"ufdl.jobtypes"}
    short = {row["name"]: row["cls"].removeprefix("ufdl.jobtypes.") for row in listed}
    some = {"str": "base.String", "Array": "standard.container.Array", "PK": "standard.PK"}
    assert some.items() <= short.items()


async def test_the_contracts_that_workers_import_are_there_from_the_start(
    hub_client: HubClient,
) -> None:
    listed = (await hub_client.viewer.post("/v1/job-contracts/list", json={})).json()

    assert listed == [
        {
            "pk": pk,
            "name": name,
            "pkg": "ufdl.jobcontracts",
            "cls": f"ufdl.jobcontracts.standard.{name}",
        }
        for pk, name in enumerate(("Train", "Predict", "Export"), 1)
    ]


@pytest.mark.parametrize(("path", "name"), [("job-types", "JSON"), ("job-contracts", "Train")])
async def test_a_second_start_adds_nothing_and_keeps_changes(
    hub_client: HubClient, path: str, name: str
) -> None:
    before = await named(hub_client, path, name)
    await hub_client.admin.patch(f"/v1/{path}/{before['pk']}", json={"pkg": "fork"})

    for classes in ALL:
        await classes.ensure_built_in(hub_client.hub.engine)

    assert await named(hub_client, path, name) == before | {"pkg": "fork"}
    listed = (await hub_client.viewer.post(f"/v1/{path}/list")).json()
    assert len(listed) == len(BUILT_IN[path])


@pytest.mark.parametrize(("path", "name"), [("job-types", "Map"), ("job-contracts", "Export")])
async def test_what_is_built_in_keeps_its_name_and_stays(
    hub_client: HubClient, path: str, name: str
) -> None:
    url = f"/v1/{path}/{(await named(hub_client, path, name))['pk']}"

    gone = await hub_client.admin.delete(url)
    renamed = await hub_client.admin.patch(url, json={"name": "Atlas"})
    moved = await hub_client.admin.patch(url, json={"name": name, "cls": "fork.Other"})

    assert (gone.status_code, gone.json()["code"]) == (409, "built_in")
    assert said_of(path)[0] in gone.json()["detail"]
    assert (renamed.status_code, renamed.json()["code"]) == (409, "built_in")
    assert (moved.status_code, moved.json()["cls"]) == (200, "fork.Other")


# --- Add, change, remove --------------------------------------------------------------------------


@either
@pytest.mark.parametrize("place", ["", "/create"])
async def test_one_is_added_at_either_address(hub_client: HubClient, path: str, place: str) -> None:
    answer = await hub_client.admin.post(f"/v1/{path}{place}", json=KNOWN)

    made = answer.json()
    assert answer.status_code == 201
    assert made == {"pk": made["pk"]} | KNOWN
    assert (await hub_client.viewer.get(f"/v1/{path}/{made['pk']}")).json() == made
    _, action, subject = said_of(path)
    assert await hub_client.audited(f"{action}.create") == [(1, subject, made["pk"])]


@either
async def test_they_are_an_administrators(hub_client: HubClient, path: str) -> None:
    asked = [("POST", ""), ("POST", "/create"), ("PUT", "/1"), ("PATCH", "/1"), ("DELETE", "/1")]

    answers = [
        await hub_client.user.request(method, f"/v1/{path}{place}", json=KNOWN)
        for method, place in asked
    ]

    assert {answer.status_code for answer in answers} == {403}


@either
@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"name": "x"}, {"pkg": "This field is required.", "cls": "This field is required."}),
        (KNOWN | {"pkg": ""}, {"pkg": "This field may not be blank."}),
        (
            KNOWN | {"name": "x" * 65, "cls": f"a.{'b' * 255}"},
            {
                "name": "Ensure this field has no more than 64 characters.",
                "cls": "Ensure this field has no more than 256 characters.",
            },
        ),
        (KNOWN | {"pkg": "a\0b"}, {"pkg": "Null characters are not allowed."}),
    ],
)
async def test_what_is_wrong_is_said_by_member(
    hub_client: HubClient, path: str, body: Json, fields: dict[str, str]
) -> None:
    answer = await hub_client.admin.post(f"/v1/{path}/create", json=body)

    assert answer.status_code == 400
    assert fields_of(answer) == {name: [text] for name, text in fields.items()}


@either
async def test_name_and_class_are_unique(hub_client: HubClient, path: str) -> None:
    await add(hub_client, path)
    noun = said_of(path)[0]
    of_name = {"name": [f"{noun} with this name already exists."]}
    of_class = {"cls": [f"{noun} with this cls already exists."]}

    again = await hub_client.admin.post(f"/v1/{path}", json=KNOWN)
    same_name = await hub_client.admin.post(f"/v1/{path}", json=KNOWN | {"cls": "a.B"})
    same_class = await hub_client.admin.post(f"/v1/{path}", json=KNOWN | {"name": "B"})

    assert {answer.status_code for answer in (again, same_name, same_class)} == {400}
    assert fields_of(again) == of_name | of_class
    assert fields_of(same_name) == of_name
    assert fields_of(same_class) == of_class


@either
@pytest.mark.parametrize(
    "members",
    [
        {"name": "my type"},
        {"name": "7up"},
        {"cls": "Colour"},
        {"cls": "paint..Colour"},
        {"cls": "paint; import os"},
        {"colour": "red"},
        {"name": None},
    ],
)
async def test_what_workers_could_not_import_is_refused(
    hub_client: HubClient, path: str, members: Json
) -> None:
    answer = await hub_client.admin.post(f"/v1/{path}/create", json=KNOWN | members)

    assert (answer.status_code, list(fields_of(answer))) == (400, list(members))


@pytest.mark.parametrize(("path", "taken"), [("job-types", "int"), ("job-contracts", "Train")])
async def test_one_can_be_changed_and_removed(hub_client: HubClient, path: str, taken: str) -> None:
    made = await add(hub_client, path)
    url = f"/v1/{path}/{made['pk']}"

    patched = await hub_client.admin.patch(url, json={"name": "Shade"})
    assert patched.json() == made | {"name": "Shade"}
    assert (await hub_client.admin.put(url, json={"name": "Shade"})).status_code == 400
    assert (await hub_client.admin.put(url, json=made)).json() == made
    assert (await hub_client.admin.patch(url, json={"name": taken})).status_code == 400
    assert (await hub_client.admin.delete(url)).status_code == 204
    assert (await hub_client.admin.delete(url)).status_code == 404
    assert (await hub_client.viewer.get(url)).status_code == 404
    _, action, subject = said_of(path)
    assert await hub_client.audited(f"{action}.update") == [(1, subject, made["pk"])] * 2
    assert await hub_client.audited(f"{action}.destroy") == [(1, subject, made["pk"])]


# --- In use ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", ["inputs", "parameters", "outputs"])
async def test_a_type_stays_while_a_template_names_it(hub_client: HubClient, section: str) -> None:
    made = await add(hub_client, "job-types")
    template = await hub_client.template(**{section: {"x": "Array<Colour>"}})

    gone = await hub_client.admin.delete(f"/v1/job-types/{made['pk']}")
    renamed = await hub_client.admin.patch(f"/v1/job-types/{made['pk']}", json={"name": "Shade"})

    assert (gone.status_code, gone.json()["code"]) == (409, "job_type_in_use")
    assert str(template["pk"]) in gone.json()["detail"]
    assert (renamed.status_code, renamed.json()["code"]) == (409, "job_type_in_use")


@pytest.mark.parametrize("text", ["ColourSpace", "BLOB<'Colour'>", "MyColour", "Colour2"])
async def test_a_type_is_named_only_as_a_whole_word_outside_of_quotes(
    hub_client: HubClient, text: str
) -> None:
    made = await add(hub_client, "job-types")
    if text.isidentifier():
        await add(hub_client, "job-types", name=text, cls=f"paint.types.{text}")
    await hub_client.template(
        description="Colour",
        labels={"Colour": "Colour"},
        inputs={"Colour": {"type": text, "help": "Colour"}},
    )

    assert (await hub_client.admin.delete(f"/v1/job-types/{made['pk']}")).status_code == 204


@pytest.mark.parametrize("text", ["Colour", " Colour ", "Colour<str>", "Colour < Domain<'x'> >"])
async def test_a_contract_stays_while_a_template_is_of_it(hub_client: HubClient, text: str) -> None:
    made = await add(hub_client, "job-contracts")
    template = await hub_client.template()
    await store_text(hub_client, "contract", text)

    gone = await hub_client.admin.delete(f"/v1/job-contracts/{made['pk']}")
    renamed = await hub_client.admin.patch(
        f"/v1/job-contracts/{made['pk']}", json={"name": "Shade"}
    )

    assert (gone.status_code, gone.json()["code"]) == (409, "job_contract_in_use")
    assert str(template["pk"]) in gone.json()["detail"]
    assert (renamed.status_code, renamed.json()["code"]) == (409, "job_contract_in_use")


@pytest.mark.parametrize("text", ["", "Train<Colour>", "Colours", "Train<BLOB<'Colour'>>"])
async def test_a_contract_is_not_in_use_where_its_name_is_a_types(
    hub_client: HubClient, text: str
) -> None:
    made = await add(hub_client, "job-contracts")
    await hub_client.template()
    await store_text(hub_client, "contract", text)

    assert (await hub_client.admin.delete(f"/v1/job-contracts/{made['pk']}")).status_code == 204
