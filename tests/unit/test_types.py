"""The language of types: reading, writing and comparing them."""

import time
from contextlib import suppress
from itertools import combinations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hub.errors import Kind
from hub.lifecycle.type_families import FAMILIES
from hub.lifecycle.types import (
    MAX_NESTING,
    MAX_TEXT,
    BadType,
    Constant,
    Named,
    TypeExpr,
    UnknownType,
    canonical,
    is_abstract,
    is_server_resident,
    is_subtype,
    is_type_name,
    legible,
    names_in,
    parse,
    parse_stored,
)
from tests.unit.type_world import POOL, REGISTERED, bounds_of, subtypes_of, types

# Text to type and back


@given(types)
def test_a_type_survives_being_written_and_read(expr: TypeExpr) -> None:
    text = canonical(expr)

    assert parse(text, REGISTERED) == expr
    assert parse_stored(text) == expr
    assert canonical(parse(text, REGISTERED)) == text


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
    assert parse(text, REGISTERED) == expr


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Array<str,2>", "Array<str, 2>"),
        ("Map<Array<int>>", "Map<Array<int, int>>"),
        ("BLOB<'txt'>", "BLOB<'txt'>"),
        ("JSON", "JSON"),
        ("Nothing", "Nothing"),
        ("  int  ", "int"),
        (" Array < str ,\n3 > ", "Array<str, 3>"),
        ("'a\\b, <c>'", "'a\\b, <c>'"),
        ("0.50", "0.5"),
        ("1E3", "1000.0"),
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


@pytest.mark.parametrize("name", ["Foo", "dataset", "Train", "job_output", "nan", "_x9"])
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


@given(
    st.text(max_size=MAX_TEXT)
    | st.text("AaryMpPKNmeDtsi<>, '\\\\5.@truefloatx\ud800", max_size=200)
)
def test_any_text_is_either_a_type_or_a_bad_type(text: str) -> None:
    with suppress(BadType):
        expr = parse(text, REGISTERED)
        assert parse(canonical(expr), REGISTERED) == expr


PARTS = ["Array", "PK", "Dataset", "Domain", "Model", "Colour", "int", "5", "'a'", "<", ">", ", "]


@given(st.lists(st.sampled_from(PARTS), max_size=30).map("".join))
def test_any_row_of_parts_is_either_a_type_or_a_bad_type(text: str) -> None:
    with suppress(BadType):
        expr = parse(text, REGISTERED)
        assert parse(canonical(expr), REGISTERED) == expr


@pytest.mark.parametrize(
    "text",
    [
        "<" * MAX_TEXT,
        "'" + "\\" * (MAX_TEXT - 1),
        "\\'" * (MAX_TEXT // 2),
        " " * (MAX_TEXT - 1) + ";",
        "9" * MAX_TEXT,
        "1." + "9" * (MAX_TEXT - 2),
        "1e" + "9" * (MAX_TEXT - 2),
        "Array<" * (MAX_TEXT // 6),
        "Model<" + "Domain," * 145,
        "Map<" * 12 + "DockerImage<" + "Domain," * 130,
        "JobOutput<" * 13 + "DockerImage" + ">" * 13,
        "Array<Array," * 85,
        "Compressed<Compressed," * 46,
    ],
    ids=range(13),
)
def test_no_text_is_read_for_long(text: str) -> None:
    assert len(text) <= MAX_TEXT
    began_s = time.thread_time()
    for _ in range(10):
        with suppress(BadType):
            parse(text, REGISTERED)
    # A hundredth of this on a quiet machine.
    assert time.thread_time() - began_s < 1


# Bounds


@st.composite
def applications(draw: st.DrawFn) -> tuple[str, list[TypeExpr], int]:
    """Draw a family, arguments within its bounds, and which of them to take another for."""
    name = draw(st.sampled_from([name for name, family in FAMILIES.items() if family.bounds]))
    args = [draw(subtypes_of(bound, levels=2)) for bound in bounds_of(name)]
    return name, args, draw(st.integers(0, len(args) - 1))


def written(name: str, args: list[TypeExpr]) -> str:
    return f"{name}<{','.join(map(canonical, args))}>"


@given(applications())
def test_arguments_within_their_bounds_are_taken_in_order(
    application: tuple[str, list[TypeExpr], int],
) -> None:
    name, args, _ = application
    assert parse(written(name, args), REGISTERED) == Named(name, tuple(args))


@given(applications(), types)
def test_an_argument_beyond_its_bound_is_refused_wherever_it_stands(
    application: tuple[str, list[TypeExpr], int], arg: TypeExpr
) -> None:
    name, args, place = application
    bound = bounds_of(name)[place]
    assume(not is_subtype(arg, bound))
    args[place] = arg

    with pytest.raises(BadType, match=f"the bound in {name} at position 0"):
        parse(written(name, args), REGISTERED)


@given(applications(), types)
def test_an_argument_too_many_or_too_few_is_refused(
    application: tuple[str, list[TypeExpr], int], more: TypeExpr
) -> None:
    name, args, _ = application
    with pytest.raises(BadType, match=f"{name} takes {len(args)} arguments, not {len(args) + 1}"):
        parse(written(name, [*args, more]), REGISTERED)
    if len(args) > 1 and name != "Array":
        with pytest.raises(BadType, match=f"{name} takes {len(args)} arguments, not 1"):
            parse(written(name, args[:1]), REGISTERED)


# Registered types


def test_a_registered_type_is_json_of_which_nothing_is_known() -> None:
    colour = parse("Colour", frozenset({"Colour"}))

    assert colour == Named("Colour")
    assert is_subtype(colour, parse("UFDLJSONType"))
    assert not is_subtype(colour, parse("JSON"))
    assert not is_subtype(parse("JSON"), colour)
    assert not is_subtype(colour, Named("Shade"))
    assert not is_abstract(colour)
    assert not is_server_resident(colour)


@pytest.mark.parametrize("text", ["Colour", "Array<Colour>", "Compressed<Map<Colour>, 8>"])
def test_a_registered_type_is_known_only_where_it_is_said_to_be(text: str) -> None:
    assert canonical(parse(text, frozenset({"Shade", "Colour"}))).count("Colour") == 1
    for registered in (frozenset[str](), frozenset({"Shade", "colour"})):
        with pytest.raises(UnknownType, match='Unknown type-name "Colour"'):
            parse(text, registered)


def test_a_registered_type_takes_no_arguments() -> None:
    with pytest.raises(BadType, match="Colour takes 0 arguments, not 1"):
        parse("Colour<int>", frozenset({"Colour"}))


def test_a_built_in_type_goes_before_a_registered_one_of_its_name() -> None:
    assert parse("Map", frozenset({"Map"})) == parse("Map")


def test_what_is_registered_beside_does_not_matter_to_what_was_read_before() -> None:
    expr = parse("Array<Map<Colour>, 77>", frozenset({"Colour"}))

    assert parse("Array<Map<Colour>, 77>", frozenset({"Colour", "Shade", "Array"})) is expr
    assert parse("Array<Map<int>, 77>", REGISTERED) is parse("Array<Map<int>, 77>")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Array<Colour, 5>", {"Array", "Colour"}),
        ("Domain<'Colour <Shade>, it\\'s'>", {"Domain"}),
        ("Framework<'a\\\\'Colour', Shade>", {"Framework", "Shade"}),
        ("@true", set()),
        ("", set()),
    ],
)
def test_the_names_in_a_text_are_those_outside_of_quotes(text: str, names: set[str]) -> None:
    assert names_in(text) == names


@pytest.mark.parametrize("name", ["Colour", "Größe", "色", "_", "int8"])
def test_a_type_may_be_named_in_any_script(name: str) -> None:
    assert is_type_name(name)
    assert parse(name, frozenset({name})) == Named(name)


@pytest.mark.parametrize("name", ["", "8bit", "a b", "a-b", "a.b", "e\u0301", "²", "a\n", "'a'"])
def test_a_name_that_could_not_be_read_in_a_type_is_none(name: str) -> None:
    assert not is_type_name(name)


# Sub-types


@pytest.mark.parametrize(
    ("below", "above", "answer"),
    [
        ("bool", "int", False),
        ("ValueType", "int", False),
        ("str", "UFDLJSONType", True),
        ("str", "JSON", False),
        ("Array<int>", "UFDLJSONType", True),
        ("Array<int>", "ValueType", False),
        ("Nothing", "ValueType", False),
        ("BLOB<'txt'>", "BLOB", True),
        ("BLOB", "BLOB<'txt'>", False),
        ("Array<int>", "Array<float>", False),
        ("Map<5>", "Map<int>", True),
        ("Map<int>", "Array<int>", False),
        ("5", "5", True),
        ("5", "6", False),
        ("1", "@true", False),
        ("5.0", "float", True),
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


@given(st.data())
def test_sub_typing_reaches_through_any_number_of_steps(data: st.DataObject) -> None:
    chain = [data.draw(types)]
    for _ in range(3):
        chain.append(data.draw(subtypes_of(chain[-1])))

    for above, below in combinations(chain, 2):
        assert is_subtype(below, above)
        assert above == below or not is_subtype(above, below)


def test_what_is_below_the_lower_is_below_the_higher_type() -> None:
    below = {b: [a for a in POOL if is_subtype(a, b)] for b in POOL}
    for c, lower in below.items():
        for b in lower:
            assert set(below[b]) <= set(below[c]), (canonical(b), canonical(c))


def test_of_two_different_types_at_most_one_is_below_the_other() -> None:
    for a, b in combinations(POOL, 2):
        assert not (is_subtype(a, b) and is_subtype(b, a)), (canonical(a), canonical(b))


@given(st.text(alphabet=st.characters(), max_size=200))
def test_a_legible_text_is_short_and_printable(text: str) -> None:
    shown = legible(text, limit=20)
    assert shown.isprintable()
    assert len(shown) <= 20 * 12 + 1
    shown.encode()
