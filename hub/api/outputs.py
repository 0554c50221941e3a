"""Outputs of a job by name and type: upload, download, describe, hide."""

from contextlib import aclosing
from functools import partial

from litestar import Controller, Response, delete, get, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub import clock
from hub.api.desk import CURSOR_HEADER, Desk
from hub.api.downloads import MEDIA_TYPE, answer_bytes
from hub.api.job_view import output_out
from hub.api.jobs import AnyRequest
from hub.api.late_uploads import LateUpload
from hub.api.uploads import body_of, check_key, limit_of, nobody
from hub.auth.guard import actor_of
from hub.errors import InvalidInput, NotFound
from hub.lifecycle import commands as c
from hub.lifecycle import leases, results
from hub.lifecycle.quarantine import Quarantine
from hub.lifecycle.refusals import NotYours
from hub.outputs.disposition import content_digest
from hub.outputs.store import OutputStore
from hub.settings import Settings
from hub.wire.jobs import OutputOut
from orm.queries import jobs, outputs
from orm.rows import OutputRow


class UnknownOutput(InvalidInput):
    """The job has no output by this name and type. UFDL answers 400 here, not 404."""

    code = "unknown_output"


class OutputsController(Controller):
    """One output at ``/v1/jobs/{pk}/outputs/{name}/{type}``; both are compared as texts."""

    path = "/v1/jobs/{pk:int}/outputs/{name:str}/{type_text:str}"
    tags = ("outputs",)

    @post(opt={"action": "outputs_add"}, operation_id="outputs_add", status_code=200)
    async def add(
        self,
        request: AnyRequest,
        pk: FromPath[int],
        name: FromPath[str],
        type_text: FromPath[str],
        desk: NamedDependency[Desk],
        store: NamedDependency[OutputStore],
        settings: NamedDependency[Settings],
        quarantine: NamedDependency[Quarantine],
    ) -> Response[OutputOut]:
        """Upload an output: the body is its bytes, of any type and length.

        The same bytes again are no change; other bytes under the same name and type are 409. A
        ``Content-Digest`` with a sha-256 is checked. A cut upload leaves nothing behind. What a
        node sends that has lost the job is refused, and kept apart for an administrator.
        """
        actor = actor_of(request.scope)
        results.check_may_ever_add(actor)
        before = await desk.brief(pk)
        late = LateUpload(quarantine, actor, pk, name, type_text)
        if results.is_too_late(before, actor):
            raise await late.refused(request, store)
        if not leases.may_return(before, actor.node):
            results.check_may_add(before, actor, clock.wall_us())
        check_key(name, type_text)
        digest = content_digest(",".join(request.headers.getall("content-digest", [])))
        limit = limit_of(request, settings)
        heard = partial(desk.ledger.heard, actor, pk) if actor.node is not None else nobody
        async with aclosing(body_of(request, heard)) as chunks:
            stored = await store.receive(chunks, limit_bytes=limit, expected_sha256=digest)
        command = c.AddOutput(
            actor=actor,
            job=pk,
            name=name,
            type=type_text,
            sha256=stored.sha256,
            size=stored.size,
            run=results.run_of(before),
        )
        try:
            return await executed(desk, command)
        except NotYours as refusal:  # the job changed hands while the bytes came
            raise await late.refused_after(stored, refusal) from refusal

    @get(
        opt={"action": "outputs_get"},
        operation_id="outputs_get",
        media_type=MEDIA_TYPE,
    )
    async def download(
        self,
        request: AnyRequest,
        pk: FromPath[int],
        name: FromPath[str],
        type_text: FromPath[str],
        desk: NamedDependency[Desk],
        store: NamedDependency[OutputStore],
    ) -> Response[bytes]:
        """Download an output, or with ``Range`` a part of it."""
        output = await _shown(desk, pk, name, type_text)
        return await answer_bytes(request, store, output, output.name)

    @route(
        http_method="HEAD",
        opt={"action": "outputs_head"},
        operation_id="outputs_head",
        media_type=MEDIA_TYPE,
        status_code=200,
    )
    async def head(
        self,
        request: AnyRequest,
        pk: FromPath[int],
        name: FromPath[str],
        type_text: FromPath[str],
        desk: NamedDependency[Desk],
        store: NamedDependency[OutputStore],
    ) -> Response[bytes]:
        """Say what a download would bring."""
        output = await _shown(desk, pk, name, type_text)
        return await answer_bytes(request, store, output, output.name)

    @get("/info", opt={"action": "outputs_info"}, operation_id="outputs_info")
    async def info(
        self,
        pk: FromPath[int],
        name: FromPath[str],
        type_text: FromPath[str],
        desk: NamedDependency[Desk],
    ) -> Response[OutputOut]:
        """Describe an output."""
        return Response(output_out(await _shown(desk, pk, name, type_text)))

    @delete(opt={"action": "outputs_delete"}, operation_id="outputs_delete", status_code=200)
    async def remove(
        self,
        request: AnyRequest,
        pk: FromPath[int],
        name: FromPath[str],
        type_text: FromPath[str],
        desk: NamedDependency[Desk],
    ) -> Response[OutputOut]:
        """Hide an output; its name is free for another one then."""
        output = await _shown(desk, pk, name, type_text)
        actor = actor_of(request.scope)
        return await executed(desk, c.RemoveOutput(actor=actor, job=pk, output=output.pk))


async def _shown(desk: Desk, pk: int, name: str, type_text: str) -> OutputRow:
    """Return the output that the job shows under this name and type.

    Raises:
        NotFound: there is no such job.
        UnknownOutput: there is, but no such output.
    """
    check_key(name, type_text)
    output = await outputs.visible(desk.engine, pk, name, type_text)
    if output is not None:
        return output
    if await jobs.brief(desk.engine, pk) is None:
        raise NotFound(f"there is no job {pk}")
    raise UnknownOutput(
        f"Bad name '{name}': Job has no output by this name/type ({name}/{type_text})"
    )


async def executed(desk: Desk, command: c.Command) -> Response[OutputOut]:
    """Return the answer to a command about an output: the output after it."""
    outcome = await desk.ledger.execute(command)
    assert outcome.output is not None
    return Response(output_out(outcome.output), headers={CURSOR_HEADER: desk.cursor(outcome.gseq)})
