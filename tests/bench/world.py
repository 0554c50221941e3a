"""What has to exist before a load can run: an account, nodes, a template, running jobs.

On the bare and the floor app nothing has to, so that `pretended` fills in for them.
"""

from typing import Any

import msgspec

from tests.bench.client import Address, Caller, dial, encode
from tests.bench.processes import PASSWORD

TEMPLATE = "bench"
START = {"send_notification": ""}
FINISH = {"success": True, "send_notification": ""}


class _Numbered(msgspec.Struct):
    pk: int


class _Tokens(msgspec.Struct):
    access: str


def pk_of(body: bytes) -> int:
    """Return the number of the object in an answer."""
    return msgspec.json.decode(body, type=_Numbered).pk


def progress_body(counter: int) -> dict[str, Any]:
    """Return a progress report of about 300 bytes that carries ``counter``."""
    return {
        "counter": counter,
        "stage": "training",
        "epoch": 12,
        "loss": 0.034125,
        "metrics": {"accuracy": 0.9312, "recall": 0.8871, "precision": 0.9054},
        "comment": "a line of log as a worker writes it, long enough to be like a real one " * 2,
    }


class World(msgspec.Struct, frozen=True):
    """An account's token, and nodes that belong to the account."""

    token: str
    nodes: tuple[int, ...]

    def request(
        self, method: str, path: str, *, node: int | None = None, body: object = None
    ) -> bytes:
        """Return the bytes of an authenticated request below ``/v1``."""
        return encode(method, f"/v1{path}", token=self.token, node=node, body=body)

    def progress(self, job: int, node: int, *, value: float = 0.5, counter: int = 0) -> bytes:
        """Return the bytes of a progress report."""
        path = f"/jobs/{job}/progress/{value}"
        return self.request("POST", path, node=node, body=progress_body(counter))

    async def create_job(self, caller: Caller) -> int:
        """Return the number of a new job in the queue."""
        body = {"template": TEMPLATE}
        return pk_of(await caller.call(self.request("POST", "/jobs", body=body)))

    async def begin(self, caller: Caller, job: int, node: int) -> None:
        """Have ``node`` acquire and start ``job``."""
        await caller.call(self.request("GET", f"/jobs/{job}/acquire", node=node))
        await caller.call(self.request("POST", f"/jobs/{job}/start", node=node, body=START))

    async def finish(self, caller: Caller, job: int, node: int) -> None:
        """Have ``node`` finish ``job``."""
        await caller.call(self.request("POST", f"/jobs/{job}/finish", node=node, body=FINISH))


def pretended(nodes: int) -> World:
    """Return a world for servers without accounts."""
    return World("none", tuple(range(1, nodes + 1)))


async def create_world(address: Address, *, nodes: int) -> World:
    """Sign in at a new hub, register ``nodes`` nodes and the template."""
    caller = await dial(address, Caller())
    try:
        login = {"username": "admin", "password": PASSWORD}
        answer = await caller.call(encode("POST", "/v1/auth/obtain", body=login))
        world = World(msgspec.json.decode(answer, type=_Tokens).access, ())
        # Without an executor class a template's jobs are never offered to a polling worker.
        template = {"name": TEMPLATE, "version": 1, "executor_class": "bench.Nothing"}
        await caller.call(world.request("POST", "/job-templates", body=template))
        return msgspec.structs.replace(world, nodes=await _register(caller, world, nodes))
    finally:
        caller.transport.close()


async def _register(caller: Caller, world: World, nodes: int) -> tuple[int, ...]:
    bodies = [{"ip": "127.0.0.1", "index": index, "cpu_mem": 1024} for index in range(nodes)]
    requests = [world.request("POST", "/nodes/create", body=body) for body in bodies]
    return tuple([pk_of(await caller.call(request)) for request in requests])


async def running_jobs(address: Address, world: World) -> tuple[int, ...]:
    """Give each node of ``world`` a running job; return the jobs in the nodes' order."""
    caller = await dial(address, Caller())
    jobs = []
    try:
        for node in world.nodes:
            jobs.append(await world.create_job(caller))
            await world.begin(caller, jobs[-1], node)
    finally:
        caller.transport.close()
    return tuple(jobs)
