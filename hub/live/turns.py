"""Those with news take their turns one after the other, behind the step that brought it.

A callback of the loop for each of them would cost as much as what they do in their turn.
"""

import asyncio
from collections.abc import Callable

AT_ONCE = 250
"""Turns between two looks at what else the loop has to do: some milliseconds."""


class Turns:
    """Who waits for a turn."""

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []

    def add(self, turn: Callable[[], None]) -> None:
        """Let ``turn`` be called soon; it must not raise."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._take)
        self._waiting.append(turn)

    def _take(self) -> None:
        turns, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._take)
        for turn in turns:
            turn()
