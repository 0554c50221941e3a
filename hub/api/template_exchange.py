"""Templates from one hub to another: what an export gives, an import takes."""

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec.structs import replace

from hub.api import bodies
from hub.api.desk import Desk
from hub.api.job_templates import REMOVED, addition_of, existing, out, template_note
from hub.api.jobs import AnyRequest
from hub.auth.guard import actor_of
from hub.errors import InvalidInput
from hub.lifecycle.catalogue import TemplateExists
from hub.lifecycle.commands import Actor
from hub.lifecycle.exporting import form_of
from hub.lifecycle.importing import (
    BadTemplate,
    Names,
    Specific,
    check_form,
    child_of,
    judged,
    row_of,
    specific_of,
)
from hub.lifecycle.template_graphs import Child
from hub.lifecycle.types import legible
from hub.wire.imports import GraphForm, NodeForm, TemplateForm
from hub.wire.templates import TemplateOut
from orm.errors import NotUnique, StillReferenced
from orm.queries import templates
from orm.queries.domains import domain_named
from orm.queries.licences import LICENCES, licence_named
from orm.queries.named_classes import JOB_CONTRACTS, JOB_TYPES
from orm.queries.templates import TemplateRow


class TemplateExchangeController(Controller):
    """The routes by which templates come and go."""

    path = "/v1/job-templates"
    tags = ("job templates",)

    @post(
        "/import",
        opt={"action": "job_templates_import"},
        operation_id="job_templates_import",
        status_code=200,
    )
    async def import_template(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[TemplateOut]:
        """Import a template. With a version, it takes the place of the active one of that version.

        Without one it is the version after the highest active one. If anything is wrong, nothing
        changes.
        """
        body = await bodies.raw_body(request)
        with judged():
            form = bodies.parse(body or b"{}", TemplateForm)
            specific = specific_of(form)
            check_form(form, specific)
            names = await _names(desk, form, specific)
            draft = row_of(form, specific, names)
        return Response(out(await _store(desk, actor_of(request.scope), draft, names.types)))

    @get(
        "/{pk:int}/export",
        opt={"action": "job_templates_export"},
        operation_id="job_templates_export",
    )
    async def export(
        self, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[TemplateForm]:
        """Show a template as an import takes it."""
        row = await existing(desk, pk)
        licence = None if row.licence is None else await LICENCES.get(desk.engine, row.licence)
        return Response(form_of(row, licence.name if licence else None))


async def _store(
    desk: Desk, actor: Actor, draft: TemplateRow, registered: frozenset[str]
) -> TemplateRow:
    addition = replace(
        addition_of(actor, "import", draft, registered), note_hidden=template_note(actor, "replace")
    )
    try:
        return await templates.add(desk.engine, addition)
    except NotUnique as error:
        raise TemplateExists from error
    except StillReferenced as error:
        raise BadTemplate(f"Bad job template: {REMOVED}") from error


async def _names(desk: Desk, form: TemplateForm, specific: Specific) -> Names:
    return Names(
        licence=await _licence(desk, form),
        domain=await _domain(desk, form),
        children=await _children(desk, specific) if isinstance(specific, GraphForm) else {},
        types=await JOB_TYPES.registered(desk.engine),
        contracts=await JOB_CONTRACTS.registered(desk.engine),
    )


async def _licence(desk: Desk, form: TemplateForm) -> int | None:
    if not isinstance(form.licence, str):
        return None
    row = await licence_named(desk.engine, form.licence)
    if row is None:
        raise _unknown("licence", form.licence)
    return row.pk


async def _domain(desk: Desk, form: TemplateForm) -> str | None:
    if not isinstance(form.domain, str):
        return None
    if await domain_named(desk.engine, form.domain) is None:
        raise _unknown("domain", form.domain)
    return form.domain


def _unknown(member: str, name: str) -> InvalidInput:
    detail = f"there is no {member} '{legible(name)}'"
    return InvalidInput(detail, fields={member: [detail]})


async def _children(desk: Desk, graph: GraphForm) -> dict[str, Child]:
    """Return the templates of a graph's nodes: each is looked up once, however often it is used."""
    found: dict[tuple[str, int | None], Child] = {}
    children = {}
    for name, node in graph.nodes.items():
        key = node.name, node.version or None
        if key not in found:
            found[key] = child_of(await _template(desk, node))
        children[name] = found[key]
    return children


async def _template(desk: Desk, node: NodeForm) -> TemplateRow:
    row = await templates.by_name(desk.engine, node.name, node.version or None)
    if row is None:
        version = f" version {node.version}" if node.version else ""
        raise InvalidInput(f"there is no job template '{legible(node.name)}'{version}")
    return row
