"""Job templates: kinds of work. A row never changes; PUT and PATCH make the next version."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec.structs import replace

from hub import clock
from hub.api import bodies
from hub.api.desk import Desk
from hub.api.job_view import ENCODER, iso, maybe_iso
from hub.api.jobs import AnyRequest
from hub.api.lists import answer_list
from hub.auth.guard import actor_of
from hub.errors import Forbidden, NotFound
from hub.lifecycle.catalogue import TemplateExists, TemplateInUse
from hub.lifecycle.commands import Actor
from hub.lifecycle.templates import first, successor
from hub.wire.templates import TemplateChange, TemplateIn, TemplateOut
from orm.errors import NotUnique, StillReferenced
from orm.filters.fields import JOB_TEMPLATES as LISTED
from orm.queries import templates
from orm.queries.templates import TemplateRow
from orm.rows import AuditEntry


class JobTemplatesController(Controller):
    """``/v1/job-templates``."""

    path = "/v1/job-templates"
    tags = ("job templates",)

    @post(
        "/list",
        opt={"action": "job_templates_list"},
        operation_id="job_templates_list",
        status_code=200,
    )
    async def list_templates(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[list[TemplateOut]]:
        """List job templates that match a filter."""

        async def encode(pks: Sequence[int]) -> list[bytes]:
            return [ENCODER.encode(out(row)) for row in await templates.some(desk.engine, pks)]

        return await answer_list(request, desk, LISTED, encode)

    @post(opt={"action": "job_templates_declare"}, operation_id="job_templates_declare")
    async def declare(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[TemplateOut]:
        """Declare a template, or the next version of one."""
        draft = first(await bodies.read(request, TemplateIn))
        return await _store(desk, actor_of(request.scope), "declare", draft)

    @post("/create", opt={"action": "job_templates_create"}, operation_id="job_templates_create")
    async def create(self) -> Response[TemplateOut]:
        """Refuse: UFDL's templates are imported, others are declared."""
        raise Forbidden("nobody creates job templates here: POST /v1/job-templates declares one")

    @get(
        "/{pk:int}", opt={"action": "job_templates_retrieve"}, operation_id="job_templates_retrieve"
    )
    async def retrieve(
        self, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[TemplateOut]:
        """Show a template, deleted or not."""
        return Response(out(await existing(desk, pk)))

    @put(
        "/{pk:int}",
        opt={"action": "job_templates_update"},
        operation_id="job_templates_update",
        status_code=201,
    )
    async def update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[TemplateOut]:
        """Make the next version; what is not sent has its default."""
        return await _succeed(request, desk, pk, is_partial=False)

    @patch(
        "/{pk:int}",
        opt={"action": "job_templates_partial_update"},
        operation_id="job_templates_partial_update",
        status_code=201,
    )
    async def partial_update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[TemplateOut]:
        """Make the next version; what is not sent is taken over."""
        return await _succeed(request, desk, pk, is_partial=True)

    @delete(
        "/{pk:int}", opt={"action": "job_templates_destroy"}, operation_id="job_templates_destroy"
    )
    async def destroy(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> None:
        """Hide a template; no more jobs are made from it. Again is no change."""
        note = _noted(actor_of(request.scope), "destroy")
        if await templates.mark(desk.engine, pk, note, clock.wall_us(), is_deleted=True) is None:
            raise _missing(pk)

    @delete(
        "/{pk:int}/reinstate",
        opt={"action": "job_templates_reinstate"},
        operation_id="job_templates_reinstate",
        status_code=200,
    )
    async def reinstate(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[TemplateOut]:
        """Bring a hidden template back; again is no change."""
        note = _noted(actor_of(request.scope), "reinstate")
        try:
            row = await templates.mark(desk.engine, pk, note, clock.wall_us(), is_deleted=False)
        except NotUnique as error:
            raise TemplateExists from error
        if row is None:
            raise _missing(pk)
        return Response(out(row))

    @delete(
        "/{pk:int}/hard",
        opt={"action": "job_templates_hard_delete"},
        operation_id="job_templates_hard_delete",
        status_code=200,
    )
    async def hard_delete(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[TemplateOut]:
        """Remove a template from which no job was made; answers with what it was."""
        note = _noted(actor_of(request.scope), "hard_delete")
        try:
            row = await templates.remove(desk.engine, pk, note, clock.wall_us())
        except StillReferenced as error:
            raise TemplateInUse from error
        if row is None:
            raise _missing(pk)
        return Response(out(row))


async def existing(desk: Desk, pk: int) -> TemplateRow:
    """Return template ``pk``, deleted or not.

    Raises:
        NotFound: there is none.
    """
    row = await templates.get(desk.engine, pk)
    if row is None:
        raise _missing(pk)
    return row


async def _succeed(
    request: AnyRequest, desk: Desk, pk: int, *, is_partial: bool
) -> Response[TemplateOut]:
    row = await existing(desk, pk)
    draft = successor(row, await bodies.read(request, TemplateChange), is_partial=is_partial)
    action = "partial_update" if is_partial else "update"
    return await _store(desk, actor_of(request.scope), action, draft)


async def _store(
    desk: Desk, actor: Actor, action: str, draft: TemplateRow
) -> Response[TemplateOut]:
    draft = replace(draft, creator=actor.account, created_us=clock.wall_us())
    try:
        row = await templates.add(desk.engine, draft, _noted(actor, action))
    except NotUnique as error:
        raise TemplateExists from error
    return Response(out(row), status_code=201)


def _noted(actor: Actor, action: str) -> Callable[[TemplateRow], list[AuditEntry]]:
    """Return what writes an act down: name and version say enough, for rows never change."""

    def note(row: TemplateRow) -> list[AuditEntry]:
        subject = msgspec.json.encode({"name": row.name, "version": row.version}).decode()
        entry = AuditEntry(
            *(actor.account, actor.session, actor.address),
            action=f"job_templates.{action}",
            object_type="job_template",
            object_pk=row.pk,
            after=subject,
        )
        return [entry]

    return note


def out(row: TemplateRow) -> TemplateOut:
    """Return a template as ``/v1`` shows it; JSON columns are spliced in as they are stored."""
    stored: dict[str, Any] = {
        name: msgspec.Raw(getattr(row, name).encode())
        for name in ("parameters", "inputs", "outputs", "labels", "requirements")
    }
    return TemplateOut(
        pk=row.pk,
        name=row.name,
        version=row.version,
        description=row.description,
        scope=row.scope,
        domain=row.domain,
        licence=row.licence,
        creator=row.creator,
        creation_time=iso(row.created_us),
        deletion_time=maybe_iso(row.deleted_us),
        type=row.contract,
        executor_class=row.executor_class,
        required_packages=row.required_packages,
        timeout_s=row.timeout_s,
        max_tries=row.max_tries,
        priority=row.priority,
        **stored,
    )


def _missing(pk: int) -> NotFound:
    return NotFound(f"there is no job template {pk}")
