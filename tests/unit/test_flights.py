import asyncio
from collections import Counter

import pytest

from channels.flights import Flights
from tests.unit.virtual_time import on_virtual_time, settle


class Questions:
    """Questions that take a second each, and are hard to stop."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.at_once = 0
        self.most_at_once = 0

    async def ask(self, name: str) -> str:
        self.asked[name] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            await asyncio.sleep(0.5)  # a database takes its time to give up
            raise
        finally:
            self.at_once -= 1
        if name == "bad":
            raise OSError(name)
        return f"{name} {self.asked[name]}"

    def share(self, flights: Flights, name: str) -> "asyncio.Task[str]":
        return asyncio.create_task(flights.share(name, lambda: self.ask(name)))


@on_virtual_time
async def test_equal_questions_are_asked_once_and_answered_all() -> None:
    flights, questions = Flights(2), Questions()
    asking = [questions.share(flights, "same") for _ in range(5)]
    assert await asyncio.gather(*asking) == ["same 1"] * 5
    assert await questions.share(flights, "same") == "same 2"


@on_virtual_time
async def test_only_so_many_are_asked_at_once() -> None:
    flights, questions = Flights(2), Questions()
    await asyncio.gather(*(questions.share(flights, str(number)) for number in range(7)))
    assert questions.most_at_once == 2


@on_virtual_time
async def test_an_error_goes_to_all_who_wait() -> None:
    flights, questions = Flights(2), Questions()
    asking = [questions.share(flights, "bad") for _ in range(3)]
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(one) for one in found] == [OSError] * 3


@on_virtual_time
async def test_who_gives_up_leaves_the_others_waiting() -> None:
    flights, questions = Flights(2), Questions()
    first, second = questions.share(flights, "same"), questions.share(flights, "same")
    await settle()
    first.cancel()
    assert await second == "same 1"


@pytest.mark.parametrize("begun", [False, True])
@on_virtual_time
async def test_who_asks_what_was_just_dropped_gets_an_answer(begun: bool) -> None:
    flights, questions = Flights(2), Questions()
    dropped = questions.share(flights, "same")
    await asyncio.sleep(0)
    if begun:
        await settle()
    dropped.cancel()
    await asyncio.sleep(0.1)

    assert (await questions.share(flights, "same")).startswith("same")
    await asyncio.gather(dropped, return_exceptions=True)


@on_virtual_time
async def test_the_end_leaves_no_task() -> None:
    tasks = asyncio.all_tasks()
    flights, questions = Flights(1), Questions()
    asking = [questions.share(flights, name) for name in ("one", "two", "two")]
    await settle()
    await flights.end()
    await asyncio.gather(*asking, return_exceptions=True)
    assert asyncio.all_tasks() == tasks
