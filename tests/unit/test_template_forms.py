"""What an export gives is what an import takes, whatever the template."""

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.errors import Conflict, InvalidInput
from hub.lifecycle.exporting import form_of
from hub.lifecycle.importing import (
    BadTemplate,
    Names,
    check_form,
    child_of,
    judged,
    row_of,
    specific_of,
)
from hub.lifecycle.interface import InputSpec, Interface, OutputSpec, ParameterSpec
from hub.lifecycle.template_graphs import Child
from hub.wire.imports import ContractForm, GraphForm, NativeForm, TemplateForm
from orm.queries.templates import TemplateRow

LICENCE = "Apache 2.0"
CONTRACTS = (
    "Export",
    "Train<Domain<'Speech'>,Framework<'x', '1'>>",
    "Predict<Domain, Framework>",
    "Paint",
)
STEP = Interface(
    inputs={"in": InputSpec(["JobOutput"])},
    parameters={"size": ParameterSpec(["int", "Array<int>"]), "any": ParameterSpec(["JSON"])},
    outputs={"out": OutputSpec("BLOB<'png'>")},
)
CHILD = Child(7, 3, STEP)
CHILDREN = ("a", "b", "c", "d")

NAMES = Names(
    licence=2,
    domain="ic",
    children=dict.fromkeys(CHILDREN, CHILD),
    types=frozenset({"Colour"}),
    contracts=frozenset({"Paint"}),
)

# Texts of types, not all as the hub would write them, and values of each.
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "str": st.text(),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    " bool ": st.booleans(),
    "Array< int >": st.lists(st.integers(0, 9), max_size=3),
    "Map<Array<str,1>>": st.dictionaries(st.text(max_size=3), st.just(["x"]), max_size=2),
    "'it\\'s'": st.just("it's"),
    "Nothing": st.none(),
    "JSON": json_values,
    "Colour": json_values,
    "PK<Dataset>": st.integers(1, 99),
}
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
words = st.text("abcdefgh _-", min_size=1, max_size=8).filter(lambda text: text == text.strip())


@st.composite
def parameters(draw: st.DrawFn) -> dict[str, Any]:
    types = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=3))
    entry: dict[str, Any] = {"types": types, "help": draw(texts)}
    if draw(st.booleans()):
        kind = draw(st.sampled_from(types))
        entry |= {"default": draw(VALUES[kind]), "default_type": kind}
        if kind == types[0] and draw(st.booleans()):
            del entry["default_type"]
        if draw(st.booleans()):
            entry["const"] = draw(st.booleans())
    return entry


@st.composite
def of_contracts(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "job_type": draw(st.sampled_from(CONTRACTS)),
        "executor_class": draw(texts),
        "required_packages": draw(texts),
        "parameters": draw(st.dictionaries(words, parameters(), max_size=3)),
    }


@st.composite
def natives(draw: st.DrawFn) -> dict[str, Any]:
    types = st.sampled_from([*VALUES, "BLOB", "Model<Domain,Framework>"])
    given_form = {
        "inputs": draw(st.dictionaries(words, types, max_size=2)),
        "outputs": draw(st.dictionaries(words, types, max_size=2)),
        "parameters": draw(st.dictionaries(words, parameters(), max_size=2)),
        "required_packages": draw(texts),
    }
    executor = draw(st.sampled_from([None, "some.Executor"]))
    return given_form if executor is None else given_form | {"executor_class": executor}


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    children = draw(st.lists(st.sampled_from(CHILDREN), unique=True))
    nodes: dict[str, Any] = {}
    for name in children:
        nodes[name] = {"name": "step"}
        if draw(st.booleans()):
            sizes: st.SearchStrategy[Any] = st.just({}) | st.just({"default": 5, "const": True})
            arrays = st.just({"default": [5], "default_type": "Array< int >"})
            nodes[name]["version"] = 3
            nodes[name]["parameter_default_overrides"] = {
                "size": draw(sizes | arrays),
                "any": {"default": draw(json_values)},
            }
    wires = [
        {"from_node": before, "from_output": "out", "to_node": after, "to_input": "in"}
        for before, after in itertools.pairwise(children)
        if draw(st.booleans())
    ]
    return {"nodes": nodes, "dependencies": wires}


@st.composite
def conditions(draw: st.DrawFn, *, of_graph: bool) -> dict[str, Any]:
    every: dict[str, Any] = {
        "priority": draw(st.integers(0, 1_000_000)),
        "labels": draw(st.dictionaries(words, words, max_size=2)),
    }
    if not of_graph:
        every |= {
            "timeout_s": draw(st.none() | st.integers(1, 1_000)),
            "max_tries": draw(st.integers(1, 100)),
            "requirements": draw(st.sampled_from([{}, {"cpus": 2}, {"mem": 0.5, "labels": {}}])),
        }
    chosen = draw(st.lists(st.sampled_from(list(every)), unique=True))
    return {name: every[name] for name in chosen}


@st.composite
def forms(draw: st.DrawFn) -> dict[str, Any]:
    specific = draw(of_contracts() | natives() | graphs())
    form: dict[str, Any] = {
        "name": draw(words),
        "version": draw(st.integers(1, 2**31 - 1)),
        "description": draw(texts),
        "scope": draw(words),
        "licence": LICENCE,
        "domain": "ic",
        "specific": specific,
    }
    if draw(st.booleans()):
        form["hub"] = draw(conditions(of_graph="nodes" in specific))
    return form


def imported(text: bytes) -> TemplateRow:
    form = msgspec.json.decode(text, type=TemplateForm)
    specific = specific_of(form)
    check_form(form, specific)
    names = NAMES
    if "nodes" in form.specific:
        children = dict.fromkeys(form.specific["nodes"], CHILD)
        names = msgspec.structs.replace(NAMES, children=children)
    return row_of(form, specific, names)


def exported(row: TemplateRow) -> bytes:
    return msgspec.json.encode(form_of(row, LICENCE))


# Another process may have the processor while a form is drawn.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@unhurried
@given(forms())
def test_an_import_of_an_export_makes_an_equal_template(form: dict[str, Any]) -> None:
    row = imported(msgspec.json.encode(form))

    again = imported(exported(row))

    assert again == row
    assert exported(again) == exported(row)


@unhurried
@given(forms())
def test_an_export_says_what_was_imported(form: dict[str, Any]) -> None:
    given_back = msgspec.json.decode(exported(imported(msgspec.json.encode(form))))

    for name in ("name", "version", "description", "scope", "licence", "domain"):
        assert given_back[name] == form[name]
    for name, value in form["specific"].items():
        if name not in ("parameters", "inputs", "outputs", "nodes"):
            assert given_back["specific"][name] == value
    if "job_type" in form["specific"]:
        shown = given_back["specific"]["parameters"]
        for name, entry in form["specific"]["parameters"].items():
            # A constant that is none, without a default, says nothing.
            said = entry if "default" in entry else {"types": entry["types"], "help": entry["help"]}
            assert said.items() <= shown[name].items()


@pytest.mark.parametrize(
    ("specific", "kind"),
    [
        ({"nodes": {}, "dependencies": []}, GraphForm),
        ({"inputs": {}, "outputs": {}}, NativeForm),
        (
            {
                "job_type": "Export",
                "executor_class": "",
                "required_packages": "",
                "parameters": {},
            },
            ContractForm,
        ),
    ],
)
def test_the_members_tell_what_kind_of_template_it_is(specific: Any, kind: type) -> None:
    assert type(specific_of(TemplateForm(name="x", specific=specific))) is kind


@pytest.mark.parametrize("specific", [{}, {"nodes": {}}, {"nodes": {}, "job_type": "Export"}])
def test_what_is_no_kind_of_template_is_refused(specific: Any) -> None:
    with pytest.raises(InvalidInput, match="specific"):
        specific_of(TemplateForm(name="x", specific=specific))


def test_a_template_counts_as_the_jobs_that_are_made_for_it() -> None:
    nodes = {"a": {"name": "step"}, "b": {"name": "step"}}
    form = {"name": "x", "version": 1, "scope": "x", "licence": "MIT"}
    graph = imported(
        msgspec.json.encode({**form, "specific": {"nodes": nodes, "dependencies": []}})
    )

    assert child_of(graph).jobs == 3
    assert child_of(graph).interface.outputs.keys() == {"a:out", "b:out"}
    assert child_of(imported(b'{"name":"y","specific":{"inputs":{},"outputs":{}}}')).jobs == 1


def test_only_what_is_invalid_is_the_fault_of_the_template() -> None:
    with pytest.raises(BadTemplate, match="Bad job template: a: b"), judged():
        raise InvalidInput("c", fields={"a": ["b"]})
    with pytest.raises(Conflict), judged():
        raise Conflict("later")
