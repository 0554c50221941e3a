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
from hub.api.found import found
from hub.api.job_view import ENCODER, iso, maybe_iso
from hub.api.jobs import AnyRequest
from hub.api.lists import answer_list
from hub.auth.guard import actor_of
from hub.errors import Forbidden, InvalidInput
from hub.lifecycle.auditing import entry
from hub.lifecycle.catalogue import TemplateExists, TemplateInUse
from hub.lifecycle.commands import Actor
from hub.lifecycle.named_classes import contracts_of, types_of
from hub.lifecycle.template_graphs import templates_in
from hub.lifecycle.templates import first, successor
from hub.wire.templates import TemplateChange, TemplateIn, TemplateOut
from orm.errors import NotUnique, StillReferenced
from orm.filters.fields import JOB_TEMPLATES as LISTED
from orm.queries import templates
from orm.queries.named_classes import JOB_TYPES
from orm.queries.templates import Addition, TemplateRow
from orm.rows import AuditEntry

REMOVED = "what it names (a licence, type, contract or child) was removed in this moment"


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
        sent = await bodies.read(request, TemplateIn)
        registered = await JOB_TYPES.registered(desk.engine)
        draft = first(sent, registered)
        addition = addition_of(actor_of(request.scope), "declare", draft, registered)
        return await _store(desk, addition)

    @post("/create", opt={"action": "job_templates_create"}, operation_id="job_templates_create")
    async def create(self) -> Response[TemplateOut]:
        """Refuse: UFDL's templates are imported, others are declared."""
        raise Forbidden(
            "nobody creates job templates here: POST /v1/job-templates declares one, or import it"
        )

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
        note = template_note(actor_of(request.scope), "destroy")
        _found(await templates.mark(desk.engine, pk, note, clock.wall_us(), is_deleted=True), pk)

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
        note = template_note(actor_of(request.scope), "reinstate")
        try:
            row = await templates.mark(desk.engine, pk, note, clock.wall_us(), is_deleted=False)
        except NotUnique as error:
            raise TemplateExists from error
        return Response(out(_found(row, pk)))

    @delete(
        "/{pk:int}/hard",
        opt={"action": "job_templates_hard_delete"},
        operation_id="job_templates_hard_delete",
        status_code=200,
    )
    async def hard_delete(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[TemplateOut]:
        """Remove a template that no job and no graph is made of; answers with what it was."""
        note = template_note(actor_of(request.scope), "hard_delete")
        try:
            row = await templates.remove(desk.engine, pk, note, clock.wall_us())
        except StillReferenced as error:
            raise TemplateInUse from error
        return Response(out(_found(row, pk)))


async def existing(desk: Desk, pk: int) -> TemplateRow:
    """Return template ``pk``, deleted or not.

    Raises:
        NotFound: there is none.
    """
    return _found(await templates.get(desk.engine, pk), pk)


async def _succeed(
    request: AnyRequest, desk: Desk, pk: int, *, is_partial: bool
) -> Response[TemplateOut]:
    row = await existing(desk, pk)
    sent = await bodies.read(request, TemplateChange)
    registered = await JOB_TYPES.registered(desk.engine)
    draft = successor(row, sent, registered, is_partial=is_partial)
    action = "partial_update" if is_partial else "update"
    return await _store(desk, addition_of(actor_of(request.scope), action, draft, registered))


async def _store(desk: Desk, addition: Addition) -> Response[TemplateOut]:
    try:
        row = await templates.add(desk.engine, addition)
    except NotUnique as error:
        raise TemplateExists from error
    except StillReferenced as error:
        raise InvalidInput(REMOVED) from error
    return Response(out(row), status_code=201)


def addition_of(
    actor: Actor, action: str, draft: TemplateRow, registered: frozenset[str]
) -> Addition:
    """Return a template as it is to be stored, with all that must still be there then.

    Args:
        actor: Who makes it.
        action: What the audit calls that.
        draft: The template.
        registered: The names of the types that users registered.
    """
    return Addition(
        replace(draft, creator=actor.account, created_us=clock.wall_us()),
        template_note(actor, action),
        children=templates_in(draft.graph),
        types=types_of(draft, registered),
        contracts=contracts_of(draft),
    )


def template_note(actor: Actor, action: str) -> Callable[[TemplateRow], list[AuditEntry]]:
    """Return what writes an act down: name and version say enough, for rows never change."""

    def note(row: TemplateRow) -> list[AuditEntry]:
        subject = {"name": row.name, "version": row.version}
        return [entry(actor, f"job_templates.{action}", "job_template", row.pk, after=subject)]

    return note


def out(row: TemplateRow) -> TemplateOut:
    """Return a template as ``/v1`` shows it; JSON columns are spliced in as they are stored."""
    stored: dict[str, Any] = {
        name: msgspec.Raw(getattr(row, name).encode())
        for name in ("inputs", "outputs", "labels", "requirements")
    }
    if row.graph is None:
        stored["type"] = row.contract
        stored["parameters"] = msgspec.Raw(row.parameters.encode())
        stored["executor_class"] = row.executor_class
        stored["required_packages"] = row.required_packages
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
        timeout_s=row.timeout_s,
        silence_s=row.silence_s,
        max_tries=row.max_tries,
        priority=row.priority,
        **stored,
    )


def _found(row: TemplateRow | None, pk: int) -> TemplateRow:
    return found(row, "job template", pk)
