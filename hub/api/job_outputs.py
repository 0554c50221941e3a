"""Outputs by number, over all jobs: list, show, download, hide, bring back, remove."""

from collections.abc import Sequence

import msgspec
from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub.api import bodies
from hub.api.desk import Desk
from hub.api.downloads import MEDIA_TYPE, answer_whole
from hub.api.found import found
from hub.api.job_view import output_out
from hub.api.jobs import AnyRequest
from hub.api.lists import answer_list
from hub.api.outputs import executed
from hub.auth.guard import actor_of
from hub.errors import Forbidden, NotFound
from hub.lifecycle import commands as c
from hub.lifecycle.unused_bytes import forget
from hub.outputs.store import OutputStore
from hub.wire.jobs import DownloadIn, OutputOut
from orm.filters.fields import JOB_OUTPUTS
from orm.queries import outputs
from orm.rows import OutputRow

NOT_THIS_WAY = "outputs are uploaded to their job, and never changed"


class JobOutputsController(Controller):
    """Outputs at ``/v1/job-outputs``."""

    path = "/v1/job-outputs"
    tags = ("job outputs",)

    @post(
        "/list",
        opt={"action": "job_outputs_list"},
        operation_id="job_outputs_list",
        status_code=200,
    )
    async def list_outputs(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[list[OutputOut]]:
        """List outputs by a filter: those that jobs show, unless inactive ones are asked for."""

        async def encode(pks: Sequence[int]) -> list[bytes]:
            rows = await outputs.some(desk.engine, pks)
            return [msgspec.json.encode(output_out(row)) for row in rows]

        return await answer_list(request, desk, JOB_OUTPUTS, encode)

    @get("/{pk:int}", opt={"action": "job_outputs_retrieve"}, operation_id="job_outputs_retrieve")
    async def retrieve(self, pk: FromPath[int], desk: NamedDependency[Desk]) -> Response[OutputOut]:
        """Show an output, hidden or not."""
        return Response(output_out(await _found(desk, pk)))

    @delete("/{pk:int}", opt={"action": "job_outputs_destroy"}, operation_id="job_outputs_destroy")
    async def destroy(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> None:
        """Hide an output; again is no change."""
        output = await _found(desk, pk)
        actor = actor_of(request.scope)
        await desk.ledger.execute(c.RemoveOutput(actor=actor, job=output.job, output=pk))

    @delete(
        "/{pk:int}/hard",
        opt={"action": "job_outputs_hard_delete"},
        operation_id="job_outputs_hard_delete",
        status_code=200,
    )
    async def hard_delete(
        self,
        request: AnyRequest,
        pk: FromPath[int],
        desk: NamedDependency[Desk],
        store: NamedDependency[OutputStore],
    ) -> Response[OutputOut]:
        """Remove an output for good; answers with what it was."""
        output = await _found(desk, pk)
        actor = actor_of(request.scope)
        answer = await executed(desk, c.HardDeleteOutput(actor=actor, job=output.job, output=pk))
        await forget(desk.engine, store, [output])
        return answer

    @delete(
        "/{pk:int}/reinstate",
        opt={"action": "job_outputs_reinstate"},
        operation_id="job_outputs_reinstate",
        status_code=200,
    )
    async def reinstate(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[OutputOut]:
        """Bring a hidden output back; again is no change. 409 if its name was taken since."""
        output = await _found(desk, pk)
        actor = actor_of(request.scope)
        return await executed(desk, c.ReinstateOutput(actor=actor, job=output.job, output=pk))

    @post(
        "/{pk:int}/download",
        opt={"action": "job_outputs_download"},
        operation_id="job_outputs_download",
        status_code=200,
        media_type=MEDIA_TYPE,
    )
    async def download(
        self,
        request: AnyRequest,
        pk: FromPath[int],
        desk: NamedDependency[Desk],
        store: NamedDependency[OutputStore],
    ) -> Response[bytes]:
        """Download an output as ``NAME.FILETYPE``; a hidden one is an administrator's to see."""
        output = await _found(desk, pk)
        if output.deleted_us is not None and not actor_of(request.scope).is_admin:
            raise NotFound(f"there is no output {pk}")
        asked = await bodies.read(request, DownloadIn)
        filetype = output.type if asked.filetype is None else asked.filetype
        return await answer_whole(store, output, f"{output.name}.{filetype}")

    @post(
        "/create",
        opt={"action": "job_outputs_create"},
        operation_id="job_outputs_create",
        status_code=200,
    )
    async def create(self) -> None:
        """Refuse: outputs are uploaded to their job."""
        raise Forbidden(NOT_THIS_WAY)

    @put("/{pk:int}", opt={"action": "job_outputs_update"}, operation_id="job_outputs_update")
    async def update(self, pk: FromPath[int]) -> None:
        """Refuse: outputs are never changed."""
        del pk
        raise Forbidden(NOT_THIS_WAY)

    @patch(
        "/{pk:int}",
        opt={"action": "job_outputs_partial_update"},
        operation_id="job_outputs_partial_update",
    )
    async def partial_update(self, pk: FromPath[int]) -> None:
        """Refuse: outputs are never changed."""
        del pk
        raise Forbidden(NOT_THIS_WAY)


async def _found(desk: Desk, pk: int) -> OutputRow:
    return found(await outputs.get(desk.engine, pk), "output", pk)
