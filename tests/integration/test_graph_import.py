"""Templates that are graphs of others, over REST, on both databases."""

import asyncio
from typing import Any

import httpx
import pytest

from hub.api import template_exchange
from tests.integration.conftest import HubClient, Json, fields_of
from tests.integration.template_forms import (
    BARE,
    CHAIN,
    NATIVE,
    TRAIN,
    active,
    but,
    chained,
    exported,
    imported,
    send,
)


async def test_a_meta_template_takes_and_gives_what_its_children_leave_to_it(
    hub_client: HubClient,
) -> None:
    made = await chained(hub_client)

    types = ["BLOB<'png'>", "JobOutput<BLOB<'png'>>"]
    picture = {"type": "BLOB<'png'>", "help": "The smaller one."}
    assert made["inputs"] == {"first:picture": {"types": types, "help": "any"}}
    assert made["outputs"] == {"first:picture": picture, "second:picture": picture}
    assert {"type", "executor_class", "required_packages", "parameters"} & set(made) == set()
    asked = await hub_client.viewer.get(f"/v1/job-templates/{made['pk']}/get-all-parameters")
    parameters = asked.json()
    assert list(parameters) == ["first:width", "first:modes", "second:modes"]
    assert parameters["second:modes"]["default"] == {
        "value": "fast",
        "type": "str",
        "schema": {"type": "string"},
        "const": False,
    }


async def test_a_meta_template_is_told_from_others_by_filters(hub_client: HubClient) -> None:
    made = await chained(hub_client)
    await hub_client.template(name="nobody's")
    found = {}
    for field in ("metatemplate", "workabletemplate"):
        spec = {"expressions": [{"field": field, "type": "isnull", "invert": True}]}
        answer = await hub_client.viewer.post("/v1/job-templates/list", json=spec)
        found[field] = [row["pk"] for row in answer.json()]

    assert found == {"metatemplate": [made["pk"]], "workabletemplate": [1]}


async def test_a_child_does_not_go_while_its_graph_is_imported(
    hub_client: HubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = template_exchange._names
    going: list[asyncio.Task[httpx.Response]] = []

    async def goes_meanwhile(*args: Any) -> Any:
        names = await looked_up(*args)
        (child, *_) = names.children.values()
        at = f"/v1/job-templates/{child.template}/hard"
        going.append(asyncio.create_task(hub_client.admin.delete(at)))
        return names

    monkeypatch.setattr(template_exchange, "_names", goes_meanwhile)
    for n in range(10):
        child = f"child {n}"
        await hub_client.template(name=child)
        nodes = {"only": {"name": child}}

        made = await send(hub_client, but(CHAIN, specific={"nodes": nodes, "dependencies": []}))
        gone = await going.pop()

        assert (made.status_code, gone.status_code) in {(200, 409), (400, 200)}


async def test_a_graph_keeps_the_children_that_it_was_made_with(hub_client: HubClient) -> None:
    made = await chained(hub_client)
    await hub_client.template(**NATIVE)

    form = await exported(hub_client, made["pk"])

    assert [node["version"] for node in form["specific"]["nodes"].values()] == [1, 1]
    newest = await imported(hub_client, CHAIN)
    form = await exported(hub_client, newest["pk"])
    assert [node["version"] for node in form["specific"]["nodes"].values()] == [2, 1]


async def test_graphs_can_be_nested(hub_client: HubClient) -> None:
    await chained(hub_client)
    nodes = {"inner": {"name": "chain"}, "last": {"name": "resize"}}
    wire = {"from_node": "inner", "from_output": "second:picture"}
    wires = [wire | {"to_node": "last", "to_input": "picture"}]

    made = await imported(
        hub_client, but(CHAIN, name="outer", specific__nodes=nodes, specific__dependencies=wires)
    )

    assert list(made["inputs"]) == ["inner:first:picture"]
    assert list(made["outputs"]) == ["inner:first:picture", "inner:second:picture", "last:picture"]


async def test_an_empty_graph_is_one(hub_client: HubClient) -> None:
    made = await imported(hub_client, but(CHAIN, specific__nodes={}, specific__dependencies=[]))

    assert (made["inputs"], made["outputs"]) == ({}, {})


def graph_with(**members: Any) -> Json:
    return but(CHAIN, **{f"specific__{name}": value for name, value in members.items()})


WIRE: Json = CHAIN["specific"]["dependencies"][0]
BACK = {
    "from_node": "second",
    "from_output": "picture",
    "to_node": "first",
    "to_input": "picture",
}


def overriding(**members: Any) -> Json:
    return graph_with(nodes__first__parameter_default_overrides=members)


BAD_GRAPHS: dict[str, tuple[Json, str]] = {
    "unknown member": (graph_with(colour="red"), "colour"),
    "no dependencies": (graph_with(dependencies=...), "dependencies"),
    "no nodes": (graph_with(nodes=...), "nodes"),
    "no licence": (but(CHAIN, licence=...), "licence"),
    "unknown template": (graph_with(nodes__first__name="paint"), "no job template 'paint'"),
    "template with NUL": (graph_with(nodes__first__name="a\0"), "Null"),
    "unknown version": (graph_with(nodes__first__version=7), "'resize' version 7"),
    "deleted version": (graph_with(nodes__first__version=2), "'resize' version 2"),
    "version 0": (graph_with(nodes__first__version=0), "version"),
    "child with a colon": (graph_with(nodes={"a:b": {"name": "resize"}}), "a:b"),
    "child with a slash": (graph_with(nodes={"a/b": {"name": "resize"}}), "'/'"),
    "blank child": (graph_with(nodes={" ": {"name": "resize"}}), "printable"),
    "unknown parameter": (overriding(colour={"default": 1}), "first:colour"),
    "override of another type": (overriding(width={"default": "wide"}), "first:width is no int"),
    "override type": (overriding(width={"default": 1, "default_type": "str"}), "first:width"),
    "const without default": (overriding(width={"const": True}), "first:width is const"),
    "unknown in override": (overriding(width={"colour": 1}), "colour"),
    "unknown source": (graph_with(dependencies=[WIRE | {"from_node": "x"}]), "no child 'x'"),
    "unknown target": (graph_with(dependencies=[WIRE | {"to_node": "x"}]), "no child 'x'"),
    "unknown output": (graph_with(dependencies=[WIRE | {"from_output": "x"}]), "first:x"),
    "unknown input": (graph_with(dependencies=[WIRE | {"to_input": "x"}]), "second:x"),
    "output as object": (graph_with(dependencies=[WIRE | {"from_output": {}}]), "from_output"),
    "input fed twice": (graph_with(dependencies=[WIRE, WIRE]), "second:picture is fed twice"),
    "cycle": (graph_with(dependencies=[WIRE, BACK]), "cycle"),
    "cycle of one": (graph_with(dependencies=[WIRE | {"to_node": "first"}]), "cycle"),
    "output that does not fit": (
        graph_with(
            nodes={"first": {"name": "texts"}, "second": {"name": "resize"}},
            dependencies=[WIRE | {"from_output": "text"}],
        ),
        "does not take a JobOutput<BLOB<'txt'>>",
    ),
    "output that would have to be taken bare": (
        graph_with(
            nodes={"first": {"name": "texts"}, "second": {"name": "texts"}},
            dependencies=[WIRE | {"from_output": "text", "to_input": "text"}],
        ),
        "does not take a JobOutput<BLOB<'txt'>>",
    ),
    "too many children": (
        graph_with(nodes={str(n): {"name": "x"} for n in range(201)}, dependencies=[]),
        "at most 200 children",
    ),
    "too many dependencies": (graph_with(dependencies=[WIRE] * 1_001), "at most 1,000"),
    "a condition of jobs that nodes work on": (
        but(CHAIN, hub={"max_tries": 2}),
        "The children of this template say that.",
    ),
    "itself": (but(CHAIN, name="resize", version=1), "takes the place of"),
}


@pytest.mark.parametrize("case", BAD_GRAPHS)
async def test_a_bad_graph_is_refused(hub_client: HubClient, case: str) -> None:
    form, detail = BAD_GRAPHS[case]
    await hub_client.template(**NATIVE)
    await hub_client.template(**NATIVE)
    await hub_client.template(
        name="texts", inputs={"text": "BLOB<'txt'>"}, outputs={"text": "BLOB<'txt'>"}
    )
    await hub_client.admin.delete("/v1/job-templates/2")

    answer = await send(hub_client, form)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_job_template")
    assert detail in answer.json()["detail"]
    assert len(await active(hub_client)) == 2


async def test_a_constant_of_a_child_stays_one(hub_client: HubClient) -> None:
    await imported(hub_client, TRAIN)
    node = {"name": "train", "parameter_default_overrides": {"rate": {"default": 0.5}}}

    answer = await send(hub_client, graph_with(nodes={"a": node}, dependencies=[]))

    assert answer.status_code == 400
    assert "parameter a:rate is const" in answer.json()["detail"]


async def test_a_graph_makes_no_more_jobs_than_a_hub_can_hold(hub_client: HubClient) -> None:
    await imported(hub_client, BARE)
    for name, child in (("31", "bare"), ("992", "31")):
        nodes = {str(n): {"name": child} for n in range(31)}
        await imported(hub_client, graph_with(nodes=nodes, dependencies=[]) | {"name": name})
    nodes = {"a": {"name": "992"}, "b": {"name": "31"}}

    refused = await send(hub_client, graph_with(nodes=nodes, dependencies=[]))

    assert refused.status_code == 400
    assert "at most 1,000 jobs, not 1,025" in refused.json()["detail"]


async def test_a_graph_says_no_more_than_somebody_could_read(hub_client: HubClient) -> None:
    parameters = {"x": {"type": "str", "default": "x" * 500_000}}
    await hub_client.template(name="verbose", parameters=parameters)
    nodes = {str(n): {"name": "verbose"} for n in range(9)}

    refused = await send(hub_client, graph_with(nodes=nodes, dependencies=[]))
    del nodes["0"]
    taken = await send(hub_client, graph_with(nodes=nodes, dependencies=[]))

    assert (refused.status_code, taken.status_code) == (400, 200)
    assert "at most 4,194,304 characters" in refused.json()["detail"]


async def test_names_that_grow_too_long_are_refused(hub_client: HubClient) -> None:
    await hub_client.template(name="0", outputs={"o" * 64: "int"})
    deep = [
        graph_with(nodes={"c" * 64: {"name": str(depth)}}, dependencies=[])
        | {"name": str(depth + 1)}
        for depth in range(3)
    ]
    for form in deep[:2]:
        await imported(hub_client, form)

    answer = await send(hub_client, deep[2])

    assert answer.status_code == 400
    assert "longer than 200 characters" in answer.json()["detail"]


async def test_a_child_stays_while_a_graph_names_it(hub_client: HubClient) -> None:
    made = await chained(hub_client)
    await hub_client.admin.delete(f"/v1/job-templates/{made['pk']}")

    refused = await hub_client.admin.delete("/v1/job-templates/1/hard")
    assert (refused.status_code, refused.json()["code"]) == (409, "template_in_use")
    assert (await hub_client.admin.delete("/v1/job-templates/1")).status_code == 204

    assert (
        await hub_client.admin.delete(f"/v1/job-templates/{made['pk']}/hard")
    ).status_code == 200
    assert (await hub_client.admin.delete("/v1/job-templates/1/hard")).status_code == 200


async def test_a_meta_template_can_have_a_next_version(hub_client: HubClient) -> None:
    old = await chained(hub_client)
    url = f"/v1/job-templates/{old['pk']}"

    patched = await hub_client.admin.patch(url, json={"description": "New.", "priority": 5})
    put = await hub_client.admin.put(url, json={"labels": {"a": "b"}})

    new = patched.json()
    assert (patched.status_code, put.status_code) == (201, 201)
    assert (new["version"], new["description"], new["priority"]) == (2, "New.", 5)
    for name in ("inputs", "outputs", "licence", "scope"):
        assert new[name] == put.json()[name] == old[name]
    first, second = await exported(hub_client, old["pk"]), await exported(hub_client, new["pk"])
    assert first["specific"] == second["specific"]
    hard = await hub_client.admin.delete("/v1/job-templates/1/hard")
    assert hard.status_code == 409


@pytest.mark.parametrize(
    "members",
    [
        {"inputs": {}},
        {"parameters": {}},
        {"outputs": {}},
        {"executor_class": "a.B"},
        {"required_packages": "x"},
        {"timeout_s": 5},
        {"max_tries": 2},
        {"requirements": {}},
    ],
)
async def test_what_children_say_is_not_changed(hub_client: HubClient, members: Json) -> None:
    made = await chained(hub_client)

    answer = await hub_client.admin.patch(f"/v1/job-templates/{made['pk']}", json=members)

    assert (answer.status_code, list(fields_of(answer))) == (400, list(members))


async def test_a_type_stays_while_only_an_override_names_it(hub_client: HubClient) -> None:
    colour = {"name": "Colour", "pkg": "paint", "cls": "paint.Colour"}
    made = (await hub_client.admin.post("/v1/job-types/create", json=colour)).json()
    await hub_client.template(name="any", parameters={"x": "UFDLJSONType"})
    override = {"default": 1, "default_type": "Colour", "const": True}
    node = {"name": "any", "parameter_default_overrides": {"x": override}}
    await imported(hub_client, graph_with(nodes={"a": node}, dependencies=[]))

    gone = await hub_client.admin.delete(f"/v1/job-types/{made['pk']}")

    assert (gone.status_code, gone.json()["code"]) == (409, "job_type_in_use")
