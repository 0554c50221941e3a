"""Docker images and what they refer to, over REST, on both databases."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from orm.queries.domains import domain_named
from orm.queries.licences import licence_named
from tests.integration import KINDS, databases, migrated
from tests.integration.conftest import Caller, HubClient, Json, as_node, fields_of, filtered

BEFORE = "2026-11-22T03:00:00"
DECLARED = (
    "INSERT INTO hardware (generation, min_compute_capability, max_compute_capability) "
    "VALUES ('Pascal', 6.1, 6.2)"
)
CANARY = "a canary of a registry"
REGISTRY = "public.aml-repo.cms.waikato.ac.nz:443"


class Kind(NamedTuple):
    """A resource.

    Attributes:
        path: Where it is.
        new: What makes a new one.
        whole: Another one, under another key, as PUT wants it.
        part: What PATCH changes.
        twin: The fields that a twin of ``new`` is told about.
        action: How the names of its actions begin.
        audited: What the audit calls it.
    """

    path: str
    new: Json
    whole: Json
    part: Json
    twin: set[str]
    action: str
    audited: str


LICENCE: Json = {
    "name": "Zlib",
    "url": "https://opensource.org/license/zlib",
    "permissions": ["Commercial use", "Modification"],
    "conditions": ["State changes"],
    "limitations": ["Liability"],
    "domains": ["Software"],
}
DOCKER: Json = {
    "name": "darkroom",
    "version": "2.1",
    "url": "registry.example.org/darkroom:2.1",
    "registry_url": "registry.example.org",
    "registry_username": "studio",
    "registry_password": CANARY,
    "cuda_version": "11.1",
    "framework": 2,
    "domain": "ic",
    "tasks": ["Train", "Predict"],
    "min_hardware_generation": "Pascal",
    "cpu": False,
    "licence": "MIT",
}
KINDS_OF_ENTRIES = {
    "cuda": Kind(
        "/v1/cuda",
        {"version": "12.8", "full_version": "12.8.0", "min_driver_version": "570.26"},
        {"version": "12.9", "full_version": "12.9.0", "min_driver_version": "575.51"},
        {"min_driver_version": "1"},
        {"non_field_errors"},
        "cuda",
        "cuda_version",
    ),
    "frameworks": Kind(
        "/v1/frameworks",
        {"name": "darkroom", "version": "2.1"},
        {"name": "darkroom", "version": "2.2"},
        {"version": "3"},
        {"non_field_errors"},
        "frameworks",
        "framework",
    ),
    "licences": Kind(
        "/v1/licences",
        LICENCE,
        LICENCE | {"name": "zlib", "permissions": []},
        {"url": "elsewhere"},
        {"name"},
        "licences",
        "licence",
    ),
}


@pytest.fixture(params=KINDS_OF_ENTRIES)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS_OF_ENTRIES[request.param]


async def made(hub_client: HubClient, path: str, members: Json) -> Json:
    answer = await hub_client.admin.post(f"{path}/create", json=members)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def named(hub_client: HubClient, path: str, field: str, value: str) -> Json:
    """Return the one entry that has this value."""
    (entry,) = (await hub_client.viewer.post(f"{path}/list", json=filtered(field, value))).json()
    return dict(entry)


# --- With what a hub begins -----------------------------------------------------------------------


SEEDS: dict[str, tuple[int, Json]] = {
    "/v1/hardware": (
        9,
        {
            "pk": 4,
            "generation": "Pascal",
            "min_compute_capability": 6.0,
            "max_compute_capability": 7.0,
        },
    ),
    "/v1/cuda": (
        21,
        {"pk": 10, "version": "11.1", "full_version": "11.1.0", "min_driver_version": "455.23.05"},
    ),
    "/v1/frameworks": (17, {"pk": 12, "name": "yolo", "version": "v5"}),
    "/v1/domains": (5, {"pk": 1, "name": "ic", "description": "Image Classification"}),
    "/v1/licences": (
        14,
        {
            "pk": 9,
            "name": "GPL3",
            "url": "https://opensource.org/licenses/GPL-3.0",
            "permissions": [
                *("Commercial use", "Modification", "Distribution", "Patent use", "Private use"),
            ],
            "conditions": [
                *("License and copyright notice", "State changes", "Disclose source"),
                "Same license",
            ],
            "limitations": ["Liability", "Warranty"],
            "domains": ["Software", "Models"],
        },
    ),
    "/v1/docker": (
        25,
        {
            "pk": 15,
            "name": "yolact",
            "version": "2020-02-11_slim",
            "url": f"{REGISTRY}/yolact/yolactpp_slim:2020-02-11",
            "registry_url": REGISTRY,
            "registry_username": "public",
            "registry_password": "public",
            "cuda_version": {
                "pk": 14,
                "version": "10.0",
                "full_version": "10.0.130",
                "min_driver_version": "410.48",
            },
            "framework": {"pk": 8, "name": "yolact", "version": "2020-02-11_slim"},
            "domain": "Object Detection",
            "tasks": ["Train", "Predict"],
            "min_hardware_generation": {
                "pk": 6,
                "generation": "Turing",
                "min_compute_capability": 7.5,
                "max_compute_capability": 8.0,
            },
            "cpu": False,
            "licence": "MIT",
        },
    ),
}
"""Path -> how many a new hub has, and one of them with exactly the members that workers take."""


async def test_a_new_hub_knows_what_a_new_ufdl_server_knows(hub_client: HubClient) -> None:
    for path, (count, entry) in SEEDS.items():
        listed = (await hub_client.admin.post(f"{path}/list")).json()

        assert [one["pk"] for one in listed] == list(range(1, count + 1))
        assert listed[entry["pk"] - 1] == entry
        assert (await hub_client.admin.get(f"{path}/{entry['pk']}")).json() == entry
        assert {frozenset(one) for one in listed} == {frozenset(entry)}


async def test_an_image_that_needs_no_gpu_names_no_generation(hub_client: HubClient) -> None:
    entry = await named(hub_client, "/v1/docker", "name", "pww3_cpu")

    assert (entry["cpu"], entry["min_hardware_generation"]) == (True, None)
    assert entry["cuda_version"]["version"] == "0.0"


@pytest.fixture(params=KINDS)
def empty_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], str]]:
    with databases(request.param, tmp_path_factory.mktemp("empty")) as new_url:
        yield lambda: new_url("hub")


async def test_what_an_administrator_took_away_or_changed_stays_so(
    empty_url: Callable[[], str],
) -> None:
    url = empty_url()
    async with migrated(url) as engine, engine.transaction() as transaction:
        await transaction.fetch("DELETE FROM docker_images")
        await transaction.fetch("DELETE FROM licences WHERE name = 'MIT'")
        await transaction.fetch("UPDATE frameworks SET version = '9' WHERE name = 'weka'")

    async with migrated(url) as engine:
        assert await engine.fetch("SELECT pk FROM docker_images") == []
        assert await engine.fetch("SELECT pk FROM licences WHERE name = 'MIT'") == []
        found = await engine.fetch("SELECT version FROM frameworks WHERE name = 'weka'")
        assert found == [("9",)]


async def test_a_generation_that_was_declared_before_stays_as_it_is(
    empty_url: Callable[[], str],
) -> None:
    url = empty_url()
    async with migrated(url, BEFORE) as engine, engine.transaction() as transaction:
        await transaction.fetch(DECLARED)

    async with migrated(url) as engine:
        rows = await engine.fetch("SELECT * FROM hardware WHERE generation = 'Pascal'")
        ((least,),) = await engine.fetch(
            "SELECT min_hardware_generation FROM docker_images WHERE name = 'pytorch_imageclass'"
        )
    ((pk, *rest),) = rows
    assert rest == ["Pascal", 6.1, 6.2]
    assert least == pk


async def test_templates_find_licences_and_domains_by_their_names(hub_client: HubClient) -> None:
    engine = hub_client.hub.engine

    licence = await licence_named(engine, "Apache 2.0")
    domain = await domain_named(engine, "sp")

    assert licence is not None
    assert (licence.pk, licence.name) == (2, "Apache 2.0")
    assert domain is not None
    assert (domain.pk, domain.description) == (5, "Speech")
    assert await licence_named(engine, "apache 2.0") is None
    assert await domain_named(engine, "xx") is None


# --- What administrators do -----------------------------------------------------------------------


async def test_an_entry_is_made_changed_and_removed(hub_client: HubClient, kind: Kind) -> None:
    admin = hub_client.admin
    entry = await made(hub_client, kind.path, kind.new)
    path = f"{kind.path}/{entry['pk']}"

    assert entry == {"pk": entry["pk"]} | kind.new
    assert (await hub_client.viewer.get(path)).json() == entry
    patched = await admin.patch(path, json=kind.part)
    assert (patched.status_code, patched.json()) == (200, entry | kind.part)
    put = await admin.put(path, json=kind.whole | {"pk": 77})
    assert (put.status_code, put.json()) == (200, {"pk": entry["pk"]} | kind.whole)
    gone = await admin.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        assert (await admin.request(method, path, json={})).status_code == 404
    what = (1, kind.audited, entry["pk"])
    assert await hub_client.audited(f"{kind.action}.create") == [what]
    assert await hub_client.audited(f"{kind.action}.update") == [what, what]
    assert await hub_client.audited(f"{kind.action}.destroy") == [what]


async def test_what_changes_nothing_is_no_act(hub_client: HubClient, kind: Kind) -> None:
    entry = await made(hub_client, kind.path, kind.new)

    for members in ({}, kind.new):
        answer = await hub_client.admin.patch(f"{kind.path}/{entry['pk']}", json=members)
        assert answer.json() == entry
    assert await hub_client.audited(f"{kind.action}.update") == []


async def test_a_key_is_given_once(hub_client: HubClient, kind: Kind) -> None:
    await made(hub_client, kind.path, kind.new)
    other = await made(hub_client, kind.path, kind.whole)

    again = await hub_client.admin.post(f"{kind.path}/create", json=kind.new)
    change = await hub_client.admin.put(f"{kind.path}/{other['pk']}", json=kind.new)

    assert (again.status_code, set(fields_of(again))) == (400, kind.twin)
    assert (change.status_code, set(fields_of(change))) == (400, kind.twin)


async def test_of_many_twins_at_once_one_is_stored(hub_client: HubClient, kind: Kind) -> None:
    answers = await asyncio.gather(
        *(hub_client.admin.post(f"{kind.path}/create", json=kind.new) for _ in range(6))
    )

    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 5


async def test_everybody_reads_and_administrators_alone_write(hub_client: HubClient) -> None:
    writes = [("POST", "create"), ("PUT", "1"), ("PATCH", "1"), ("DELETE", "1")]
    paths = [*(kind.path for kind in KINDS_OF_ENTRIES.values()), "/v1/docker"]
    for caller, path in itertools.product((hub_client.user, hub_client.viewer), paths):
        assert (await caller.post(f"{path}/list")).status_code == 200
        assert (await caller.get(f"{path}/1")).status_code == 200
        for method, rest in writes:
            assert (await caller.request(method, f"{path}/{rest}", json={})).status_code == 403
    nobody = {"Authorization": ""}
    calls = [*writes, ("POST", "list"), ("GET", "1")]
    for path, (method, rest) in itertools.product(paths, calls):
        answer = await hub_client.admin.request(method, f"{path}/{rest}", headers=nobody)
        assert answer.status_code == 401


async def test_nobody_makes_or_changes_domains(hub_client: HubClient) -> None:
    admin = hub_client.admin
    before = (await admin.post("/v1/domains/list")).json()

    for method, rest in [("POST", "create"), ("PUT", "1"), ("PATCH", "1"), ("DELETE", "1")]:
        body = {"name": "xx", "description": "X"}
        assert (await admin.request(method, f"/v1/domains/{rest}", json=body)).status_code == 403
    assert (await admin.post("/v1/domains/list")).json() == before


BAD: list[tuple[str, Json, str]] = [
    ("cuda", {"version": ""}, "version"),
    ("cuda", {"version": "12"}, "version"),
    ("cuda", {"version": "12.85"}, "version"),
    ("cuda", {"version": "\u0661.1"}, "version"),
    ("cuda", {"version": 12.8}, "version"),
    ("cuda", {"version": None}, "version"),
    ("cuda", {"full_version": "x" * 17}, "full_version"),
    ("cuda", {"min_driver_version": "x" * 17}, "min_driver_version"),
    ("cuda", {"min_driver_version": "1\0"}, "min_driver_version"),
    ("cuda", {"colour": "red"}, "colour"),
    ("frameworks", {"name": "x" * 33}, "name"),
    ("frameworks", {"version": " "}, "version"),
    ("frameworks", {"version": ["1"]}, "version"),
    ("licences", {"name": "x" * 101}, "name"),
    ("licences", {"url": "x" * 201}, "url"),
    ("licences", {"permissions": "all"}, "permissions"),
    ("licences", {"permissions": ["x" * 101]}, "permissions"),
    ("licences", {"conditions": [""]}, "conditions"),
    ("licences", {"limitations": ["a\0"]}, "limitations"),
    ("licences", {"domains": ["x"] * 101}, "domains"),
]


async def test_a_bad_member_is_named_and_nothing_is_stored(hub_client: HubClient) -> None:
    for name, members, field in BAD:
        kind = KINDS_OF_ENTRIES[name]

        answer = await hub_client.admin.post(f"{kind.path}/create", json=kind.new | members)

        assert (answer.status_code, list(fields_of(answer))) == (400, [field]), members
        assert await hub_client.audited(f"{kind.action}.create") == []


async def test_all_members_that_are_missing_are_named(hub_client: HubClient, kind: Kind) -> None:
    create = await hub_client.admin.post(f"{kind.path}/create")
    put = await hub_client.admin.put(f"{kind.path}/1", json={})

    needed = {"name", "url"} if kind.action == "licences" else set(kind.new)
    assert set(fields_of(create)) == set(fields_of(put)) == needed


# --- Licences -------------------------------------------------------------------------------------


async def test_a_licence_has_no_terms_unless_they_are_said(hub_client: HubClient) -> None:
    bare = await made(hub_client, "/v1/licences", {"name": "bare", "url": "x"})

    none: list[str] = []
    assert bare == {
        "pk": bare["pk"],
        "name": "bare",
        "url": "x",
        "permissions": none,
        "conditions": none,
        "limitations": none,
        "domains": none,
    }


async def test_licences_have_a_second_spelling(hub_client: HubClient) -> None:
    entry = await hub_client.admin.post("/v1/licenses/create", json=LICENCE)
    pk = entry.json()["pk"]

    assert entry.status_code == 201
    assert (await hub_client.viewer.get(f"/v1/licenses/{pk}")).json() == entry.json()
    assert (await hub_client.viewer.get(f"/v1/licences/{pk}")).json() == entry.json()
    assert len((await hub_client.viewer.post("/v1/licenses/list")).json()) == 15
    assert (await hub_client.user.delete(f"/v1/licenses/{pk}")).status_code == 403
    assert (await hub_client.admin.delete(f"/v1/licenses/{pk}")).status_code == 204


async def test_terms_are_added_and_removed_by_name(hub_client: HubClient) -> None:
    entry = await made(hub_client, "/v1/licences", LICENCE)
    path = f"/v1/licences/{entry['pk']}/subdescriptors"

    async def changed(method: str, *names: str) -> Json:
        body = {"type": "permissions", "method": method, "names": names}
        answer = await hub_client.admin.patch(path, json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    more = await changed("add", "Private use", "Modification")
    fewer = await changed("remove", "Commercial use", "Unheard of")

    assert more == entry | {"permissions": ["Commercial use", "Modification", "Private use"]}
    assert fewer == entry | {"permissions": ["Modification", "Private use"]}
    assert len(await hub_client.audited("licences.update")) == 2


async def test_terms_that_are_added_at_once_are_all_there(hub_client: HubClient) -> None:
    entry = await made(hub_client, "/v1/licences", LICENCE | {"domains": []})
    path = f"/v1/licences/{entry['pk']}/subdescriptors"

    await asyncio.gather(
        *(
            hub_client.admin.patch(path, json={"type": "domains", "method": "add", "names": [name]})
            for name in "abcdefgh"
        )
    )

    shown = (await hub_client.viewer.get(f"/v1/licences/{entry['pk']}")).json()
    assert sorted(shown["domains"]) == list("abcdefgh")


BAD_TERMS: list[Json] = [
    *({"type": "name"}, {"method": "set"}, {"names": []}, {"names": [1]}, {"names": "x"}),
    *({"names": ["x\0"]}, {"names": [""]}, {"more": 1}, {"names": ["x"] * 101}),
    {"names": [f"n{n}" for n in range(100)]},
]


async def test_a_bad_change_of_terms_is_refused(hub_client: HubClient) -> None:
    entry = await made(hub_client, "/v1/licences", LICENCE)
    path = f"/v1/licences/{entry['pk']}"
    for members in BAD_TERMS:
        body = {"type": "permissions", "method": "add", "names": ["x"]} | members

        answer = await hub_client.admin.patch(f"{path}/subdescriptors", json=body)

        assert answer.status_code == 400, members
        assert (await hub_client.viewer.get(path)).json() == entry


async def test_the_terms_of_a_licence_that_is_not_there_are_404(hub_client: HubClient) -> None:
    answer = await hub_client.admin.patch("/v1/licences/99/subdescriptors", json={"bad": 1})

    assert answer.status_code == 404


# --- What is referred to stays --------------------------------------------------------------------


async def test_what_an_image_refers_to_stays(hub_client: HubClient) -> None:
    for path, code in [
        ("/v1/cuda/10", "cuda_in_use"),
        ("/v1/frameworks/2", "framework_in_use"),
        ("/v1/licences/11", "licence_in_use"),
        ("/v1/hardware/4", "hardware_in_use"),
    ]:
        answer = await hub_client.admin.delete(path)

        assert (answer.status_code, answer.json()["code"]) == (409, code)
        assert (await hub_client.viewer.get(path)).status_code == 200
    for action in ("cuda", "frameworks", "licences", "hardware"):
        assert await hub_client.audited(f"{action}.destroy") == []


async def test_what_no_image_refers_to_any_more_may_go(hub_client: HubClient) -> None:
    image = await named(hub_client, "/v1/docker", "name", "pww3_cpu")
    assert (await hub_client.admin.delete(f"/v1/docker/{image['pk']}")).status_code == 204

    gone = await hub_client.admin.delete(f"/v1/frameworks/{image['framework']['pk']}")

    assert gone.status_code == 204


# --- Docker images --------------------------------------------------------------------------------


async def test_an_image_is_described_in_one_form_and_shown_in_another(
    hub_client: HubClient,
) -> None:
    entry = await made(hub_client, "/v1/docker", DOCKER)

    cuda = (await hub_client.viewer.get("/v1/cuda/10")).json()
    framework = (await hub_client.viewer.get("/v1/frameworks/2")).json()
    pascal = (await hub_client.viewer.get("/v1/hardware/4")).json()
    assert entry == DOCKER | {
        "pk": entry["pk"],
        "cuda_version": cuda,
        "framework": framework,
        "domain": "Image Classification",
        "min_hardware_generation": pascal,
    }
    assert (await hub_client.admin.get(f"/v1/docker/{entry['pk']}")).json() == entry


async def test_an_image_is_changed_and_removed(hub_client: HubClient) -> None:
    entry = await made(hub_client, "/v1/docker", DOCKER)
    path = f"/v1/docker/{entry['pk']}"

    patched = await hub_client.admin.patch(path, json={"domain": "sp", "tasks": ["Export"] * 2})
    assert patched.json() == entry | {"domain": "Speech", "tasks": ["Export"]}
    needs_no_gpu = {"cpu": True, "min_hardware_generation": None, "registry_username": None}
    put = await hub_client.admin.put(path, json=DOCKER | needs_no_gpu)
    assert put.json() == entry | needs_no_gpu
    gone = await hub_client.admin.delete(path)
    assert gone.status_code == 204
    assert (await hub_client.admin.get(path)).status_code == 404


async def test_an_image_may_leave_out_what_has_a_default(hub_client: HubClient) -> None:
    optional = ("registry_username", "registry_password", "cpu")
    short = {name: value for name, value in DOCKER.items() if name not in optional}

    entry = await made(hub_client, "/v1/docker", short)

    assert [entry[name] for name in optional] == [None, None, False]


BAD_IMAGES: list[tuple[Json, str]] = [
    ({"name": "x" * 65}, "name"),
    ({"version": "x" * 33}, "version"),
    ({"url": "x" * 201}, "url"),
    ({"registry_url": ""}, "registry_url"),
    ({"registry_username": "x" * 65}, "registry_username"),
    ({"registry_password": "x" * 65}, "registry_password"),
    ({"registry_password": 5}, "registry_password"),
    ({"cuda_version": "99.9"}, "cuda_version"),
    ({"cuda_version": 11.1}, "cuda_version"),
    ({"cuda_version": None}, "cuda_version"),
    ({"framework": 999}, "framework"),
    ({"framework": 2**63}, "framework"),
    ({"framework": "pytorch"}, "framework"),
    ({"domain": "xx"}, "domain"),
    ({"domain": "Image Classification"}, "domain"),
    ({"min_hardware_generation": "Pentium"}, "min_hardware_generation"),
    ({"min_hardware_generation": 4}, "min_hardware_generation"),
    ({"min_hardware_generation": None}, "min_hardware_generation"),
    ({"licence": "none"}, "licence"),
    ({"licence": "none\0"}, "licence"),
    ({"tasks": "Train"}, "tasks"),
    ({"tasks": ["not a name"]}, "tasks"),
    ({"tasks": ["x" * 65]}, "tasks"),
    ({"tasks": [f"T{n}" for n in range(33)]}, "tasks"),
    ({"cpu": 1}, "cpu"),
    ({"colour": "red"}, "colour"),
]


async def test_a_bad_image_is_refused(hub_client: HubClient) -> None:
    for members, field in BAD_IMAGES:
        answer = await hub_client.admin.post("/v1/docker/create", json=DOCKER | members)

        assert (answer.status_code, list(fields_of(answer))) == (400, [field]), members
        assert CANARY not in answer.text


async def test_a_change_cannot_leave_an_image_nothing_to_run_on(hub_client: HubClient) -> None:
    path = f"/v1/docker/{(await made(hub_client, '/v1/docker', DOCKER))['pk']}"

    without = await hub_client.admin.patch(path, json={"min_hardware_generation": None})
    both = await hub_client.admin.patch(path, json={"min_hardware_generation": None, "cpu": True})
    never = await hub_client.admin.patch(path, json={"cpu": False})

    assert [answer.status_code for answer in (without, both, never)] == [400, 200, 400]


async def test_what_an_image_refers_to_is_said_as_existing_clients_know_it(
    hub_client: HubClient,
) -> None:
    unknown = {"cuda_version": "99.9", "framework": 999, "domain": "xx", "licence": "none"}

    answer = await hub_client.admin.post("/v1/docker/create", json=DOCKER | unknown)

    assert fields_of(answer) == {
        "cuda_version": ["Object with version=99.9 does not exist."],
        "framework": ['Invalid pk "999" - object does not exist.'],
        "domain": ["Object with name=xx does not exist."],
        "licence": ["Object with name=none does not exist."],
    }


async def test_an_image_is_there_once_by_name_and_version(hub_client: HubClient) -> None:
    await made(hub_client, "/v1/docker", DOCKER)

    again = await hub_client.admin.post("/v1/docker/create", json=DOCKER)
    later = await hub_client.admin.post("/v1/docker/create", json=DOCKER | {"version": "3"})

    assert (again.status_code, list(fields_of(again))) == (400, ["non_field_errors"])
    assert later.status_code == 201


# --- Who sees how to get into a registry ----------------------------------------------------------


async def by_number(caller: Caller, headers: dict[str, str], pk: int) -> Json:
    return dict((await caller.get(f"/v1/docker/{pk}", headers=headers)).json())


async def by_list(caller: Caller, headers: dict[str, str], pk: int) -> Json:
    found = await caller.post("/v1/docker/list", headers=headers, json=filtered("pk", pk))
    return dict(found.json()[0])


async def by_type(caller: Caller, headers: dict[str, str], pk: int) -> Json:
    found = await caller.get("/v1/job-types/get-all-values/DockerImage", headers=headers)
    return dict(next(one for one in found.json() if one["pk"] == pk))


@pytest.mark.parametrize("look", [by_number, by_list, by_type])
async def test_nodes_and_administrators_alone_see_the_keys_of_a_registry(
    hub_client: HubClient, look: Callable[..., Any]
) -> None:
    entry = await made(hub_client, "/v1/docker", DOCKER)
    node = await hub_client.node()
    admins_node = await hub_client.node(hub_client.admin, index=1)

    for caller, headers, may in [
        (hub_client.admin, {}, True),
        (hub_client.admin, as_node(admins_node), True),
        (hub_client.user, as_node(node), True),
        (hub_client.user, {}, False),
        (hub_client.other, {}, False),
        (hub_client.viewer, {}, False),
    ]:
        seen = await look(caller, headers, entry["pk"])
        assert seen == entry | (
            {} if may else {"registry_username": None, "registry_password": None}
        )


async def test_the_number_of_anothers_node_opens_no_registry(hub_client: HubClient) -> None:
    node = await hub_client.node()
    for caller in (hub_client.other, hub_client.viewer):
        for headers in (as_node(node), as_node(4242), {"Node-Id": "x"}):
            answer = await caller.post("/v1/docker/list", headers=headers)
            assert answer.status_code in (400, 403)


async def test_nobody_can_guess_the_keys_of_a_registry_by_filters(hub_client: HubClient) -> None:
    callers = (hub_client.viewer, hub_client.user, hub_client.admin)
    for caller, field in itertools.product(callers, ("registry_password", "registry_username")):
        for spec in (
            filtered(field, "public"),
            {"expressions": [{"type": "contains", "field": field, "sub_string": "p"}]},
            {"expressions": [{"type": "isnull", "field": field}]},
            {"order_by": [{"field": field}]},
        ):
            assert (await caller.post("/v1/docker/list", json=spec)).status_code == 400


async def test_the_keys_of_a_registry_are_in_no_log_and_in_no_audit(
    hub_client: HubClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    admin = hub_client.admin
    keys = {"registry_username": f"{CANARY} 1", "registry_password": CANARY}
    entry = await made(hub_client, "/v1/docker", DOCKER | keys)
    path = f"/v1/docker/{entry['pk']}"
    answers: list[httpx.Response] = [
        await admin.patch(path, json={"registry_password": f"{CANARY} 2"}),
        await admin.patch(path, json={"registry_password": CANARY * 9}),
        await admin.patch(path, json={"registry_password": f"{CANARY}\0"}),
        await admin.post("/v1/docker/create", json=DOCKER | keys),
        await admin.post("/v1/docker/create", json=DOCKER | keys | {"framework": 99}),
        await admin.post("/v1/docker/create", json=DOCKER | {"registry_username": [CANARY]}),
        await admin.post("/v1/docker/list", json=filtered("registry_password", CANARY)),
        await admin.delete(path),
    ]

    audit = await hub_client.hub.engine.fetch("SELECT action, before, after FROM audit")
    assert [action for action, _, _ in audit] == [
        "docker.create",
        "docker.update",
        "docker.destroy",
    ]
    assert CANARY not in str(audit)
    assert CANARY not in caplog.text
    assert [answer.status_code for answer in answers] == [200, *[400] * 6, 204]
    assert not [answer.text for answer in answers[1:] if CANARY in answer.text]


# --- Filters --------------------------------------------------------------------------------------


SENT_BY_WORKERS: list[tuple[str, str, str | int, list[int]]] = [
    ("/v1/docker", "domain.description", "Speech", [23, 24, 25]),
    ("/v1/docker", "framework.name", "yolo", [16, 17, 18, 19, 20, 21]),
    ("/v1/docker", "framework.version", "1.14", [7, 8, 13]),
    ("/v1/docker", "name", "yolact", [14, 15]),
    ("/v1/docker", "version", "1.6", [5, 6]),
    ("/v1/docker", "pk", 3, [3]),
    ("/v1/hardware", "generation", "Turing", [6]),
    ("/v1/cuda", "full_version", "8.0.61 GA2", [18]),
    ("/v1/domains", "description", "Speech", [5]),
    ("/v1/frameworks", "name", "yolo", [12, 13]),
    ("/v1/frameworks", "version", "v7", [13]),
    ("/v1/licences", "name", "MIT", [11]),
]


async def test_lists_have_the_filters_that_workers_send(hub_client: HubClient) -> None:
    for path, field, value, pks in SENT_BY_WORKERS:
        answer = await hub_client.viewer.post(f"{path}/list", json=filtered(field, value))

        assert [one["pk"] for one in answer.json()] == pks, field
