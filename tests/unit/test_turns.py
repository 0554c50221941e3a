"""Turns: after the step that asked for them, in order, with room for others in between."""

import asyncio

from hub.live.turns import AT_ONCE, Turns


async def test_turns_are_taken_in_order_after_the_step_that_asked() -> None:
    turns, taken = Turns(), list[int]()
    for number in range(3):
        turns.add(lambda number=number: taken.append(number))  # type: ignore[misc]  # a default
    assert taken == []
    await asyncio.sleep(0)
    assert taken == [0, 1, 2]


async def test_many_turns_let_others_in_between() -> None:
    turns, taken = Turns(), list[str]()
    for _ in range(AT_ONCE + 1):
        turns.add(lambda: taken.append("turn"))
    asyncio.get_running_loop().call_soon(taken.append, "other")
    await asyncio.sleep(0)
    assert taken[-2:] == ["turn", "other"]
    assert len(taken) == AT_ONCE + 1
    await asyncio.sleep(0)
    assert taken[-1] == "turn"


async def test_a_turn_may_ask_for_another() -> None:
    turns, taken = Turns(), list[int]()

    def turn() -> None:
        taken.append(len(taken))
        if len(taken) < 3:
            turns.add(turn)

    turns.add(turn)
    for _ in range(4):
        await asyncio.sleep(0)
    assert taken == [0, 1, 2]
