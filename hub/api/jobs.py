"""Jobs: show, change, delete. What a node does with them is in ``job_actions``."""

from typing import Any

from litestar import Controller, Request, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub.api import bodies
from hub.api.desk import Desk
from hub.auth.guard import actor_of
from hub.errors import InvalidInput
from hub.lifecycle import commands as c
from hub.lifecycle.unused_bytes import forget
from hub.outputs.store import OutputStore
from hub.wire.jobs import JobOut, RequeueIn

AnyRequest = Request[Any, Any, Any]


class JobsController(Controller):
    """One job at ``/v1/jobs/{pk}``."""

    path = "/v1/jobs"
    tags = ("jobs",)

    @get("/{pk:int}", opt={"action": "jobs_retrieve"}, operation_id="jobs_retrieve")
    async def retrieve(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[JobOut]:
        """Show a job, soft-deleted or not. A GET by the node that holds it counts as a contact."""
        job, answer = await desk.show(pk)
        actor = actor_of(request.scope)
        if actor.node is not None and actor.node == job.row.node:
            desk.ledger.heard(actor, pk)
        return answer

    @put("/{pk:int}", opt={"action": "jobs_update"}, operation_id="jobs_update")
    async def update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[JobOut]:
        """Change the description; other members are ignored, as UFDL does."""
        return await _describe(request, pk, desk)

    @patch("/{pk:int}", opt={"action": "jobs_partial_update"}, operation_id="jobs_partial_update")
    async def partial_update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[JobOut]:
        """Change the description, if it is there."""
        return await _describe(request, pk, desk)

    @delete("/{pk:int}", opt={"action": "jobs_destroy"}, operation_id="jobs_destroy")
    async def destroy(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> None:
        """Hide a job; again is no change. One that a node holds is refused."""
        await desk.ledger.execute(c.Destroy(actor=actor_of(request.scope), job=pk))

    @delete(
        "/{pk:int}/hard",
        opt={"action": "jobs_hard_delete"},
        operation_id="jobs_hard_delete",
        status_code=200,
    )
    async def hard_delete(
        self,
        request: AnyRequest,
        pk: FromPath[int],
        desk: NamedDependency[Desk],
        store: NamedDependency[OutputStore],
    ) -> Response[JobOut]:
        """Remove a job with its outputs and what its events say; answers with what it was."""
        _, answer = await desk.show(pk)
        outcome = await desk.ledger.execute(c.HardDelete(actor=actor_of(request.scope), job=pk))
        await forget(desk.engine, store, outcome.removed_outputs)
        return answer

    @delete(
        "/{pk:int}/reinstate",
        opt={"action": "jobs_reinstate"},
        operation_id="jobs_reinstate",
        status_code=200,
    )
    async def reinstate(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[JobOut]:
        """Bring a hidden job back; again is no change."""
        return await desk.execute(c.Reinstate(actor=actor_of(request.scope), job=pk))

    @delete(
        "/{pk:int}/abort", opt={"action": "jobs_abort"}, operation_id="jobs_abort", status_code=200
    )
    async def abort(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[JobOut]:
        """Take a job from whoever holds it and queue it again."""
        return await desk.execute(c.Abort(actor=actor_of(request.scope), job=pk))

    @delete(
        "/{pk:int}/cancel",
        opt={"action": "jobs_cancel"},
        operation_id="jobs_cancel",
        status_code=200,
    )
    async def cancel(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[JobOut]:
        """End a job for good; one that has ended stays as it is."""
        return await desk.execute(c.Cancel(actor=actor_of(request.scope), job=pk))

    @post(
        "/{pk:int}/requeue",
        opt={"action": "jobs_requeue"},
        operation_id="jobs_requeue",
        status_code=200,
    )
    async def requeue(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[JobOut]:
        """Queue a failed or canceled job for one more try."""
        asked = await bodies.read(request, RequeueIn)
        actor = actor_of(request.scope)
        return await desk.execute(c.Requeue(actor=actor, job=pk, priority=asked.priority))


DESCRIPTION_MAX = 10_000


async def _describe(request: AnyRequest, pk: int, desk: Desk) -> Response[JobOut]:
    try:
        description = _description(await bodies.read(request, dict[str, Any]))
    except InvalidInput:
        await desk.brief(pk)  # a job that is not there is said before a bad body
        raise
    return await desk.execute(
        c.Describe(actor=actor_of(request.scope), job=pk, description=description)
    )


def _description(body: dict[str, Any]) -> str | None:
    """Return the new description: a text, or a number, which becomes one; ``None`` leaves it."""
    if "description" not in body:
        return None
    given = body["description"]
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise InvalidInput("description is a text", fields={"description": ["Not a valid string."]})
    text = str(given)
    if len(text) > DESCRIPTION_MAX:
        problem = f"Ensure this field has no more than {DESCRIPTION_MAX} characters."
        raise InvalidInput("description is too long", fields={"description": [problem]})
    return bodies.storable(text, "description")
