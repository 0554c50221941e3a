"""New jobs: from a template, with values that its interface accepts."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from litestar import Controller, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from hub.api import bodies
from hub.api.desk import Desk
from hub.api.graph_submission import with_members
from hub.api.job_templates import existing
from hub.api.jobs import AnyRequest
from hub.auth.guard import actor_of
from hub.errors import Forbidden, InvalidInput, NotFound
from hub.lifecycle import commands as c
from hub.lifecycle.catalogue import NoChildren, TemplateDeleted
from hub.lifecycle.interface import Bound, Interface, TypedValue, bind, bind_plain
from hub.lifecycle.notifications import stored
from hub.lifecycle.templates import check_labels, interface_of
from hub.lifecycle.types import NONE_REGISTERED, UnknownType, legible
from hub.wire.jobs import LABELS_MAX, CreateJobIn, JobIn, JobOut, ValueOut
from orm.errors import StillReferenced
from orm.queries import templates
from orm.queries.named_classes import JOB_TYPES
from orm.queries.templates import TemplateRow
from orm.rows import SpecRow

BARE_OR_TYPED = "Send inputs and parameters, or input_values and parameter_values, not both."
TOO_MANY_LABELS = f"With those of its template the job has more than {LABELS_MAX} labels."
VERSION_OF_NAME = "A version goes with the name of a template, not with its number."

AT_ONCE_BYTES = 65_536
"""Values of a larger body are checked in a thread, beside the calls of others."""

Rule = Callable[[frozenset[str]], Bound]
"""Checks the values of a job, given the names of the types that users registered."""


class SubmissionController(Controller):
    """The routes that make jobs."""

    path = "/v1"
    tags = ("jobs",)

    @post("/jobs", opt={"action": "jobs_submit"}, operation_id="jobs_submit")
    async def submit(self, request: AnyRequest, desk: NamedDependency[Desk]) -> Response[JobOut]:
        """Make a job from a template by number or name."""
        body = await bodies.raw_body(request)
        asked = bodies.parse(body or b"{}", JobIn)
        bodies.storable(asked.description, "description")
        check_labels("labels", asked.labels)
        template = _usable(await _named(desk, asked))
        bound = await _bound(desk, body, partial(bound_values, asked, interface_of(template)))
        command = _command(request, desk, template, bound, asked.description)
        if template.graph is not None:
            command = await with_members(desk, command, template, bound, {})
        return await _make(desk, _as_asked(command, asked), 201)

    @post("/jobs/create", opt={"action": "jobs_create"}, operation_id="jobs_create")
    async def create(self) -> Response[JobOut]:
        """Refuse, as UFDL does."""
        raise Forbidden("nobody creates jobs this way: POST /v1/jobs, or a template's create-job")

    @post(
        "/job-templates/{pk:int}/create-job",
        opt={"action": "job_templates_create_job"},
        operation_id="job_templates_create_job",
        status_code=200,
    )
    async def create_job(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[JobOut]:
        """Make a job from this template, with typed values."""
        template = await existing(desk, pk)
        body = await bodies.raw_body(request)
        asked = bodies.parse(body or b"{}", CreateJobIn)
        bodies.storable(asked.description, "description")
        override = asked.notification_override
        notifications = None if override is None else stored(override)
        template = _usable(template)
        overrides = asked.child_notification_overrides
        if overrides is not None and template.graph is None:
            raise NoChildren
        values = _typed(asked.input_values), _typed(asked.parameter_values or {})
        bound = await _bound(desk, body, partial(bind, interface_of(template), *values))
        command = _command(request, desk, template, bound, asked.description)
        command = replace(command, notifications=notifications)
        if template.graph is not None:
            command = await with_members(desk, command, template, bound, overrides or {})
        return await _make(desk, command, 200)


def bound_values(asked: JobIn, interface: Interface, registered: frozenset[str]) -> Bound:
    """Return the values of a job, checked, in whichever of the two forms they came.

    Raises:
        InvalidInput: both forms at once, or a parameter is missing.
        BadType: a type cannot be read.
        ValuesRefused: the interface does not take them.
    """
    is_bare = asked.inputs is not UNSET or asked.parameters is not UNSET
    is_typed = asked.input_values is not UNSET or asked.parameter_values is not UNSET
    if is_bare and is_typed:
        raise InvalidInput(BARE_OR_TYPED, fields={"non_field_errors": [BARE_OR_TYPED]})
    if is_typed:
        values = _typed(_or_none(asked.input_values)), _typed(_or_none(asked.parameter_values))
        return bind(interface, *values, registered)
    return bind_plain(interface, _or_none(asked.inputs), _or_none(asked.parameters))


async def _bound(desk: Desk, body: bytes, rule: Rule) -> Bound:
    """Return what ``rule`` gives; only for a type that is not built in a query is made.

    Raises:
        HubError: what ``rule`` refuses.
    """
    try:
        return await _beside(body, rule, NONE_REGISTERED)
    except UnknownType:
        return await _beside(body, rule, await JOB_TYPES.registered(desk.engine))


async def _beside(body: bytes, rule: Rule, registered: frozenset[str]) -> Bound:
    """Return what ``rule`` gives; a large body must not make everybody wait for it."""
    if len(body) <= AT_ONCE_BYTES:
        return rule(registered)
    return await asyncio.to_thread(rule, registered)


def _or_none(values: dict[str, Any] | UnsetType) -> dict[str, Any]:
    return {} if isinstance(values, UnsetType) else values


def _typed(values: Mapping[str, ValueOut]) -> dict[str, TypedValue]:
    return {name: TypedValue(given.value, given.type) for name, given in values.items()}


async def _named(desk: Desk, asked: JobIn) -> TemplateRow:
    if isinstance(asked.template, int):
        if asked.version is not None:
            raise InvalidInput(VERSION_OF_NAME, fields={"version": [VERSION_OF_NAME]})
        return await existing(desk, asked.template)
    bodies.storable(asked.template, "template")
    row = await templates.by_name(desk.engine, asked.template, asked.version)
    if row is None:
        version = "" if asked.version is None else f" version {asked.version}"
        raise NotFound(f"there is no job template '{legible(asked.template)}'{version}")
    return row


def _usable(template: TemplateRow) -> TemplateRow:
    """Return a template from which jobs can be made.

    Raises:
        TemplateDeleted: it is deleted.
    """
    if template.deleted_us is not None:
        raise TemplateDeleted
    return template


def _command(
    request: AnyRequest, desk: Desk, template: TemplateRow, bound: Bound, description: str
) -> c.Create:
    return c.Create(
        actor=actor_of(request.scope),
        template=template.pk,
        priority=template.priority,
        max_tries=template.max_tries,
        silence_s=template.silence_s or desk.lost_after_s,
        timeout_s=template.timeout_s,
        description=description,
        labels=template.labels,
        inputs=_json(bound.inputs),
        parameters=_json(bound.parameters),
    )


def _as_asked(command: c.Create, asked: JobIn) -> c.Create:
    """Return a command with the priority and the labels that the job, and its members, shall have.

    Raises:
        InvalidInput: there would be too many labels.
    """
    return replace(
        command,
        priority=command.priority if asked.priority is None else asked.priority,
        labels=_labels(command, asked),
        members=tuple(
            replace(
                member,
                priority=member.priority if asked.priority is None else asked.priority,
                labels=_labels(member, asked),
            )
            for member in command.members
        ),
    )


def _labels(made_from: c.Create | c.Member, asked: JobIn) -> str:
    if not asked.labels:
        return made_from.labels
    labels = {**msgspec.json.decode(made_from.labels), **asked.labels}
    if len(labels) > LABELS_MAX:
        raise InvalidInput(TOO_MANY_LABELS, fields={"labels": [TOO_MANY_LABELS]})
    return _json(labels)


async def _make(desk: Desk, command: c.Create, status: int) -> Response[JobOut]:
    try:
        outcome = await desk.ledger.execute(command)
    except StillReferenced as error:
        raise NotFound(f"there is no job template {command.template} any more") from error
    # The answer, and the calls of the node that takes the job, then need not read this back.
    desk.views.remember(SpecRow(outcome.job.pk, command.inputs, command.parameters))
    return await desk.answer(outcome, status)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
