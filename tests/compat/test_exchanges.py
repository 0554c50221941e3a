"""Exchanges on record, played against the hub; and what the comparison of them is worth."""

import pytest

from tests.compat.likeness import Kept
from tests.compat.python_client import Json
from tests.compat.replay import Play, recorded, records
from tests.compat.site import Site


@pytest.mark.parametrize("name", records())
def test_the_hub_answers_as_is_on_record(site: Site, name: str) -> None:
    play = Play(site)

    for number, exchange in enumerate(recorded(name)):
        request = exchange["request"]
        wrong = play.exchange(exchange)
        assert wrong == [], f"{number}: {request['method']} {request['path']}"


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (1, 1),
        ("${int}", 7),
        ("${time or null}", None),
        ("${time}", "2026-11-22T10:00:00.000001Z"),
        ({"a": "${int}"}, {"a": 1, "b": 2}),
        ({"a": 1, "${no more}": True}, {"a": 1}),
        (["${each}", {"a": "${int}"}], [{"a": 1}, {"a": 2}]),
        (["${some}", 2], [1, 2]),
        ([], []),
        ({"a": "${int as n}", "b": "${n}"}, {"a": 3, "b": 3}),
    ],
)
def test_what_is_as_on_record_is_accepted(expected: Json, found: Json) -> None:
    assert Kept().differences(expected, found, "body") == []


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (1, 2),
        (1, True),
        (1, 1.0),
        (None, 0),
        ("${int}", True),
        ("${int}", "7"),
        ("${time}", "yesterday"),
        ("${text or null}", 1),
        ({"a": 1}, {}),
        ({"a": 1}, [1]),
        ({"a": 1, "${no more}": True}, {"a": 1, "b": 2}),
        (["${each}", 1], [1, 2]),
        (["${each}", 1], {}),
        (["${some}", 3], [1, 2]),
        ([1], [1, 1]),
        ([1, 2], [1, 3]),
    ],
)
def test_what_is_not_as_on_record_is_noticed(expected: Json, found: Json) -> None:
    assert len(Kept().differences(expected, found, "body")) == 1
