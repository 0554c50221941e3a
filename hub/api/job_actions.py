"""What a node does with a job: acquire, start, report, finish, give back."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import UNSET

from hub.api import bodies
from hub.api.desk import Desk
from hub.api.jobs import AnyRequest
from hub.auth.guard import actor_of
from hub.errors import InvalidInput
from hub.lifecycle import commands as c
from hub.lifecycle.leases import check_holder, check_holder_once
from hub.wire.jobs import FinishIn, JobOut, StartIn
from orm.rows import JobRow

# What clients write: 0.5, 1.0, 1, 0, 1e-05. A sign, nan, inf and hex are refused.
DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?", re.ASCII)


class JobActionsController(Controller):
    """The calls of a worker at ``/v1/jobs/{pk}/…``."""

    path = "/v1/jobs"
    tags = ("job actions",)

    @get("/{pk:int}/acquire", opt={"action": "jobs_acquire"}, operation_id="jobs_acquire")
    async def acquire(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[JobOut]:
        """Take a job. Of several nodes that ask at once, one gets it; asking again is no change."""
        return await desk.execute(c.Acquire(actor=actor_of(request.scope), job=pk))

    @delete(
        "/{pk:int}/release",
        opt={"action": "jobs_release"},
        operation_id="jobs_release",
        status_code=200,
    )
    async def release(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[JobOut]:
        """Give a job back before it was started."""
        return await desk.execute(c.Release(actor=actor_of(request.scope), job=pk))

    @post(
        "/{pk:int}/start", opt={"action": "jobs_start"}, operation_id="jobs_start", status_code=200
    )
    async def start(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[JobOut]:
        """Begin to work; a node runs one job at a time."""
        async with may_act_first(request, desk, pk, check_holder):
            await bodies.read(request, StartIn)
        return await desk.execute(c.Start(actor=actor_of(request.scope), job=pk))

    @post(
        "/{pk:int}/progress/{amount:str}",
        opt={"action": "jobs_progress"},
        operation_id="jobs_progress",
        status_code=200,
    )
    async def progress(
        self,
        request: AnyRequest,
        pk: FromPath[int],
        amount: FromPath[str],
        desk: NamedDependency[Desk],
    ) -> Response[JobOut]:
        """Report progress from 0 to 1 with any JSON object, which watchers get as it came."""
        async with may_act_first(request, desk, pk, check_holder):
            body = await bodies.read_object(request)
            value = parse_amount(amount)
        return await desk.execute(
            c.Progress(actor=actor_of(request.scope), job=pk, value=value, body=body)
        )

    @post(
        "/{pk:int}/finish",
        opt={"action": "jobs_finish"},
        operation_id="jobs_finish",
        status_code=200,
    )
    async def finish(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[JobOut]:
        """End the work, successfully unless ``error`` is there."""
        async with may_act_first(request, desk, pk, check_holder_once):
            said = await bodies.read(request, FinishIn)
            error = None if said.error is UNSET else bodies.storable(said.error, "error")
        return await desk.execute(
            c.Finish(
                actor=actor_of(request.scope), job=pk, error=error, outputs=tuple(said.outputs)
            )
        )

    @delete(
        "/{pk:int}/reset", opt={"action": "jobs_reset"}, operation_id="jobs_reset", status_code=200
    )
    async def reset(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[JobOut]:
        """Make a failed job ready for another run by the node that holds it."""
        return await desk.execute(c.Reset(actor=actor_of(request.scope), job=pk))


@asynccontextmanager
async def may_act_first(
    request: AnyRequest, desk: Desk, pk: int, check: Callable[[JobRow, c.Actor], None]
) -> AsyncIterator[None]:
    """Let a bad body speak only to who may act on the job at all: UFDL's order is 404, 403, 400.

    The job is looked at only when the body is bad; the ledger checks all again on the locked row.
    """
    try:
        yield
    except InvalidInput:
        check(await desk.brief(pk), actor_of(request.scope))
        raise


def parse_amount(text: str) -> float:
    """Return the progress that a path segment names, 0 to 1.

    Raises:
        InvalidInput: it is no plain decimal number in that range.
    """
    if len(text) <= 64 and DECIMAL.fullmatch(text) and 0.0 <= float(text) <= 1.0:
        return float(text)
    raise InvalidInput(f"progress is a decimal number from 0 to 1, not {text[:40]!r}")
