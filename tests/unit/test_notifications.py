from typing import Any

import msgspec
import pytest

from hub.errors import InvalidInput
from hub.lifecycle.notifications import DEFAULTS, FIELDS, STORED_MAX, plan_of, stored
from hub.lifecycle.states import SHOWN_AS
from hub.wire.templates import EmailAction, PrintAction

Json = dict[str, Any]

MAIL = {"subject": "s", "body": "b"}
PRINT = {"message": "m"}


def override(*actions: Json, transition: str = "on_start", **more: Any) -> Json:
    return {"actions": {transition: list(actions)}, **more}


def told(asked: Json, transition: str = "start", *, is_child: bool = False) -> list[Any]:
    return plan_of(stored(asked)).at(transition, is_child=is_child)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (override(), []),
        (override({}), []),
        (override(PRINT), [PrintAction("m")]),
        (override(MAIL), [EmailAction("s", "b")]),
        (override(PRINT, MAIL), [PrintAction("m"), EmailAction("s", "b")]),
        (override(PRINT, {}, PRINT), [PrintAction("m")]),
        (override(MAIL | {"to": None}, MAIL), [EmailAction("s", "b")]),
        (
            override(PRINT, PRINT | {"suppress_for_parent": False}),
            [PrintAction("m"), PrintAction("m", suppress_for_parent=False)],
        ),
        (
            override(MAIL | {"to": ["a@b"], "cc": ["c@d"], "bcc": []}),
            [EmailAction("s", "b", ["a@b"], ["c@d"], [])],
        ),
        (
            override(PRINT, keep_default=True),
            [*DEFAULTS.at("start", is_child=False), PrintAction("m")],
        ),
        (
            override(
                {"message": "job {pk} started", "suppress_for_parent": False}, keep_default=True
            ),
            DEFAULTS.at("start", is_child=False),
        ),
    ],
)
def test_an_override_says_what_is_told(asked: Json, expected: list[Any]) -> None:
    assert told(asked) == expected


def test_an_override_leaves_nothing_of_the_defaults() -> None:
    plan = plan_of(stored(override(PRINT)))
    assert [plan.at(t, is_child=False) for t in ("finish", "error")] == [[], []]


def test_kept_defaults_stay_at_every_transition() -> None:
    plan = plan_of(stored(override(PRINT, transition="on_cancel", keep_default=True)))
    for transition in set(SHOWN_AS.values()) - {"cancel"}:
        assert plan.at(transition, is_child=True) == DEFAULTS.at(transition, is_child=True)


def test_web_socket_actions_leave_nothing_to_keep() -> None:
    assert stored({"actions": {f"on_{name}": [{}] for name in set(SHOWN_AS.values())}}) == "{}"


def test_the_defaults_print_and_mail_for_children_too() -> None:
    for is_child in (False, True):
        kinds = {
            transition: [type(action) for action in DEFAULTS.at(transition, is_child=is_child)]
            for transition in set(SHOWN_AS.values())
        }
        assert {transition: actions for transition, actions in kinds.items() if actions} == {
            "start": [PrintAction, EmailAction],
            "finish": [PrintAction],
            "error": [PrintAction],
        }


def test_the_texts_of_the_defaults_would_be_accepted() -> None:
    asked = {f"on_{name}": msgspec.to_builtins(told) for name, told in DEFAULTS.actions.items()}
    assert plan_of(stored({"actions": asked})).actions == DEFAULTS.actions


def test_a_child_is_silent_unless_it_was_told_to_speak() -> None:
    loud = PRINT | {"suppress_for_parent": False}
    assert told(override(PRINT, loud), is_child=True) == [
        PrintAction("m", suppress_for_parent=False)
    ]


@pytest.mark.parametrize(
    ("action", "text"),
    [
        ({"message": "{colour}"}, "{colour}"),
        ({"message": "{pk.__class__}"}, "{pk.__class__}"),
        ({"message": "{pk[0]}"}, "{pk[0]}"),
        ({"message": "{pk:10}"}, "{pk:10}"),
        ({"message": "{pk!r}"}, "{pk!r}"),
        ({"message": "{"}, "single {"),
        ({"message": "a\0b"}, "Null characters"),
        ({"message": "m" * 2_001}, "2000"),
        ({"message": 5}, "Expected `str`"),
        ({"message": "m", "subject": "s"}, "`subject`"),
        ({"message": "m", "suppress_for_parent": "yes"}, "Expected `bool`"),
        ({"colour": "red"}, "An action is"),
        ({"body": "b"}, "An action is"),
        ({"subject": "s"}, "`body`"),
        (MAIL | {"subject": "{transition_data}"}, "{transition_data}"),
        (MAIL | {"subject": "{error.args}"}, "{error.args}"),
        (MAIL | {"body": "{self}"}, "{self}"),
        (MAIL | {"subject": "a\nBcc: c@d"}, "one line"),
        (MAIL | {"subject": "a\rb"}, "one line"),
        (MAIL | {"subject": "a\u2028b"}, "one line"),
        (MAIL | {"subject": "\0"}, "Null characters"),
        (MAIL | {"subject": "s" * 201}, "200"),
        (MAIL | {"body": "b" * 10_001}, "10000"),
        (MAIL | {"to": []}, "length >= 1"),
        (MAIL | {"to": "a@b"}, "Expected `array"),
        (MAIL | {"to": ["a@b", "a@b"]}, "twice"),
        (MAIL | {"cc": ["a@b", "a@b"]}, "twice"),
        (MAIL | {"to": ["ada"]}, "'ada'"),
        (MAIL | {"bcc": ["a@b\r\nDATA"]}, "plain address"),
        (MAIL | {"to": [f"a{n}@b" for n in range(33)]}, "32"),
        (MAIL | {"to": ["a@" + "b" * 253]}, "254"),
        (MAIL | {"sender": "a@b"}, "`sender`"),
    ],
)
def test_an_action_that_makes_no_sense_is_refused_by_name(action: Json, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        stored(override({}, action))

    assert text in caught.value.detail
    assert "on_start[1]" in caught.value.detail
    assert list(caught.value.fields) == ["notification_override"]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"actions": []},
        {"actions": {"on_start": {}}},
        {"actions": {"on_start": ["print"]}},
        {"actions": {"on_start": [{}] * 17}},
        {"actions": {"on_create": [{}]}},
        {"actions": {"start": [{}]}},
        override({}, keep_default="yes"),
        override({}, keep=True),
    ],
)
def test_what_is_no_override_is_refused(asked: Json) -> None:
    with pytest.raises(InvalidInput, match="notification_override"):
        stored(asked)


def test_all_actions_together_have_a_limit() -> None:
    actions = [{"subject": "s", "body": f"{n}" + "b" * 9_000} for n in range(8)]
    with pytest.raises(InvalidInput, match=str(STORED_MAX)):
        stored(override(*actions))


@pytest.mark.parametrize("field", FIELDS)
def test_every_listed_field_may_stand_in_a_message(field: str) -> None:
    assert told(override({"message": f"{{{field}}}"}))
