import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.lifecycle.placeholders import CUT, filled, placeholder_problem

KNOWN = ("pk", "error")
VALUES = {"pk": "7", "error": "{pk} broke"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", ""),
        ("plain", "plain"),
        ("job {pk}", "job 7"),
        ("{pk}{pk}", "77"),
        ("{{pk}}", "{pk}"),
        ("{{{pk}}}", "{7}"),
        ("{{}}", "{}"),
        ("{{{{", "{{"),
        ("{error}", "{pk} broke"),
        ("{missing}.", "."),
        ("%s $pk \\{pk}", "%s $pk \\7"),
    ],
)
def test_placeholders_are_replaced_once_and_nothing_else_is(text: str, result: str) -> None:
    assert filled(text, VALUES, limit=1_000) == result


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{colour}", "{colour}"),
        ("{}", "{}"),
        ("{0}", "{0}"),
        ("{pk.__class__}", "{pk.__class__}"),
        ("{pk[0]}", "{pk[0]}"),
        ("{pk!r}", "{pk!r}"),
        ("{pk:>9999999}", "{pk:>9999999}"),
        ("{ pk }", "{ pk }"),
        ("{PK}", "{PK}"),
        ("{p\nk}", "{p\\nk}"),
        ("{" + "x" * 5_000 + "}", "…}"),
        ("{pk", "single {"),
        ("pk}", "single }"),
        ("{{pk}", "single }"),
        ("{{{pk}}", "single }"),
        ("{pk{pk}}", "single {"),
    ],
)
def test_what_stands_for_nothing_is_named(text: str, named: str) -> None:
    problem = placeholder_problem(text, KNOWN)
    assert problem is not None
    assert named in problem
    assert len(problem) < 200
    assert problem.isprintable()


@pytest.mark.parametrize("text", ["", "plain", "{pk}", "{{", "}}", "{{pk}} {error}", "a {pk}\n"])
def test_what_is_known_is_fine(text: str) -> None:
    assert placeholder_problem(text, KNOWN) is None


@pytest.mark.parametrize(
    ("text", "limit", "result"),
    [
        ("12345", 5, "12345"),
        ("123456", 5, "12345" + CUT),
        ("1{error}", 5, "1{pk} "[:5] + CUT),
        ("{error}{error}", 10, "{pk} broke" + CUT),
        ("{error}" * 1_000, 0, CUT),
    ],
)
def test_a_result_is_cut_at_its_limit(text: str, limit: int, result: str) -> None:
    assert filled(text, VALUES, limit=limit) == result


@given(st.text(alphabet="{}pk er.[]!:\n"), st.integers(0, 20))
def test_no_text_makes_it_fail_or_grow(text: str, limit: int) -> None:
    placeholder_problem(text, KNOWN)
    assert len(filled(text, VALUES, limit=limit)) <= limit + len(CUT)


@given(st.text(alphabet="{}pk "))
def test_what_is_accepted_is_what_a_format_string_would_give(text: str) -> None:
    if placeholder_problem(text, ["pk"]) is None:
        assert filled(text, {"pk": "7"}, limit=1_000) == text.format(pk="7")
