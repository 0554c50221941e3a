from typing import Any

import msgspec
import pytest

from hub.errors import HubError, InvalidInput, ValuesRefused
from hub.lifecycle.declaring import MAX_ENTRIES, MAX_TYPES, declare
from hub.lifecycle.interface import (
    Bound,
    InputSpec,
    Interface,
    OutputSpec,
    ParameterSpec,
    TypedValue,
    bind,
    bind_plain,
)
from hub.lifecycle.types import BadType, UnknownType


@pytest.fixture
def resize() -> Interface:
    return declare(
        inputs={"picture": {"types": ["BLOB<'png'>", "str"]}, "sizes": "Array<int>"},
        parameters={
            "scale": "float",
            "mode": {"types": ["'fast'", "'good'", "int"], "default": "good"},
            "seed": {"type": "int", "default": 7, "const": True},
        },
        outputs={"result": {"type": "BLOB", "help": "the smaller picture"}},
    )


PICTURE = TypedValue("YQ==", "BLOB<'png'>")
SIZES = TypedValue([1, 2], "Array<int>")
SCALE = TypedValue(0.5, "float")
INPUTS = {"picture": PICTURE, "sizes": SIZES}


def deep(levels: int = 10_000) -> object:
    value: object = 0
    for _ in range(levels):
        value = [value]
    return value


# Declaring


def test_an_interface_is_stored_with_canonical_types_and_a_type_for_each_default(
    resize: Interface,
) -> None:
    assert resize == Interface(
        inputs={
            "picture": InputSpec(["BLOB<'png'>", "str"]),
            "sizes": InputSpec(["Array<int, int>"]),
        },
        parameters={
            "scale": ParameterSpec(["float"]),
            "mode": ParameterSpec(
                ["'fast'", "'good'", "int"], default="good", default_type="'good'", const=False
            ),
            "seed": ParameterSpec(["int"], default=7, default_type="int", const=True),
        },
        outputs={"result": OutputSpec("BLOB<str>", help="the smaller picture")},
    )


def test_the_members_about_a_default_are_absent_in_json_when_there_is_none(
    resize: Interface,
) -> None:
    shown = msgspec.to_builtins(resize)["parameters"]
    assert shown["scale"] == {"types": ["float"], "help": ""}
    assert shown["seed"] == {
        "types": ["int"],
        "help": "",
        "default": 7,
        "default_type": "int",
        "const": True,
    }


def test_null_is_a_default_and_not_the_lack_of_one() -> None:
    interface = declare({}, {"p": {"type": "Nothing", "default": None}}, {})
    assert b'"default":null' in msgspec.json.encode(interface)
    assert bind(interface, {}) == Bound({}, {})


def test_an_interface_survives_being_stored(resize: Interface) -> None:
    assert msgspec.json.decode(msgspec.json.encode(resize), type=Interface) == resize


def test_types_that_are_one_in_canonical_text_are_kept_once() -> None:
    made = declare({"a": {"types": ["Array<int>", "Array<int,int>", "str"]}}, {}, {})
    assert made.inputs["a"].types == ["Array<int, int>", "str"]


def test_a_given_default_type_may_be_any_subtype_of_a_declared_type() -> None:
    made = declare({}, {"p": {"type": "Array<int>", "default": [], "default_type": "Array<5>"}}, {})
    assert made.parameters["p"].default_type == "Array<5, int>"


def test_const_false_without_a_default_says_nothing_and_is_dropped() -> None:
    made = declare({}, {"p": {"type": "int", "const": False}}, {})
    assert made.parameters["p"] == ParameterSpec(["int"])


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ("Foo", 'Unknown type-name "Foo"'),
        ("Array<", "expected a type at position 6"),
        ("BLOB", "A parameter is JSON, and BLOB<str> is not"),
        ("UFDLType", "A parameter is JSON, and UFDLType is not"),
        ({}, "Give either type or types"),
        ({"type": "int", "types": ["int"]}, "Give either type or types"),
        ({"types": []}, f"An entry has 1 to {MAX_TYPES} types"),
        ({"types": ["int"] * (MAX_TYPES + 1)}, f"An entry has 1 to {MAX_TYPES} types"),
        ({"types": "int"}, "Expected `array`, got `str` - at `$.types`"),
        ({"type": "int", "size": 1}, "Object contains unknown field `size`"),
        ({"type": "int", "\ud800": 1}, "A member's name is not Unicode text"),
        ({"type": "int", "help": 5}, "Expected `str`, got `int` - at `$.help`"),
        ({"type": "int", "help": "\ud800"}, "help is Unicode text"),
        ({"type": "int", "help": "x" * 2**20}, "help is Unicode text"),
        (["int"], "Expected `object`, got `array`"),
        (None, "Expected `object`, got `null`"),
        ({"type": "int", "const": True}, "const and default_type need a default"),
        ({"type": "int", "default_type": "int"}, "const and default_type need a default"),
        ({"type": "int", "default": 1, "const": "yes"}, "Expected `bool`, got `str`"),
        ({"type": "int", "default": "x"}, "'default' takes int: default: expected int, got text"),
        (
            {"types": ["int", "Array<int>"], "default": ["x"]},
            "default: expected int, got array; default[0]: expected int, got text",
        ),
        ({"type": "int", "default": 1, "default_type": "float"}, "takes int, not float"),
        ({"type": "int", "default": 1, "default_type": "5"}, "default: expected exactly 5"),
        ({"type": "int", "default": 1, "default_type": "Foo"}, 'Unknown type-name "Foo"'),
        ({"type": "int", "default": 2**63}, "an int of more than 64 bits"),
        ({"type": "float", "default": float("nan")}, "not finite"),
        ({"type": "str", "default": "\ud800"}, "lone surrogate"),
        ({"type": "JSON", "default": deep()}, "nested deeper"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_under_its_name(entry: object, fault: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        declare({}, {"p": entry}, {})
    [told] = refusal.value.fields["parameters.p"]
    assert fault in told
    assert len(told.encode()) < 1000


@pytest.mark.parametrize("section", ["inputs", "parameters", "outputs"])
@pytest.mark.parametrize("name", ["", " a", "a ", "x" * 65, "a\nb", "\x00", "\ud800"])
def test_a_name_has_a_length_and_can_be_printed(section: str, name: str) -> None:
    entries: dict[str, Any] = {"inputs": {}, "parameters": {}, "outputs": {}}
    with pytest.raises(InvalidInput) as refusal:
        declare(**entries | {section: {name: "int"}})
    [(field, told)] = refusal.value.fields.items()
    assert field.startswith(f"{section}.")
    assert field.isprintable()
    assert "A name has 1 to 64 printable characters" in told[0]


@pytest.mark.parametrize("name", ["a/b", ".", ".."])
def test_an_output_is_not_named_like_another_path(name: str) -> None:
    assert declare({name: "int"}, {name: "int"}, {}).inputs
    with pytest.raises(InvalidInput) as refusal:
        declare({}, {}, {name: "int"})
    assert list(refusal.value.fields) == [f"outputs.{name}"]


@pytest.mark.parametrize("entry", [{"types": ["int"]}, {"type": "int", "default": 1}, {}, "Foo"])
def test_an_output_has_one_type_and_no_default(entry: object) -> None:
    with pytest.raises(InvalidInput) as refusal:
        declare({}, {}, {"o": entry})
    assert list(refusal.value.fields) == ["outputs.o"]


def test_an_input_has_no_default() -> None:
    with pytest.raises(InvalidInput) as refusal:
        declare({"i": {"type": "int", "default": 1}}, {}, {})
    assert refusal.value.fields == {"inputs.i": ["Object contains unknown field `default`"]}


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidInput) as refusal:
        declare({"a": "Foo", "b": "int"}, {"c": {}}, {"d/": "int"})
    assert list(refusal.value.fields) == ["inputs.a", "parameters.c", "outputs.d/"]


def test_an_interface_has_a_most_of_entries() -> None:
    entries = {f"n{number}": "int" for number in range(MAX_ENTRIES)}
    assert len(declare(entries, {}, {}).inputs) == MAX_ENTRIES
    with pytest.raises(InvalidInput) as refusal:
        declare({**entries, "more": "int"}, {}, {})
    assert list(refusal.value.fields) == ["inputs"]


# Registered types


COLOUR = frozenset({"Colour"})


def test_an_interface_may_name_types_that_users_registered() -> None:
    parameters = {"ink": {"type": "Map<Colour>", "default": {"a": 1}, "default_type": "Map"}}
    with pytest.raises(InvalidInput) as refusal:
        declare({}, parameters, {}, COLOUR)
    assert "'default' takes Map<Colour>, not Map<UFDLJSONType>" in str(refusal.value.fields)

    parameters["ink"]["default_type"] = "Map< Colour >"
    made = declare({"a": "Array<Colour>"}, parameters, {"b": "Compressed<Colour, 8>"}, COLOUR)

    assert made.inputs["a"].types == ["Array<Colour, int>"]
    assert made.parameters["ink"].default_type == "Map<Colour>"
    assert made.outputs["b"].type == "Compressed<Colour, 8>"


def test_a_typed_value_needs_to_be_told_which_types_are_registered() -> None:
    interface = declare({"a": "UFDLJSONType"}, {}, {}, COLOUR)
    given = {"a": TypedValue([5], "Colour")}

    assert bind(interface, given, {}, COLOUR).inputs == given
    with pytest.raises(UnknownType, match='Unknown type-name "Colour"'):
        bind(interface, given)


def test_a_bare_value_becomes_one_of_a_registered_type_that_the_interface_names() -> None:
    interface = declare({"a": {"types": ["int", "Array<Colour>"]}}, {}, {}, COLOUR)

    bound = bind_plain(interface, {"a": [None]}, {})

    assert bound.inputs == {"a": TypedValue([None], "Array<Colour, int>")}


# Binding typed values


def test_bound_values_carry_canonical_types_and_no_defaults(resize: Interface) -> None:
    assert bind(resize, INPUTS, {"scale": SCALE}) == Bound(
        inputs={"picture": PICTURE, "sizes": TypedValue([1, 2], "Array<int, int>")},
        parameters={"scale": SCALE},
    )


def test_a_subtype_stands_for_the_declared_type_and_is_what_is_kept(resize: Interface) -> None:
    given = {"scale": TypedValue(1, "1.0"), "mode": TypedValue(5, "5")}
    assert bind(resize, {**INPUTS, "sizes": TypedValue([5], "Array<5,1>")}, given) == Bound(
        inputs={"picture": PICTURE, "sizes": TypedValue([5], "Array<5, 1>")},
        parameters=given,
    )


@pytest.mark.parametrize("nothing", [None, {}])
def test_without_parameters_the_job_keeps_an_empty_object(
    nothing: dict[str, TypedValue] | None,
) -> None:
    interface = declare({}, {"p": {"type": "int", "default": 3}}, {})
    assert bind(interface, {}, nothing) == Bound({}, {})


def test_surplus_inputs_are_dropped(resize: Interface) -> None:
    bound = bind(resize, {**INPUTS, "extra": TypedValue(float("nan"), "int")}, {"scale": SCALE})
    assert list(bound.inputs) == ["picture", "sizes"]


def test_a_default_may_be_overruled_with_its_own_value(resize: Interface) -> None:
    given = {"scale": SCALE, "mode": TypedValue("good", "'good'")}
    assert bind(resize, INPUTS, given).parameters == given


@pytest.mark.parametrize(
    ("inputs", "parameters", "error", "detail"),
    [
        # Each line is wrong in all that the lines below it are, too: the order of the checks.
        (
            {"extra": TypedValue(1, "Foo")},
            {"q": SCALE},
            UnknownType,
            'Error parsing type-string "Foo": Unknown type-name "Foo"',
        ),
        (
            {"extra": TypedValue(1, "int")},
            {"q": TypedValue(1, "Array<")},
            BadType,
            'Error parsing type-string "Array<": expected a type at position 6',
        ),
        ({}, {"q": SCALE}, ValuesRefused, "No input value provided for input 'picture'"),
        (
            {"picture": TypedValue(1, "int"), "sizes": SIZES},
            {"q": SCALE},
            ValuesRefused,
            "'picture' takes BLOB<'png'> or str, not int",
        ),
        (
            {"picture": PICTURE, "sizes": TypedValue([1, "x"], "Array<int>")},
            {"q": SCALE},
            ValuesRefused,
            "'sizes' is no Array<int, int>: sizes[1]: expected int, got text",
        ),
        (
            INPUTS,
            {"q": SCALE, "seed": TypedValue(1, "int")},
            InvalidInput,
            "Required parameter 'scale' is missing",
        ),
        (
            INPUTS,
            {"q": SCALE, "scale": TypedValue(1, "str"), "seed": TypedValue(7, "int")},
            ValuesRefused,
            "seed is const",
        ),
        (
            INPUTS,
            {"q": SCALE, "scale": TypedValue(1, "int")},
            ValuesRefused,
            "'scale' takes float, not int",
        ),
        (
            INPUTS,
            {"q": SCALE, "scale": TypedValue(float("nan"), "float")},
            ValuesRefused,
            "'scale' is no float: scale: a number that is not finite",
        ),
        (INPUTS, {"q": SCALE, "scale": SCALE}, ValuesRefused, "Unknown job parameters: q"),
    ],
)
def test_the_first_of_several_faults_is_told(
    resize: Interface,
    inputs: dict[str, TypedValue],
    parameters: dict[str, TypedValue],
    error: type[HubError],
    detail: str,
) -> None:
    with pytest.raises(HubError) as refusal:
        bind(resize, inputs, parameters)
    assert type(refusal.value) is error
    assert refusal.value.detail == detail


@pytest.mark.parametrize("name", ["x" * 2**20, "\ud800", "\x00"])
def test_a_hostile_name_does_not_spoil_the_message(resize: Interface, name: str) -> None:
    with pytest.raises(ValuesRefused, match="Unknown job parameters") as refusal:
        bind(resize, INPUTS, {"scale": SCALE, name: SCALE})
    assert refusal.value.detail.isprintable()
    assert len(refusal.value.detail) < 200


def test_many_unknown_names_make_a_short_message(resize: Interface) -> None:
    many = {f"q{number}": SCALE for number in range(10_000)}
    with pytest.raises(ValuesRefused) as refusal:
        bind(resize, INPUTS, {"scale": SCALE, **many})
    assert len(refusal.value.detail) < 200


def test_a_very_deep_value_is_refused() -> None:
    interface = declare({"a": "JSON"}, {}, {})
    with pytest.raises(ValuesRefused, match="nested deeper"):
        bind(interface, {"a": TypedValue(deep(), "JSON")})


@pytest.mark.parametrize("body", [b"{}", b'{"value":1}', b'{"value":1,"type":"int","x":1}'])
def test_a_typed_value_has_exactly_a_value_and_a_type(body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=TypedValue)


# Binding bare values


@pytest.mark.parametrize(
    ("value", "chosen"),
    [
        (True, "bool"),
        (1, "float"),
        (2.5, "float"),
        ("fast", "'fast'"),
        ("other", "str"),
        ([1], "Array<int, int>"),
        ([1, "x"], "JSON"),
        (None, "JSON"),
    ],
)
def test_a_bare_value_gets_the_first_declared_type_that_takes_it(value: Any, chosen: str) -> None:
    texts = ["float", "int", "bool", "'fast'", "str", "Array<int>", "JSON"]
    interface = declare({"i": {"types": texts}}, {"p": {"types": texts}}, {})
    settled = TypedValue(value, chosen)
    assert bind_plain(interface, {"i": value}, {"p": value}) == Bound(
        inputs={"i": settled}, parameters={"p": settled}
    )


@pytest.mark.parametrize(
    ("inputs", "parameters", "error", "detail"),
    [
        ({"z": 1, "y": 2}, {}, ValuesRefused, "Unknown job inputs: z, y"),
        ({}, {}, ValuesRefused, "No input value provided for input 'picture'"),
        (
            {"picture": 5, "sizes": []},
            {},
            ValuesRefused,
            "'picture' takes BLOB<'png'> or str: picture: expected BLOB<'png'>, got int; "
            "picture: expected str, got int",
        ),
        (
            {"picture": "a", "sizes": []},
            {},
            InvalidInput,
            "Required parameter 'scale' is missing",
        ),
        (
            {"picture": "a", "sizes": []},
            {"scale": 1, "seed": 1},
            ValuesRefused,
            "seed is const",
        ),
        (
            {"picture": "a", "sizes": []},
            {"scale": 1, "q": 1},
            ValuesRefused,
            "Unknown job parameters: q",
        ),
    ],
)
def test_bare_values_are_refused_like_typed_ones_and_unknown_inputs_too(
    resize: Interface,
    inputs: dict[str, Any],
    parameters: dict[str, Any],
    error: type[HubError],
    detail: str,
) -> None:
    with pytest.raises(HubError) as refusal:
        bind_plain(resize, inputs, parameters)
    assert type(refusal.value) is error
    assert refusal.value.detail == detail
