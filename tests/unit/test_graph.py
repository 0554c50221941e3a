"""Graphs of templates: what is refused, what is left to the whole, what an order is."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import InvalidInput
from hub.lifecycle.interface import InputSpec, Interface, OutputSpec, ParameterSpec
from hub.lifecycle.template_graphs import (
    Child,
    Graph,
    child_parameters,
    feeding,
    graph_interface,
    graph_text,
    in_order,
    make_graph,
    of_child,
    override_types,
    parse_graph,
    templates_in,
    wired_type,
)
from hub.lifecycle.types import BadType
from hub.wire.imports import Dependency, GraphForm, NodeForm, Override

BYTES = "BLOB<'png'>"
STEP = Interface(
    inputs={"in": InputSpec([f"JobOutput<{BYTES}>", "str"]), "also": InputSpec(["FiniteJSONType"])},
    parameters={
        "size": ParameterSpec(["int", "Array<int>"], default=1, default_type="int", const=False),
        "name": ParameterSpec(["str"], help="whose"),
        "fixed": ParameterSpec(["int"], default=1, default_type="int", const=True),
    },
    outputs={"out": OutputSpec(BYTES, help="it")},
)
A, B, C = (Child(template, 1, STEP) for template in (1, 2, 3))
NONE: frozenset[str] = frozenset()


def wire(source: str, target: str, to_input: str = "in") -> Dependency:
    return Dependency(source, "out", target, to_input)


def form(*wires: Dependency, **nodes: dict[str, Override]) -> GraphForm:
    named = {
        name: NodeForm(f"template {name}", parameter_default_overrides=overrides)
        for name, overrides in nodes.items()
    }
    return GraphForm(named, list(wires))


def made(graph: GraphForm, registered: frozenset[str] = NONE) -> Graph:
    children = dict(zip("abc", (A, B, C), strict=True))
    return make_graph(graph, {name: children[name] for name in graph.nodes}, registered)


def test_children_are_fixed_by_number() -> None:
    graph = made(form(wire("a", "b"), a={}, b={}))

    assert {name: (node.name, node.template) for name, node in graph.nodes.items()} == {
        "a": ("template a", 1),
        "b": ("template b", 2),
    }
    assert graph.jobs == 2
    assert templates_in(graph_text(graph)) == [1, 2]
    assert templates_in(None) == []


def test_a_graph_is_what_it_was_when_it_is_read_again() -> None:
    graph = made(form(wire("a", "b"), a={"size": Override([1, 2], "Array<int>")}, b={}))

    assert parse_graph(graph_text(graph)) == graph
    assert override_types(graph_text(graph)) == ["Array<int>"]


def test_the_whole_takes_and_gives_what_its_children_leave_to_it() -> None:
    overrides = {"size": Override(5), "name": Override("x", const=True)}
    graph = made(form(wire("a", "b"), a={}, b=overrides))

    whole = graph_interface(graph, {"a": STEP, "b": STEP})

    assert list(whole.inputs) == ["a:in", "a:also", "b:also"]
    assert list(whole.parameters) == ["a:size", "a:name", "b:size"]
    assert list(whole.outputs) == ["a:out", "b:out"]
    assert whole.parameters["b:size"].default == 5
    assert whole.parameters["a:size"] == STEP.parameters["size"]
    assert whole.outputs["a:out"] == STEP.outputs["out"]


def test_a_child_has_its_values_by_its_own_names() -> None:
    values = {"a:in": 1, "a:b:in": 2, "ab:in": 3, "b:a:in": 4}

    assert of_child(values, "a") == {"in": 1, "b:in": 2}
    assert of_child(of_child(values, "a"), "b") == {"in": 2}


def test_an_override_takes_the_place_of_a_default() -> None:
    graph = made(form(a={"size": Override([1], "Array<int>", const=True), "name": Override("x")}))

    parameters = child_parameters(graph.nodes["a"], STEP)

    size, name, fixed = (parameters[one] for one in ("size", "name", "fixed"))
    assert (size.default, size.default_type, size.const) == ([1], "Array<int>", True)
    assert (name.default, name.default_type, name.const, name.help) == ("x", "str", False, "whose")
    assert fixed == STEP.parameters["fixed"]


def test_an_override_of_nothing_changes_nothing() -> None:
    graph = made(form(a={"size": Override(default_type="Array<int>")}))

    assert child_parameters(graph.nodes["a"], STEP) == STEP.parameters


def test_an_override_may_have_a_registered_type() -> None:
    child = Child(1, 1, Interface(parameters={"x": ParameterSpec(["UFDLJSONType"])}))
    graph = form(a={"x": Override(1, "Colour")})

    node = make_graph(graph, {"a": child}, frozenset({"Colour"})).nodes["a"]

    assert node.parameter_default_overrides["x"].default_type == "Colour"
    with pytest.raises(BadType, match="Colour"):
        make_graph(graph, {"a": child}, NONE)


@pytest.mark.parametrize(
    ("graph", "problem"),
    [
        (form(wire("a", "x"), a={}), "no child 'x'"),
        (form(Dependency("a", "x", "b", "in"), a={}, b={}), "no output a:x"),
        (form(wire("a", "b", "x"), a={}, b={}), "no input b:x"),
        (form(wire("a", "b"), wire("c", "b"), a={}, b={}, c={}), "b:in is fed twice"),
        (form(wire("a", "a"), a={}), "cycle: a -> a"),
        (form(wire("a", "b"), wire("b", "c"), wire("c", "a"), a={}, b={}, c={}), "cycle"),
        (form(a={"x": Override(1)}), "no parameter a:x"),
        (form(a={"fixed": Override(1)}), "a:fixed is const"),
        (form(a={"fixed": Override()}), "a:fixed is const"),
        (form(a={"size": Override("x")}), "a:size is no int"),
        (form(a={"size": Override(1, "str")}), "str is none of the types of parameter a:size"),
        (form(a={"name": Override(const=True)}), "a:name is const and has no default"),
    ],
)
def test_a_graph_that_makes_no_sense_is_refused(graph: GraphForm, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        made(graph)


@pytest.mark.parametrize(
    ("output", "inputs", "wired"),
    [
        (BYTES, [f"JobOutput<{BYTES}>"], f"JobOutput<{BYTES}>"),
        (BYTES, ["str", "JobOutput<BLOB>"], f"JobOutput<{BYTES}>"),
        (BYTES, ["JobOutput"], f"JobOutput<{BYTES}>"),
        (BYTES, [f"PK<JobOutput<{BYTES}>>"], f"PK<JobOutput<{BYTES}>>"),
        (BYTES, ["PK<JobOutput>", "JobOutput"], f"JobOutput<{BYTES}>"),
        (BYTES, ["ServerResidentType"], f"JobOutput<{BYTES}>"),
        ("Colour", ["JobOutput<Colour>"], "JobOutput<Colour>"),
        (BYTES, [BYTES], None),
        (BYTES, ["JobOutput<BLOB<'txt'>>"], None),
        (BYTES, ["JSON", "int"], None),
        ("PK<Dataset>", ["PK<Dataset>"], None),
        ("BLOB", [f"JobOutput<{BYTES}>"], None),
    ],
)
def test_an_output_is_handed_on_as_a_reference_to_it(
    output: str, inputs: list[str], wired: str | None
) -> None:
    assert wired_type(output, inputs) == wired


def test_an_output_whose_reference_cannot_be_written_is_not_handed_on() -> None:
    with pytest.raises(BadType):
        wired_type(f"BLOB<'{'x' * 1_012}'>", ["JobOutput"])


@settings(deadline=None)
@given(st.data())
def test_each_child_stands_behind_those_that_feed_it(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.integers(0, 99).map(str), unique=True, max_size=12))
    later = [(i, j) for j in range(len(names)) for i in range(j)]
    edges = data.draw(st.lists(st.sampled_from(later), unique=True)) if later else []
    shuffled = data.draw(st.permutations(names))
    nodes = {name: NodeForm("t") for name in shuffled}
    wires = [Dependency(names[i], "out", names[j], f"from {names[i]}") for i, j in edges]
    inputs = {f"from {name}": InputSpec(["JobOutput"]) for name in names}
    child = Child(1, 1, Interface(inputs=inputs, outputs=STEP.outputs))

    graph = make_graph(GraphForm(nodes, wires), dict.fromkeys(names, child), NONE)

    place = {name: index for index, name in enumerate(in_order(graph))}
    assert place.keys() == set(names)
    assert all(place[names[i]] < place[names[j]] for i, j in edges)
    assert {name: {d.from_node for d in wires} for name, wires in feeding(graph).items()} == {
        name: {names[i] for i, j in edges if names[j] == name} for name in names
    }
    if edges:
        i, j = edges[0]
        back = Dependency(names[j], "out", names[i], f"from {names[j]}")
        with pytest.raises(InvalidInput, match="cycle"):
            in_order(msgspec.structs.replace(graph, dependencies=[*wires, back]))
