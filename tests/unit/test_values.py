import base64
import time
from collections.abc import Callable
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.lifecycle.types import Named, TypeExpr, canonical, is_subtype, parse
from hub.lifecycle.values import MAX_VALUE_DEPTH, accepts
from tests.unit.type_world import POOL, REGISTERED, VALUES, json_types


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("str", ""),
        ("str", "öß\U0001f600"),
        ("int", -(2**63)),
        ("int", 2**63 - 1),
        ("float", 1),
        ("float", 0.5),
        ("bool", False),
        ("ValueType", "a"),
        ("Nothing", None),
        ("JSON", {"a": [1, None, {"b": 0.5}]}),
        ("JSON", None),
        ("UFDLType", [1]),
        ("Array<int>", []),
        ("Array<int, 2>", [1, 2]),
        ("Array<float>", [1, 0.5]),
        ("Map<str>", {"": "empty name"}),
        ("Map", {"a": None}),
        ("BLOB", ""),
        ("BLOB<'png'>", base64.b64encode(bytes(range(256))).decode()),
        ("5", 5),
        ("5.0", 5),
        ("'a'", "a"),
        ("@true", True),
        ("PK<Dataset>", 1),
        ("Array<PK<Hardware>, 2>", [1, 2**63 - 1]),
        ("Name<Dataset>", "cats v3"),
        ("JobOutput<Model>", 7),
        ("Framework<'torch', '2'>", {"pk": 1, "name": "torch", "version": "2"}),
        ("DockerImage", {"pk": 1, "tasks": ["Train"], "framework": {"pk": 2}}),
        ("Domain", {}),
        ("ServerResidentType", 7),
        ("ServerResidentType", {"pk": 7}),
        ("NamedServerType", {"pk": 7}),
        ("FiniteJSONType", None),
        ("Compressed<JSON, 8>", "YQ=="),
        ("Model", "YQ=="),
        ("Colour", None),
        ("Colour", [{"r": 1}]),
        ("Map<Colour>", {"a": 1, "b": [None]}),
    ],
)
def test_a_fitting_value_is_accepted(text: str, value: object) -> None:
    assert accepts(parse(text, REGISTERED), value) is None


@pytest.mark.parametrize(
    ("text", "value", "sentence"),
    [
        ("str", 5, "value: expected str, got int"),
        ("str", None, "value: expected str, got null"),
        ("int", True, "value: expected int, got bool"),
        ("int", 1.5, "value: expected int, got float"),
        ("int", 1.0, "value: expected int, got float"),
        ("int", "1", "value: expected int, got text"),
        ("float", True, "value: expected float, got bool"),
        ("bool", 1, "value: expected bool, got int"),
        ("ValueType", [], "value: expected ValueType, got array"),
        ("Nothing", {}, "value: expected Nothing, got object"),
        ("int", 2**63, "value: an int of more than 64 bits"),
        ("float", -(2**63) - 1, "value: an int of more than 64 bits"),
        ("float", float("nan"), "value: a number that is not finite"),
        ("JSON", {"a": float("inf")}, "value.a: a number that is not finite"),
        ("JSON", [{"a": 2**64}], "value[0].a: an int of more than 64 bits"),
        ("str", "\ud800", "value: a text with a lone surrogate"),
        ("JSON", {"\udfff": 1}, "value: a member whose name is not Unicode text"),
        ("JSON", {1: 2}, "value: a member whose name is not Unicode text"),
        ("JSON", (1,), "value: expected JSON, got something that is not JSON"),
        ("UFDLType", b"raw", "value: expected UFDLType, got something that is not JSON"),
        ("Array<int>", "abc", "value: expected Array<int, int>, got text"),
        ("Array<int>", [0, 1, 2, "x"], "value[3]: expected int, got text"),
        ("Array<int, 2>", [1], "value: expected 2 items, got 1"),
        ("Map<Array<int>>", {"a": [1], "b": [True]}, "value.b[0]: expected int, got bool"),
        ("Map<int>", {"a b": ""}, 'value["a b"]: expected int, got text'),
        ("Map<int>", {'"\n': ""}, 'value["\\"\\n"]: expected int, got text'),
        ("Map<int>", {"x" * 2**20: ""}, f'value["{"x" * 40}…"]: expected int, got text'),
        ("BLOB", "YQ", "value: expected bytes as base64 text"),
        ("BLOB", "YQ==\n", "value: expected bytes as base64 text"),
        ("BLOB", "Y-_=", "value: expected bytes as base64 text"),
        ("BLOB", "äöü=", "value: expected bytes as base64 text"),
        ("BLOB", [1], "value: expected BLOB<str>, got array"),
        ("5", 6, "value: expected exactly 5"),
        ("5", True, "value: expected 5, got bool"),
        ("1", True, "value: expected 1, got bool"),
        ("'a'", "b", "value: expected exactly 'a'"),
        ("@true", False, "value: expected exactly @true"),
        ("PK<Hardware>", "1", "value: expected PK<Hardware>, got text"),
        ("PK<Hardware>", True, "value: expected PK<Hardware>, got bool"),
        ("PK<Hardware>", {"pk": 1}, "value: expected PK<Hardware>, got object"),
        ("PK<Hardware>", 0, "value: expected a number from 1"),
        ("PK<Hardware>", 2**63, "value: an int of more than 64 bits"),
        ("Array<PK<Hardware>>", [5, 1, -1], "value[2]: expected a number from 1"),
        ("Name<Hardware>", 1, "value: expected Name<Hardware>, got int"),
        ("JobOutput<str>", {"pk": 1}, "value: expected JobOutput<str>, got object"),
        ("JobOutput<str>", 0, "value: expected a number from 1"),
        ("Hardware", 1, "value: expected Hardware, got int"),
        ("Hardware", {"min": float("inf")}, "value.min: a number that is not finite"),
        ("Domain", {"name": {"x": "\ud800"}}, "value.name.x: a text with a lone surrogate"),
        ("Domain", None, "value: expected Domain<str>, got null"),
        ("NamedServerType", 1, "value: expected NamedServerType, got int"),
        ("ServerResidentType", "x", "value: expected ServerResidentType, got text"),
        ("Compressed<str, 8>", "x", "value: expected bytes as base64 text"),
        ("Model", {}, "value: expected Model<Domain<str>, Framework<str, str>>, got object"),
        ("Colour", [2**64], "value[0]: an int of more than 64 bits"),
    ],
)
def test_a_misfit_is_told_with_its_path(text: str, value: object, sentence: str) -> None:
    assert accepts(parse(text, REGISTERED), value) == sentence


@pytest.mark.parametrize(
    ("text", "place"), [("Array<int>", "[{}]"), ("Map<int>", '["{}"]'), ("JSON", "[1].k[{}]")]
)
@pytest.mark.parametrize("index", [0, 999, 1_000, 2_345])
def test_a_misfit_among_many_values_is_found(text: str, place: str, index: int) -> None:
    members: list[object] = [7] * 3_000
    members[index] = 2**70
    value: object = members
    if text == "Map<int>":
        value = {str(number): member for number, member in enumerate(members)}
    elif text == "JSON":
        value = [[[], "text", {"x": [1]}], {"first": {}, "k": members}, [None]]
    problem = "an int of more than 64 bits"
    assert accepts(parse(text), value) == f"value{place.format(index)}: {problem}"


@given(json_types, st.lists(st.sampled_from(VALUES), max_size=4))
def test_an_array_takes_what_its_type_takes_one_by_one(
    expr: TypeExpr, members: list[object]
) -> None:
    takes_all = all(accepts(expr, member) is None for member in members)
    assert (accepts(Named("Array", (expr, Named("int"))), members) is None) is takes_all


HALF_A_MILLION = 2**19
LARGE: list[tuple[str, object]] = [
    *((text, [0] * HALF_A_MILLION) for text in ("Array<int>", "Array<float>", "Array<0>", "JSON")),
    ("Array<int>", [0] * HALF_A_MILLION + ["x"]),
    ("Array<str>", [""] * (HALF_A_MILLION // 2)),
    ("JSON", [[] for _ in range(HALF_A_MILLION // 2)]),
    ("JSON", [{} for _ in range(HALF_A_MILLION // 2)]),
    ("JSON", [[{"": 0.5}] for _ in range(HALF_A_MILLION // 10)]),
    ("Map<int>", {str(number): 1 for number in range(HALF_A_MILLION // 10)}),
]


@pytest.mark.parametrize(("text", "value"), LARGE, ids=range(len(LARGE)))
def test_what_a_body_of_a_megabyte_holds_is_soon_checked(text: str, value: object) -> None:
    expr = parse(text)
    began_s = time.thread_time()
    accepts(expr, value)
    # A tenth of this on a quiet machine; one value at a time took seconds.
    assert time.thread_time() - began_s < 0.5


def test_the_sentence_calls_the_value_by_the_given_name() -> None:
    assert accepts(parse("Array<int>"), [None], "items") == "items[0]: expected int, got null"


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"k": inner}])
def test_values_nest_to_the_limit_and_no_further(wrap: Callable[[object], object]) -> None:
    value: object = None
    for _ in range(MAX_VALUE_DEPTH - 1):
        value = wrap(value)
    assert accepts(parse("JSON"), value) is None
    for _ in range(10_000):
        value = wrap(value)
    assert f"nested deeper than {MAX_VALUE_DEPTH} levels" in str(accepts(parse("JSON"), value))


def test_a_value_of_a_type_is_a_value_of_every_type_above() -> None:
    fitting = {expr: [i for i, v in enumerate(VALUES) if not accepts(expr, v)] for expr in POOL}
    for below, above in permutations(POOL, 2):
        if is_subtype(below, above):
            assert set(fitting[below]) <= set(fitting[above]), (canonical(below), canonical(above))
