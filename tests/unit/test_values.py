import base64
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Kind
from hub.lifecycle.types import (
    MAX_NESTING,
    MAX_TEXT,
    BadType,
    Constant,
    Named,
    TypeExpr,
    UnknownType,
    canonical,
    is_subtype,
    legible,
    parse,
)
from hub.lifecycle.values import MAX_VALUE_DEPTH, accepts

TEXT, INT, BOOL = Named("str"), Named("int"), Named("bool")
INT64 = st.integers(-(2**63), 2**63 - 1)

words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=6).filter(
    lambda word: not word.endswith("\\")
)
constants = st.one_of(
    words.map(lambda value: Constant("str", value)),
    INT64.map(lambda value: Constant("int", value)),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: Constant("float", value)),
    st.booleans().map(lambda value: Constant("bool", value)),
)
plain = st.sampled_from(
    [
        "str",
        "int",
        "float",
        "bool",
        "JSON",
        "Nothing",
        "ValueType",
        "FiniteJSONType",
        "UFDLJSONType",
    ]
).map(Named)
sizes = st.one_of(st.just(INT), st.integers(0, 3).map(lambda size: Constant("int", size)))
suffixes = st.one_of(st.just(TEXT), words.map(lambda value: Constant("str", value)))


def containers(inner: st.SearchStrategy[TypeExpr]) -> st.SearchStrategy[TypeExpr]:
    arrays = st.tuples(inner, sizes).map(lambda args: Named("Array", args))
    return st.one_of(arrays, inner.map(lambda arg: Named("Map", (arg,))))


json_types: st.SearchStrategy[TypeExpr] = st.recursive(
    st.one_of(plain, constants), containers, max_leaves=6
)
types = st.one_of(
    json_types,
    suffixes.map(lambda suffix: Named("BLOB", (suffix,))),
    st.just(Named("UFDLType")),
)

POOL_TEXT = """
    UFDLType UFDLJSONType FiniteJSONType ValueType str int float bool Nothing JSON
    'a' '5' 5 5.0 1 1.0 @true @false BLOB BLOB<'a'>
    Array Array<int> Array<float> Array<5> Array<int,2> Array<5,2> Array<ValueType,2>
    Array<Array<int>> Array<Array,1> Map Map<int> Map<5> Map<Map<int>> Map<JSON>
"""
POOL = [parse(text) for text in POOL_TEXT.split()]
VALUES: list[object] = [
    None, True, False, 1, 5, 7, 1.0, 5.0, 2.5, "", "a", "5", "YQ==", "not base64",
    [], [5], [5, 5], [1, 2], ["a"], [[]], [[1]], [None], {}, {"k": 5}, {"k": "a"}, {"k": {"k": 5}},
]  # fmt: skip


# Text to type and back


@given(types)
def test_a_type_survives_being_written_and_read(expr: TypeExpr) -> None:
    assert parse(canonical(expr)) == expr


@given(types, st.lists(st.sampled_from(["", " ", "  ", "\t", "\n"]), min_size=1))
def test_blanks_between_the_parts_of_a_type_do_not_matter(
    expr: TypeExpr, blanks: list[str]
) -> None:
    text = canonical(expr)
    # Blanks inside a quoted text do matter, so those types are left as they are.
    if "'" not in text:
        for number, sign in enumerate("<>,"):
            blank = blanks[number % len(blanks)]
            text = text.replace(sign, f"{blank}{sign}{blank}")
    assert parse(text) == expr


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Array<str>", "Array<str, int>"),
        ("Array<str,2>", "Array<str, 2>"),
        ("Array", "Array<UFDLJSONType, int>"),
        ("Map", "Map<UFDLJSONType>"),
        ("Map<Array<int>>", "Map<Array<int, int>>"),
        ("BLOB", "BLOB<str>"),
        ("BLOB<'txt'>", "BLOB<'txt'>"),
        ("JSON", "JSON"),
        ("Nothing", "Nothing"),
        ("  int  ", "int"),
        (" Array < str ,\n3 > ", "Array<str, 3>"),
        ("'it\\'s'", "'it\\'s'"),
        ("'a\\b, <c>'", "'a\\b, <c>'"),
        ("-5", "-5"),
        ("0.50", "0.5"),
        ("1E3", "1000.0"),
        ("@true", "@true"),
        ("Array<@false>", "Array<@false, int>"),
    ],
)
def test_a_type_is_stored_in_one_form_with_its_bounds_filled_in(text: str, written: str) -> None:
    assert canonical(parse(text)) == written


def test_a_constant_keeps_its_class_even_where_python_sees_equal_values() -> None:
    assert parse("1") == Constant("int", 1)
    assert len({parse("1"), parse("1.0"), parse("@true"), parse("'1'")}) == 4


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("   ", 3),
        ("Array<", 6),
        ("Array<int", 9),
        ("Array<>", 6),
        ("Array<int,>", 10),
        ("Array<int>>", 10),
        ("int int", 4),
        ("5abc", 1),
        ("'open", 0),
        ("'ends in a backslash\\'", 0),
        ("int;", 3),
        ("int  ;", 5),
        ("@maybe", 0),
        ("'\ud800'", 0),
        ("'\x00'", 0),
        ("\ud800", 0),
        ("9223372036854775808", 0),
        ("1e999", 0),
        ("nan", 0),
        ("9" * 1000, 0),
        ("str<int>", 0),
        ("Map<int, int>", 0),
        ("Array<int, 2, 3>", 0),
        ("Array<BLOB>", 0),
        ("Map<Array<int, 'x'>>", 4),
        ("BLOB<int>", 0),
        ("Array<" * 10_000 + "int" + ">" * 10_000, MAX_TEXT),
        ("x" * 2**20, MAX_TEXT),
        ("'" + "\\'" * 511, 0),
    ],
)
def test_a_text_that_is_no_type_is_refused_with_its_place(text: str, position: int) -> None:
    with pytest.raises(BadType) as refusal:
        parse(text)
    assert (refusal.value.kind, refusal.value.code) == (Kind.INVALID, "bad_type")
    assert refusal.value.position == position
    assert len(refusal.value.detail.encode()) < 500


@pytest.mark.parametrize("name", ["Foo", "Dataset", "PK", "JobOutput", "nan", "_x9"])
def test_a_name_that_the_language_lacks_is_an_unknown_type(name: str) -> None:
    with pytest.raises(UnknownType, match=f'"{name}": Unknown type-name "{name}"'):
        parse(name)


def test_types_nest_to_the_limit_and_no_further() -> None:
    levels = MAX_NESTING - 1
    assert canonical(parse("Map<" * levels + "int" + ">" * levels)).count("Map") == levels
    with pytest.raises(BadType, match="nested deeper"):
        parse("Map<" * (levels + 1) + "int" + ">" * (levels + 1))


@pytest.mark.parametrize(
    "text",
    ["Map<" * (MAX_NESTING - 1) + "Map" + ">" * (MAX_NESTING - 1), f"Map<Array<'{'x' * 1007}'>>"],
)
def test_a_type_that_would_outgrow_the_limits_in_canonical_text_is_refused(text: str) -> None:
    assert len(text) <= MAX_TEXT
    with pytest.raises(BadType, match=r"nested deeper|in canonical text"):
        parse(text)


@given(st.text(alphabet="Array<>, '\\5.@trueintM\ud800", max_size=40))
def test_any_text_is_either_a_type_or_a_bad_type(text: str) -> None:
    with suppress(BadType):
        expr = parse(text)
        assert parse(canonical(expr)) == expr


# Sub-types


@pytest.mark.parametrize(
    ("below", "above", "answer"),
    [
        ("int", "float", False),
        ("bool", "int", False),
        ("int", "ValueType", True),
        ("ValueType", "int", False),
        ("str", "UFDLJSONType", True),
        ("str", "JSON", False),
        ("Array", "JSON", False),
        ("JSON", "UFDLJSONType", True),
        ("Array<int>", "UFDLJSONType", True),
        ("Array<int>", "ValueType", False),
        ("Nothing", "FiniteJSONType", True),
        ("Nothing", "ValueType", False),
        ("BLOB", "UFDLType", True),
        ("BLOB", "UFDLJSONType", False),
        ("BLOB<'txt'>", "BLOB", True),
        ("BLOB", "BLOB<'txt'>", False),
        ("Array<'a'>", "Array<str>", True),
        ("Array<int>", "Array<int, 2>", False),
        ("Array<int, 2>", "Array<int>", True),
        ("Array<int>", "Array<float>", False),
        ("Map<5>", "Map<int>", True),
        ("Map<int>", "Array<int>", False),
        ("5", "int", True),
        ("int", "5", False),
        ("5", "5", True),
        ("5", "6", False),
        ("5", "5.0", False),
        ("1", "@true", False),
        ("5", "float", False),
        ("5.0", "float", True),
        ("@true", "bool", True),
        ("'a'", "str", True),
        ("'a'", "ValueType", True),
    ],
)
def test_one_type_is_below_another_by_class_and_arguments(
    below: str, above: str, answer: bool
) -> None:
    assert is_subtype(parse(below), parse(above)) is answer


@given(types)
def test_a_type_is_a_subtype_of_itself(expr: TypeExpr) -> None:
    assert is_subtype(expr, expr)


def test_what_is_below_the_lower_is_below_the_higher_type() -> None:
    for a, b, c in product(POOL, repeat=3):
        if is_subtype(a, b) and is_subtype(b, c):
            assert is_subtype(a, c), (canonical(a), canonical(b), canonical(c))


def test_a_value_of_a_type_is_a_value_of_every_type_above() -> None:
    for below, above, value in product(POOL, POOL, VALUES):
        if is_subtype(below, above) and accepts(below, value) is None:
            assert accepts(above, value) is None, (canonical(below), canonical(above), value)


# Values


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
    ],
)
def test_a_fitting_value_is_accepted(text: str, value: object) -> None:
    assert accepts(parse(text), value) is None


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
    ],
)
def test_a_misfit_is_told_with_its_path(text: str, value: object, sentence: str) -> None:
    assert accepts(parse(text), value) == sentence


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
    assert (accepts(Named("Array", (expr, INT)), members) is None) is takes_all


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


@given(st.text(alphabet=st.characters(), max_size=200))
def test_a_legible_text_is_short_and_printable(text: str) -> None:
    shown = legible(text, limit=20)
    assert shown.isprintable()
    assert len(shown) <= 20 * 12 + 1
    shown.encode()
