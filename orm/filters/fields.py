"""Which fields a filter may name, resource by resource, and how each is reached.

What is not listed here cannot be filtered or sorted by: no password hash, no token, no walk through
relations. Stored times are microseconds; filters say them in ISO 8601.
"""

from collections.abc import Mapping
from enum import Enum, auto

import msgspec
from piccolo.columns import Column
from piccolo.querystring import QueryString

from orm.tables import Hardware, Job, JobTemplate, JobType, Node, Output, User


class Kind(Enum):
    """What values a field has. A reference is an ``INT``: the pk of what it refers to."""

    TEXT = auto()
    INT = auto()
    NUMBER = auto()
    TIME = auto()
    BOOL = auto()


ALWAYS = QueryString("TRUE")


class Relation(msgspec.Struct, frozen=True, eq=False):
    """How rows of ``table`` belong to a row of the resource: ``theirs`` equal ``ours``.

    Both are one column, or several with commas; ``only`` says which rows of ``table`` count.
    """

    table: str
    ours: QueryString
    theirs: QueryString
    only: QueryString = ALWAYS

    def having(self, condition: QueryString) -> QueryString:
        """Return the condition that a related row meets ``condition``; it never multiplies rows."""
        rows = f'"{self.table}"'
        return QueryString(
            "({}) IN (SELECT {} FROM " + rows + " WHERE {} AND {})",
            *(self.ours, self.theirs, self.only, condition),
        )

    def least(self, value: QueryString) -> QueryString:
        """Return a key to sort by: the smallest ``value`` of the related rows, null without any."""
        rows = f'"{self.table}"'
        return QueryString(
            "(SELECT min({}) FROM " + rows + " WHERE ({}) = ({}) AND {})",
            *(value, self.theirs, self.ours, self.only),
        )


class Field(msgspec.Struct, frozen=True, eq=False):
    """A kind, and SQL for the value: in the resource's own row, or in a related one, ``via``."""

    kind: Kind
    value: QueryString
    via: Relation | None = None


class Resource(msgspec.Struct, frozen=True, eq=False):
    """What one list call lists.

    ``active`` is the condition of the rows that are listed unless inactive ones are asked for;
    ``order`` the columns they are sorted by unless something else is asked for.
    """

    name: str
    table: str
    pk: QueryString
    fields: Mapping[str, Field]
    active: QueryString | None = None
    order: tuple[QueryString, ...] = ()


def _column(column: Column) -> QueryString:
    return QueryString("{}", column)


def _is_null(column: Column) -> QueryString:
    return QueryString("{} IS NULL", column)


def _field(kind: Kind, column: Column, via: Relation | None = None) -> Field:
    return Field(kind, _column(column), via)


def _text(column: Column, via: Relation | None = None) -> Field:
    return _field(Kind.TEXT, column, via)


def _int(column: Column, via: Relation | None = None) -> Field:
    return _field(Kind.INT, column, via)


def _time(column: Column) -> Field:
    return _field(Kind.TIME, column)


def _numbered(pk: Column) -> dict[str, Field]:
    return {"pk": _int(pk), "id": _int(pk)}


def _account(reference: Column) -> dict[str, Field]:
    account = Relation("users", _column(reference), _column(User.pk))
    return {"creator": _int(reference), "creator.username": _text(User.username, account)}


_TEMPLATE = Relation("job_templates", _column(Job.template), _column(JobTemplate.pk))
_NODE = Relation("nodes", _column(Job.node), _column(Node.pk))
_SHOWN_OUTPUTS = Relation(
    "outputs",
    ours=QueryString("{}, {}", Job.pk, Job.attempt),
    theirs=QueryString("{}, {}", Output.job, Output.attempt),
    only=_is_null(Output.deleted_us),
)
# Without an executor class a template has nothing that a UFDL worker could run.
_WORKABLE = QueryString(
    "CASE WHEN {} IS NOT NULL THEN {} END", JobTemplate.executor_class, JobTemplate.pk
)
_NOTHING = QueryString("CAST(NULL AS BIGINT)")

JOBS = Resource(
    "jobs",
    "jobs",
    _column(Job.pk),
    _numbered(Job.pk)
    | _account(Job.creator)
    | {
        "description": _text(Job.description),
        "status": _text(Job.status),
        "priority": _int(Job.priority),
        "attempt": _int(Job.attempt),
        "parent": _int(Job.parent),
        "progress_amount": _field(Kind.NUMBER, Job.progress),
        "error_reason": _text(Job.error),
        "creation_time": _time(Job.created_us),
        "queued_time": _time(Job.queued_us),
        "start_time": _time(Job.start_us),
        "end_time": _time(Job.end_us),
        "deletion_time": _time(Job.deleted_us),
        "node": _int(Job.node),
        "node.ip": _text(Node.ip, _NODE),
        "node.index": _int(Node.index, _NODE),
        "template": _int(Job.template),
        "template.name": _text(JobTemplate.name, _TEMPLATE),
        "template.version": _int(JobTemplate.version, _TEMPLATE),
        "template.type": _text(JobTemplate.contract, _TEMPLATE),
        "template.domain": _text(JobTemplate.domain, _TEMPLATE),
        "template.workabletemplate": Field(Kind.INT, _WORKABLE, _TEMPLATE),
        "template.metatemplate": Field(Kind.INT, _NOTHING, _TEMPLATE),
        "outputs.name": _text(Output.name, _SHOWN_OUTPUTS),
        "outputs.type": _text(Output.type, _SHOWN_OUTPUTS),
    },
    active=_is_null(Job.deleted_us),
    order=(_column(Job.priority),),
)

JOB_OUTPUTS = Resource(
    "job outputs",
    "outputs",
    _column(Output.pk),
    _numbered(Output.pk)
    | _account(Output.creator)
    | {
        "job": _int(Output.job),
        "name": _text(Output.name),
        "type": _text(Output.type),
        "creation_time": _time(Output.created_us),
        "deletion_time": _time(Output.deleted_us),
    },
    # As a job shows them: a new attempt leaves the former one's outputs behind.
    active=QueryString(
        '{} IS NULL AND EXISTS (SELECT 1 FROM "jobs" WHERE {} = {} AND {} = {})',
        *(Output.deleted_us, Job.pk, Output.job, Job.attempt, Output.attempt),
    ),
)

JOB_TYPES = Resource(
    "job types",
    "job_types",
    _column(JobType.pk),
    _numbered(JobType.pk)
    | {"name": _text(JobType.name), "pkg": _text(JobType.pkg), "cls": _text(JobType.cls)},
)

JOB_TEMPLATES = Resource(
    "job templates",
    "job_templates",
    _column(JobTemplate.pk),
    _numbered(JobTemplate.pk)
    | _account(JobTemplate.creator)
    | {
        "name": _text(JobTemplate.name),
        "version": _int(JobTemplate.version),
        "description": _text(JobTemplate.description),
        "scope": _text(JobTemplate.scope),
        "domain": _text(JobTemplate.domain),
        "licence": _text(JobTemplate.licence),
        "type": _text(JobTemplate.contract),
        "executor_class": _text(JobTemplate.executor_class),
        "required_packages": _text(JobTemplate.required_packages),
        "workabletemplate": Field(Kind.INT, _WORKABLE),
        "metatemplate": Field(Kind.INT, _NOTHING),
        "creation_time": _time(JobTemplate.created_us),
        "deletion_time": _time(JobTemplate.deleted_us),
    },
    active=_is_null(JobTemplate.deleted_us),
)

_GENERATION = Relation("hardware", _column(Node.hardware_generation), _column(Hardware.pk))
# What a node shows as its current job, see ``orm.queries.nodes``.
_CURRENT_JOB = Relation(
    "jobs",
    ours=_column(Node.pk),
    theirs=_column(Job.node),
    only=QueryString(
        "{} IS NOT NULL AND {} IN ('RUNNING', 'CANCELED')", Job.slot_until_us, Job.status
    ),
)

NODES = Resource(
    "nodes",
    "nodes",
    _column(Node.pk),
    _numbered(Node.pk)
    | {
        "ip": _text(Node.ip),
        "index": _int(Node.index),
        "driver_version": _text(Node.driver_version),
        "hardware_generation": _int(Node.hardware_generation),
        "hardware_generation.generation": _text(Hardware.generation, _GENERATION),
        "gpu_mem": _int(Node.gpu_mem),
        "cpu_mem": _int(Node.cpu_mem),
        "last_seen": _time(Node.last_seen_us),
        "current_job": _int(Job.pk, _CURRENT_JOB),
    },
)

HARDWARE = Resource(
    "hardware",
    "hardware",
    _column(Hardware.pk),
    _numbered(Hardware.pk)
    | {
        "generation": _text(Hardware.generation),
        "min_compute_capability": _field(Kind.NUMBER, Hardware.min_compute_capability),
        "max_compute_capability": _field(Kind.NUMBER, Hardware.max_compute_capability),
    },
)

_IS_ADMIN = QueryString("({} = 'admin')", User.role)
_IS_ACTIVE = QueryString("({} IS NULL)", User.disabled_us)

USERS = Resource(
    "users",
    "users",
    _column(User.pk),
    _numbered(User.pk)
    | {
        "username": _text(User.username),
        "first_name": _text(User.first_name),
        "last_name": _text(User.last_name),
        "email": _text(User.email),
        "role": _text(User.role),
        "is_staff": Field(Kind.BOOL, _IS_ADMIN),
        "is_superuser": Field(Kind.BOOL, _IS_ADMIN),
        "is_active": Field(Kind.BOOL, _IS_ACTIVE),
        "last_login": _time(User.last_login_us),
        "date_joined": _time(User.joined_us),
    },
    active=_IS_ACTIVE,
)
