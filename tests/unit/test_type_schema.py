"""JSON schemas of types: their form, and that they agree with the check of values."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.lifecycle.type_schema import Schema, lookups_of, schema_of
from hub.lifecycle.types import TypeExpr, canonical, parse, parse_stored
from hub.lifecycle.values import accepts
from tests.unit.type_world import REGISTERED, VALUES, subtypes_of, types

NOTHING_KNOWN: Mapping[str, list[int | str]] = {}

FRAMEWORK = {
    "type": "object",
    "properties": {
        "pk": {"type": "integer", "minimum": 1},
        "name": {"const": "torch"},
        "version": {"type": "string"},
    },
    "required": ["pk", "name", "version"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("str", {"type": "string"}),
        ("int", {"type": "integer"}),
        ("float", {"type": "number"}),
        ("bool", {"type": "boolean"}),
        ("5", {"const": 5}),
        ("'it\\'s'", {"const": "it's"}),
        ("@true", {"const": True}),
        ("0.5", {"const": 0.5}),
        ("ValueType", {"type": ["string", "number", "boolean"]}),
        ("Nothing", {"type": "null"}),
        ("JSON", {}),
        ("UFDLJSONType", {}),
        ("Colour", {}),
        ("Array<int>", {"type": "array", "items": {"type": "integer"}}),
        (
            "Array<'a', 2>",
            {"type": "array", "items": {"const": "a"}, "minItems": 2, "maxItems": 2},
        ),
        ("Array<5, 0>", {"type": "array", "items": {"const": 5}, "minItems": 0, "maxItems": 0}),
        ("Array<int, -1>", {"not": {}}),
        ("Map<JSON>", {"type": "object", "additionalProperties": {}}),
        ("PK<Dataset>", {"type": "integer", "minimum": 1}),
        ("Name<Dataset>", {"type": "string"}),
        ("JobOutput<Model>", {"type": "integer", "minimum": 1}),
        ("Model", {"type": "string", "contentEncoding": "base64"}),
        ("BLOB<'png'>", {"type": "string", "contentEncoding": "base64"}),
        ("Compressed<JSON, 8>", {"type": "string", "contentEncoding": "base64"}),
        ("Framework<'torch', str>", FRAMEWORK),
    ],
)
def test_a_type_has_its_schema(text: str, schema: Schema) -> None:
    assert schema_of(parse(text, REGISTERED), NOTHING_KNOWN) == schema


@pytest.mark.parametrize(
    ("text", "looked_up"),
    [
        ("PK<Dataset>", ["PK<Dataset<Domain<str>>>"]),
        ("Array<Map<Name<Hardware>>, 3>", ["Name<Hardware>"]),
        ("PK<JobOutput<PK<Dataset>>>", ["PK<JobOutput<PK<Dataset<Domain<str>>>>>"]),
        ("PK", []),
        ("PK<NamedServerType>", []),
        ("Name", []),
        ("JobOutput<PK<Dataset>>", []),
        ("Compressed<PK<Dataset>, 8>", []),
        ("Framework", []),
        ("int", []),
        ("5", []),
    ],
)
def test_numbers_and_names_of_what_there_is_are_looked_up(text: str, looked_up: list[str]) -> None:
    assert [canonical(one) for one in lookups_of(parse(text))] == looked_up


@pytest.mark.parametrize(("text", "values"), [("PK<Hardware>", [3, 1]), ("Name<Hardware>", ["x"])])
def test_what_was_looked_up_is_offered_wherever_it_stands(
    text: str, values: list[int | str]
) -> None:
    for known in (values, []):
        schema = schema_of(parse(f"Array<Map<{text}>>"), {text: known})
        assert schema["items"]["additionalProperties"] == {"enum": known}


def test_a_docker_image_is_described_as_it_is_shown() -> None:
    schema = schema_of(parse("DockerImage<Domain<'Images'>, Framework<'torch', str>>"), {})

    assert set(schema["required"]) == {
        *("pk", "name", "version", "url", "registry_url", "registry_username"),
        *("registry_password", "cuda_version", "framework", "domain", "tasks"),
        *("min_hardware_generation", "cpu", "licence"),
    }
    assert schema["additionalProperties"] is False
    assert schema["properties"]["domain"] == {"const": "Images"}
    assert schema["properties"]["framework"] == FRAMEWORK


@pytest.mark.parametrize(
    ("text", "members", "is_open"),
    [
        ("Domain", ["pk", "name", "description"], False),
        (
            "Hardware",
            ["pk", "generation", "min_compute_capability", "max_compute_capability"],
            False,
        ),
        ("CUDAVersion", ["pk", "version", "full_version", "min_driver_version"], False),
        ("Dataset", ["pk", "name", "version"], True),
        ("PretrainedModel", ["pk", "name"], True),
    ],
)
def test_an_object_has_the_members_that_workers_read(
    text: str, members: list[str], *, is_open: bool
) -> None:
    schema = schema_of(parse(text), NOTHING_KNOWN)

    assert (schema["required"], schema["additionalProperties"]) == (members, is_open)


# The form of any schema


def is_kind(value: object) -> bool:
    kinds = value if isinstance(value, list) else [value]
    return 0 < len(kinds) == len(set(kinds)) and set(kinds) <= OF_KIND.keys()


def is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_schema(value: object) -> bool:
    if isinstance(value, bool):
        return True
    return isinstance(value, dict) and all(
        name in KEYWORDS and KEYWORDS[name](member) for name, member in value.items()
    )


def is_map_of_schemas(value: object) -> bool:
    return isinstance(value, dict) and all(map(is_schema, value.values()))


def is_list_of_schemas(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(is_schema, value))


def is_list_of_names(value: object) -> bool:
    return isinstance(value, list) and len(set(value)) == len(value)


KEYWORDS: dict[str, Callable[[Any], bool]] = {
    "type": is_kind,
    "const": lambda value: isinstance(value, str | int | float),
    "enum": lambda value: isinstance(value, list),
    "items": is_schema,
    "additionalProperties": is_schema,
    "not": is_schema,
    "properties": is_map_of_schemas,
    "anyOf": is_list_of_schemas,
    "required": is_list_of_names,
    "minItems": is_count,
    "maxItems": is_count,
    "minLength": is_count,
    "maxLength": is_count,
    "minimum": is_count,
    "contentEncoding": lambda value: value == "base64",
}


@given(types)
def test_the_schema_of_any_type_is_well_formed(expr: TypeExpr) -> None:
    known = {canonical(one): [1, 2] for one in lookups_of(expr)}

    assert is_schema(schema_of(expr, known))


# Schema and check of values judge alike


def fits(schema: Schema, value: object) -> bool:
    """Judge a value as JSON Schema says, by those keywords that plain types use."""
    return all(JUDGES[name](member, value, schema) for name, member in schema.items())


def has_type(kind: str | list[str], value: object, _: Schema) -> bool:
    if isinstance(kind, list):
        return any(has_type(one, value, _) for one in kind)
    return type(value) in OF_KIND[kind]


OF_KIND: dict[str, set[type]] = {
    "string": {str},
    "integer": {int},
    "number": {int, float},
    "boolean": {bool},
    "null": {type(None)},
    "object": {dict},
    "array": {list},
}
JUDGES: dict[str, Callable[[Any, Any, Schema], bool]] = {
    "type": has_type,
    "const": lambda wanted, value, _: (
        value == wanted and isinstance(value, bool) is isinstance(wanted, bool)
    ),
    "enum": lambda wanted, value, _: value in wanted and type(value) in (int, str),
    "not": lambda schema, value, _: not fits(schema, value),
    "minimum": lambda least, value, _: type(value) is not int or value >= least,
    "minItems": lambda least, value, _: type(value) is not list or len(value) >= least,
    "maxItems": lambda most, value, _: type(value) is not list or len(value) <= most,
    "items": lambda schema, value, _: (
        type(value) is not list or all(fits(schema, member) for member in value)
    ),
    "additionalProperties": lambda schema, value, _: (
        type(value) is not dict or all(fits(schema, member) for member in value.values())
    ),
}

# An object that the hub keeps is only looked at as a whole when values are checked.
PLAIN = ("ValueType", "Nothing", "JSON", "Array<ValueType>", "Map<ValueType>", "PK", "Name")
plain_types = st.sampled_from(PLAIN).flatmap(lambda text: subtypes_of(parse(text)))
nested_types = st.one_of(
    plain_types,
    plain_types.map(lambda expr: parse_stored(f"Array<{canonical(expr)}>")),
    plain_types.map(lambda expr: parse_stored(f"Array<Map<{canonical(expr)}>, 2>")),
)
# To JSON Schema 1.0 is an integer; to the hub it is none.
scalars = st.one_of(
    st.sampled_from([value for value in VALUES if not isinstance(value, float)]),
    st.integers(-5, 5),
    st.just(0.5),
    st.text(max_size=2),
)


def around(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    objects = st.dictionaries(st.text(max_size=1), inner, max_size=2)
    return st.one_of(st.lists(inner, max_size=3), objects)


@given(nested_types, st.recursive(scalars, around, max_leaves=5))
def test_schema_and_check_of_values_agree(expr: TypeExpr, value: object) -> None:
    assert fits(schema_of(expr, NOTHING_KNOWN), value) is (accepts(expr, value) is None)
