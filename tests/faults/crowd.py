"""Workers that live through random lives of jobs, and write down what they were answered."""

import asyncio
import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tests.bench.client import Address, Caller, Refused, dial
from tests.bench.world import FINISH, START, TEMPLATE, World, progress_body
from tests.faults.history import Change, History

TEXTS = itertools.count(1)


BACK_OFF_S = 0.05


class HungUp(Exception):
    """The hub is gone in the middle of a call."""


class Unsure(Exception):
    """The hub could not say whether it did what was asked."""


class Worker:
    """One node and its connection: one call after the other, as a real worker."""

    def __init__(self, world: World, node: int, history: History, dice: random.Random) -> None:
        self._world = world
        self._node = node
        self._history = history
        self._dice = dice
        self._caller: Caller | None = None
        self._job = 0
        self._attempt = 0

    async def live(self, address: Address) -> None:
        """Live one life after the other until the hub hangs up."""
        try:
            self._caller = await dial(address, Caller())
            while True:
                await self._next()
        except (HungUp, OSError):
            return
        finally:
            if self._caller is not None:
                self._caller.transport.close()

    async def _next(self) -> None:
        try:
            await self._recover()
            await self._one_life()
        except Unsure:
            await asyncio.sleep(BACK_OFF_S)

    async def _recover(self) -> None:
        """Get rid of a job of which it is not known how far it came."""
        if not self._job:
            return
        for attempt in (self._attempt - 1, self._attempt):
            self._history.unsure["abort", self._job, attempt] += 1
        path = f"/jobs/{self._job}"
        await self._call(self._world.request("DELETE", f"{path}/abort"), but=("409",))
        finish = self._world.request("POST", f"{path}/finish", node=self._node, body=FINISH)
        await self._call(finish, but=("403", "409"))
        self._job = 0

    async def _one_life(self) -> None:
        text = f"job {next(TEXTS)}"
        body = {"template": TEMPLATE, "description": text}
        made = await self._ask("POST", "/jobs", ("create", text), body)
        self._job, self._attempt = made["pk"], 0
        await self._take()
        for _ in range(self._dice.randint(0, 4)):
            await self._report()
        ends: list[Callable[[], Any]] = [self._succeed, self._fail, self._cancel, self._be_aborted]
        await self._dice.choice(ends)()
        self._job = 0

    async def _take(self) -> None:
        self._attempt += 1
        told = await self._node_asks("GET", "acquire", "acquire")
        assert (told["attempt"], told["node"]) == (self._attempt, self._node)
        told = await self._node_asks("POST", "start", "start", START)
        assert told["status"] == "RUNNING"

    async def _report(self) -> None:
        counter, value = next(TEXTS), round(self._dice.random(), 3)
        change = ("progress", self._job, counter)
        path = f"/jobs/{self._job}/progress/{value}"
        await self._ask("POST", path, change, progress_body(counter), node=self._node)

    async def _succeed(self) -> None:
        await self._node_asks("POST", "finish", "finish", FINISH)
        text = f"text {next(TEXTS)}"
        body = {"description": text}
        await self._ask("PATCH", f"/jobs/{self._job}", ("update", text), body)

    async def _fail(self) -> None:
        failed = FINISH | {"success": False, "error": "broken"}
        await self._node_asks("POST", "finish", "error", failed)
        await self._node_asks("DELETE", "reset", "reset")
        await self._node_asks("DELETE", "release", "release")

    async def _cancel(self) -> None:
        await self._admin("DELETE", "cancel", ("cancel", self._job, self._attempt))
        await self._node_asks("POST", "finish", "", FINISH)
        await self._admin("POST", "requeue", ("requeue", self._job, self._attempt))
        await self._take()
        await self._report()
        await self._succeed()

    async def _be_aborted(self) -> None:
        await self._admin("DELETE", "abort", ("abort", self._job, self._attempt))
        await self._take()
        await self._report()
        await self._fail()

    async def _node_asks(self, method: str, what: str, change: str, body: object = None) -> Any:
        told: Change = (change, self._job, self._attempt) if change else ()
        return await self._ask(method, f"/jobs/{self._job}/{what}", told, body, node=self._node)

    async def _admin(self, method: str, what: str, change: Change) -> Any:
        body: object = {} if method == "POST" else None
        return await self._ask(method, f"/jobs/{self._job}/{what}", change, body)

    async def _ask(
        self, method: str, path: str, change: Change, body: object = None, node: int | None = None
    ) -> Any:
        """Call, and note what came of it; ``change`` is empty where nothing shall happen."""
        request = self._world.request(method, path, node=node, body=body)
        try:
            answer = await self._call(request)
        except BaseException:  # also when this worker is sent home in the middle of a call
            self._history.unsure[change] += 1
            raise
        if change:
            self._history.done[change] += 1
        return msgspec.json.decode(answer)

    async def _call(self, request: bytes, but: tuple[str, ...] = ()) -> bytes:
        """Return an answer; that of a status in ``but`` is empty."""
        assert self._caller is not None
        try:
            return await self._caller.call(request)
        except Refused as refused:
            status = str(refused)[:3]
            if status in but:
                return b""
            if status in ("503", "507"):
                raise Unsure from refused
            if status.isdigit():
                raise
            raise HungUp from refused


def crowd(world: World, history: History, seed: int) -> list[Worker]:
    """Return a worker for each node of ``world``; the same seed lives the same lives."""
    return [Worker(world, node, history, random.Random(f"{seed} {node}")) for node in world.nodes]


async def all_live(address: Address, workers: Sequence[Worker]) -> None:
    """Let all work until the hub hangs up on them."""
    await asyncio.gather(*(worker.live(address) for worker in workers))
