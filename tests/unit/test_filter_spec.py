from typing import Any

import msgspec
import pytest

from orm.filters.compiler import compile_filter
from orm.filters.fields import JOBS, USERS
from orm.filters.spec import (
    MAX_CONDITIONS,
    MAX_ORDERS,
    And,
    BadFilter,
    Compare,
    Contains,
    Exact,
    FilterSpec,
    IsNull,
    Or,
    Order,
    parse,
)

EXACT = {"type": "exact", "field": "pk", "value": 1}
NULL = {"type": "isnull", "field": "node"}
AND = {"type": "and", "sub_expressions": [EXACT, NULL]}
OR = {"type": "or", "sub_expressions": [EXACT, NULL]}


def parsed(*expressions: Any, **members: Any) -> FilterSpec:
    return parse(msgspec.json.encode({"expressions": expressions, **members}))


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_an_absent_filter_lists_all_active_rows(body: bytes) -> None:
    assert parse(body) == FilterSpec(expressions=(), order_by=(), include_inactive=False)


def test_every_member_of_the_grammar_is_read() -> None:
    spec = parsed(
        EXACT | {"case_insensitive": True, "invert": True},
        {"type": "contains", "field": "description", "sub_string": "x", "case_insensitive": True},
        {"type": "compare", "field": "pk", "operator": "<=", "value": 1.5},
        AND | {"invert": True},
        {"type": "or", "sub_expressions": [AND, EXACT]},
        order_by=[{"field": "pk"}, {"field": "node", "ascending": False, "nulls_first": True}],
        include_inactive=True,
    )

    pk_is_1, no_node = Exact(field="pk", value=1), IsNull(field="node")
    both = (pk_is_1, no_node)
    assert spec == FilterSpec(
        expressions=(
            Exact(field="pk", value=1, case_insensitive=True, invert=True),
            Contains(field="description", sub_string="x", case_insensitive=True),
            Compare(field="pk", operator="<=", value=1.5),
            And(sub_expressions=both, invert=True),
            Or(sub_expressions=(And(sub_expressions=both), pk_is_1)),
        ),
        order_by=(
            Order(field="pk"),
            Order(field="node", ascending=False, nulls_first=True),
        ),
        include_inactive=True,
    )


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ({}, "type"),
        ({"type": "is_null", "field": "node"}, "type"),
        ({"type": 1, "field": "node"}, "type"),
        ({"type": "isnull"}, "field"),
        (NULL | {"field": ""}, "field"),
        (NULL | {"field": "x" * 101}, "field"),
        (NULL | {"value": 1}, "value"),
        (NULL | {"invert": 1}, "invert"),
        (NULL | {"invert": None}, "invert"),
        (EXACT | {"value": None}, "value"),
        (EXACT | {"value": []}, "value"),
        (EXACT | {"value": 2**63}, "value"),
        (EXACT | {"value": -(2**63) - 1}, "value"),
        (EXACT | {"case_insensitive": "yes"}, "case_insensitive"),
        ({"type": "contains", "field": "description", "sub_string": ""}, "sub_string"),
        ({"type": "contains", "field": "description", "sub_string": 5}, "sub_string"),
        ({"type": "contains", "field": "description"}, "sub_string"),
        ({"type": "compare", "field": "pk", "operator": "!=", "value": 1}, "operator"),
        ({"type": "compare", "field": "pk", "operator": "<", "value": True}, "value"),
        ({"type": "and", "sub_expressions": []}, "sub_expressions"),
        ({"type": "and", "sub_expressions": [EXACT]}, "sub_expressions"),
        ({"type": "and", "sub_expressions": [EXACT, AND]}, "sub_expressions[1]"),
        ({"type": "and", "sub_expressions": [EXACT, OR]}, "sub_expressions[1]"),
        ({"type": "or", "sub_expressions": [AND]}, "sub_expressions"),
        ({"type": "or", "sub_expressions": [EXACT, OR]}, "sub_expressions[1]"),
        (AND | {"field": "pk"}, "field"),
    ],
)
def test_what_breaks_the_grammar_is_refused_by_name(expression: Any, named: str) -> None:
    with pytest.raises(BadFilter) as refused:
        parsed(expression)

    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"null", "object"),
        (b"[]", "object"),
        (b'{"expression": []}', "expression"),
        (b'{"expressions": null}', "expressions"),
        (b'{"include_inactive": 1}', "include_inactive"),
        (b'{"order_by": [{"field": "pk", "descending": true}]}', "descending"),
        (b'{"order_by": [{"ascending": true}]}', "field"),
    ],
)
def test_a_filter_of_another_shape_is_refused_by_name(body: bytes, named: str) -> None:
    with pytest.raises(BadFilter, match=named):
        parse(body)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"NaN",
        b"1e400",
        b"9" * 5000,
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b"[" * 100_000,
    ],
    ids=lambda value: repr(value[:10]),
)
def test_what_is_no_json_is_refused(value: bytes) -> None:
    with pytest.raises(BadFilter):
        parse(b'{"expressions": [{"type": "exact", "field": "pk", "value": ' + value + b"}]}")


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b"{", b"{}{}"])
def test_what_is_no_single_json_text_is_refused(body: bytes) -> None:
    with pytest.raises(BadFilter):
        parse(body)


def test_a_body_that_is_nested_without_end_is_refused() -> None:
    # A member before ``type`` is skipped by recursion.
    with pytest.raises(BadFilter, match="nested"):
        parse(b'{"expressions": [{"x": ' + b"[" * 100_000)


def test_a_refusal_does_not_repeat_a_long_body() -> None:
    with pytest.raises(BadFilter) as refused:
        parsed({"type": "y" * 1_000_000})

    assert len(str(refused.value)) <= 300


def test_a_filter_has_a_largest_size() -> None:
    many = {"type": "or", "sub_expressions": [EXACT] * MAX_CONDITIONS}
    keys = [{"field": "pk"}] * MAX_ORDERS

    assert len(parsed(many, order_by=keys).order_by) == MAX_ORDERS
    with pytest.raises(BadFilter, match="expressions: 1001"):
        parsed(many, NULL)
    with pytest.raises(BadFilter, match="order_by: 101"):
        parsed(order_by=[*keys, {"field": "pk"}])


def test_what_every_match_must_satisfy_is_on_the_top_level_or_in_an_and_there() -> None:
    first, second, third = ({"type": "isnull", "field": name} for name in ("parent", "node", "pk"))
    spec = parsed(first, {"type": "and", "sub_expressions": [second, third]})

    assert [demand.field for demand in spec.demands()] == ["parent", "node", "pk"]
    assert list(parsed(OR, AND | {"invert": True}).demands()) == []


@pytest.mark.parametrize(
    "name",
    [
        "creator.password",
        "creator.password_hash",
        "creator.role",
        "creator__username",
        "template__name",
        "template.creator.username",
        "outputs",
        "outputs.sha256",
        "is_cancelled",
        "lease_session",
        "labels",
        "Description",
        "pk ",
        "jobs.pk",
        '"pk"',
        "1",
    ],
)
@pytest.mark.parametrize("how", ["isnull", "order"])
def test_a_field_that_is_not_allowed_is_refused_by_name(name: str, how: str) -> None:
    isnull = FilterSpec(expressions=(IsNull(field=name),))
    spec = isnull if how == "isnull" else FilterSpec(order_by=(Order(field=name),))

    with pytest.raises(BadFilter, match="field") as refused:
        compile_filter(spec, JOBS, "sqlite")

    assert repr(name) in str(refused.value)


@pytest.mark.parametrize("name", ["password", "password_hash", "tokens", "disabled_us"])
def test_what_users_must_not_know_of_each_other_is_no_field(name: str) -> None:
    with pytest.raises(BadFilter):
        compile_filter(FilterSpec(expressions=(IsNull(field=name),)), USERS, "sqlite")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("description", 1),
        ("description", True),
        ("description", "a\0b"),
        ("pk", "1"),
        ("pk", True),
        ("pk", 1.5),
        ("pk", 1e300),
        ("node", "10.0.0.1"),
        ("node.index", "0"),
        ("template.workabletemplate", True),
        ("progress_amount", "0.5"),
        ("progress_amount", False),
        ("start_time", 5),
        ("start_time", True),
        ("start_time", "yesterday"),
        ("start_time", ""),
        ("start_time", "2026-11-01"),
        ("start_time", "2026-11-01T00:00:00"),
        ("start_time", "0000-01-01T00:00:00Z"),
        ("start_time", "2016-12-31T23:59:60Z"),
        ("start_time", "2026-11-01T00:00:00+26:00"),
        ("start_time", "2026-11-01T00:00:00\0Z"),
    ],
)
@pytest.mark.parametrize("comparison", ["exact", "compare"])
def test_a_value_of_another_kind_is_refused(comparison: str, field: str, value: Any) -> None:
    test: Exact | Compare = Exact(field=field, value=value)
    if comparison == "compare":
        test = Compare(field=field, operator="<", value=value)

    with pytest.raises(BadFilter, match=f"field '{field}' takes"):
        compile_filter(FilterSpec(expressions=(test,)), JOBS, "sqlite")


@pytest.mark.parametrize("field", ["pk", "start_time", "progress_amount", "template.version"])
def test_only_texts_contain_something(field: str) -> None:
    spec = FilterSpec(expressions=(Contains(field=field, sub_string="1"),))

    with pytest.raises(BadFilter, match="not a text"):
        compile_filter(spec, JOBS, "sqlite")


def test_a_truth_is_true_or_false_and_neither_is_less() -> None:
    exact = FilterSpec(expressions=(Exact(field="is_staff", value=1),))
    compare = FilterSpec(expressions=(Compare(field="is_staff", operator="<", value=1),))

    for spec in (exact, compare):
        with pytest.raises(BadFilter, match="is_staff"):
            compile_filter(spec, USERS, "sqlite")


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_values_are_bound_and_never_part_of_the_sql(kind: str) -> None:
    sly = "'; DROP TABLE jobs; --"
    spec = FilterSpec(
        expressions=(
            Exact(field="description", value=sly),
            Contains(field="outputs.name", sub_string=sly, case_insensitive=True),
            Compare(field="creator.username", operator=">", value=sly),
        )
    )

    where = compile_filter(spec, JOBS, kind).where
    assert where is not None
    sql, values = where.querystring.compile_string("sqlite")
    assert "DROP" not in sql
    assert values == [sly] * 3
