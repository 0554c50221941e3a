"""Which fields a filter may name, resource by resource, and how each is reached.

What is not listed here cannot be filtered or sorted by: no password hash, no token, no walk through
relations. Stored times are microseconds; filters say them in ISO 8601.
"""

from collections.abc import Mapping
from enum import Enum, auto

import msgspec
from piccolo.columns import Column
from piccolo.querystring import QueryString

from orm.tables import (
    CudaVersion,
    DockerImage,
    Domain,
    Framework,
    Hardware,
    Job,
    JobContract,
    JobTemplate,
    JobType,
    Licence,
    Node,
    Output,
    User,
)


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
_META = QueryString("CASE WHEN {} IS NOT NULL THEN {} END", JobTemplate.graph, JobTemplate.pk)

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
        "template.metatemplate": Field(Kind.INT, _META, _TEMPLATE),
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

JOB_CONTRACTS = Resource(
    "job contracts",
    "job_contracts",
    _column(JobContract.pk),
    _numbered(JobContract.pk)
    | {
        "name": _text(JobContract.name),
        "pkg": _text(JobContract.pkg),
        "cls": _text(JobContract.cls),
    },
)

_OF_LICENCE = Relation("licences", _column(JobTemplate.licence), _column(Licence.pk))

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
        "licence": _int(JobTemplate.licence),
        "licence.name": _text(Licence.name, _OF_LICENCE),
        "type": _text(JobTemplate.contract),
        "executor_class": _text(JobTemplate.executor_class),
        "required_packages": _text(JobTemplate.required_packages),
        "workabletemplate": Field(Kind.INT, _WORKABLE),
        "metatemplate": Field(Kind.INT, _META),
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

CUDA = Resource(
    "CUDA versions",
    "cuda_versions",
    _column(CudaVersion.pk),
    _numbered(CudaVersion.pk)
    | {
        "version": _text(CudaVersion.version),
        "full_version": _text(CudaVersion.full_version),
        "min_driver_version": _text(CudaVersion.min_driver_version),
    },
)

FRAMEWORKS = Resource(
    "frameworks",
    "frameworks",
    _column(Framework.pk),
    _numbered(Framework.pk) | {"name": _text(Framework.name), "version": _text(Framework.version)},
)

DOMAINS = Resource(
    "domains",
    "domains",
    _column(Domain.pk),
    _numbered(Domain.pk) | {"name": _text(Domain.name), "description": _text(Domain.description)},
)

LICENCES = Resource(
    "licences",
    "licences",
    _column(Licence.pk),
    _numbered(Licence.pk) | {"name": _text(Licence.name), "url": _text(Licence.url)},
)

_CUDA = Relation("cuda_versions", _column(DockerImage.cuda_version), _column(CudaVersion.pk))
_FRAMEWORK = Relation("frameworks", _column(DockerImage.framework), _column(Framework.pk))
_DOMAIN = Relation("domains", _column(DockerImage.domain), _column(Domain.pk))
_LICENCE = Relation("licences", _column(DockerImage.licence), _column(Licence.pk))
_LEAST_GENERATION = Relation(
    "hardware", _column(DockerImage.min_hardware_generation), _column(Hardware.pk)
)

DOCKER = Resource(
    "docker images",
    "docker_images",
    _column(DockerImage.pk),
    # Neither user name nor password of the registry: who may not see them could guess them.
    _numbered(DockerImage.pk)
    | {
        "name": _text(DockerImage.name),
        "version": _text(DockerImage.version),
        "url": _text(DockerImage.url),
        "registry_url": _text(DockerImage.registry_url),
        "cuda_version": _int(DockerImage.cuda_version),
        "cuda_version.version": _text(CudaVersion.version, _CUDA),
        "cuda_version.full_version": _text(CudaVersion.full_version, _CUDA),
        "framework": _int(DockerImage.framework),
        "framework.name": _text(Framework.name, _FRAMEWORK),
        "framework.version": _text(Framework.version, _FRAMEWORK),
        "domain": _int(DockerImage.domain),
        "domain.name": _text(Domain.name, _DOMAIN),
        "domain.description": _text(Domain.description, _DOMAIN),
        "min_hardware_generation": _int(DockerImage.min_hardware_generation),
        "min_hardware_generation.generation": _text(Hardware.generation, _LEAST_GENERATION),
        "cpu": Field(Kind.BOOL, QueryString("({} = 1)", DockerImage.cpu)),
        "licence": _int(DockerImage.licence),
        "licence.name": _text(Licence.name, _LICENCE),
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
