"""In which order a node is offered jobs that it does not take."""

from hub.lifecycle.offers import NODES_MAX, OFFERED_MAX, Offers

NODE = 7


def polled(offers: Offers, times: int, jobs: list[int], node: int = NODE) -> list[int]:
    """Return what the last of some polls in a row gave."""
    given: list[int] = []
    for _ in range(times):
        given = offers.ordered(node, jobs)
    return given


def test_jobs_come_as_they_are_listed() -> None:
    offers = Offers()

    assert polled(offers, OFFERED_MAX, [3, 1, 2]) == [3, 1, 2]
    assert offers.ordered(NODE, []) == []


def test_a_job_that_stays_first_goes_behind_the_others() -> None:
    offers = Offers()

    assert polled(offers, OFFERED_MAX + 1, [3, 1, 2]) == [1, 2, 3]
    assert polled(offers, OFFERED_MAX, [3, 1, 2]) == [2, 3, 1]
    assert polled(offers, OFFERED_MAX, [3, 1, 2]) == [3, 1, 2]


def test_a_job_that_only_waits_for_its_turn_keeps_its_place() -> None:
    offers = Offers()

    for first in range(1, 20):
        assert offers.ordered(NODE, list(range(first, 30)))[0] == first


def test_other_nodes_are_not_concerned() -> None:
    offers = Offers()
    polled(offers, OFFERED_MAX + 1, [3, 1])

    assert offers.ordered(NODE + 1, [3, 1]) == [3, 1]


def test_a_job_that_was_taken_meanwhile_begins_anew() -> None:
    offers = Offers()
    polled(offers, OFFERED_MAX + 1, [3, 1])
    offers.ordered(NODE, [1])

    assert offers.ordered(NODE, [3, 1]) == [3, 1]


def test_what_is_remembered_is_bounded() -> None:
    offers = Offers()
    polled(offers, OFFERED_MAX + 1, [3, 1])

    for node in range(100, 100 + NODES_MAX):
        offers.ordered(node, [3, 1])

    assert offers.ordered(NODE, [3, 1]) == [3, 1]
