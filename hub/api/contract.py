"""What a route's signature does not say about its call: bodies, refusals, headers; by action."""

from typing import Annotated, Any

import msgspec

from hub.api.cuda import MEMBERS as CUDA_MEMBERS
from hub.api.docker import REQUIRED as DOCKER_MEMBERS
from hub.api.frameworks import MEMBERS as FRAMEWORK_MEMBERS
from hub.api.hardware import MEMBERS as HARDWARE_MEMBERS
from hub.api.licences import REQUIRED as LICENCE_MEMBERS
from hub.api.named_classes import MEMBERS as CLASS_MEMBERS
from hub.api.nodes import REQUIRED as NODE_MEMBERS
from hub.api.stream_query import OF_ALL_JOBS, OF_ONE_JOB
from hub.wire.accounts import (
    ObtainIn,
    RefreshIn,
    TicketIn,
    TokenIn,
    UserIn,
    UserPatchIn,
    UserPutIn,
    VerifyIn,
)
from hub.wire.cloudevents import BATCH_TYPE, CloudEvent
from hub.wire.docker import (
    CUDA_TEXTS,
    DOCKER_TEXTS,
    FRAMEWORK_TEXTS,
    CudaIn,
    DockerIn,
    FrameworkIn,
)
from hub.wire.imports import ContractForm, GraphForm, NativeForm, TemplateForm
from hub.wire.jobs import CreateJobIn, DownloadIn, FinishIn, JobIn, RequeueIn, StartIn
from hub.wire.licences import LICENCE_TEXTS, LicenceIn, TermsChange
from hub.wire.named_classes import CLASS_TEXTS, NamedClassIn
from hub.wire.nodes import HARDWARE_TEXTS, NODE_TEXTS, HardwareIn, NodeChange, NodeIn
from hub.wire.templates import TEMPLATE_TEXTS, NotificationOverride, TemplateChange, TemplateIn
from orm.filters.spec import FilterSpec

Json = dict[str, Any]


class JobChange(msgspec.Struct, frozen=True):
    """PUT and PATCH of a job: only its description can be changed; other members are ignored."""

    description: (
        Annotated[str, msgspec.Meta(max_length=10_000)] | int | float | msgspec.UnsetType
    ) = msgspec.UNSET


class Body(msgspec.Struct, frozen=True):
    """A request body: JSON of type ``kind``, or with ``bytes`` whatever is sent.

    ``required`` are members that the route asks for although the type alone does not.
    """

    kind: Any
    required: tuple[str, ...] = ()


FILTER = Body(FilterSpec)

REQUESTS: dict[str, Body | None] = {
    "auth_obtain": Body(ObtainIn),
    "auth_refresh": Body(RefreshIn),
    "auth_verify": Body(VerifyIn),
    "auth_session_start": Body(ObtainIn),
    "tickets_create": Body(TicketIn),
    "tokens_create": Body(TokenIn),
    "users_list": FILTER,
    "users_create": Body(UserIn),
    "users_update": Body(UserPutIn),
    "users_partial_update": Body(UserPatchIn),
    "nodes_list": FILTER,
    "nodes_create": Body(NodeIn, NODE_MEMBERS),
    "nodes_update": Body(NodeChange, NODE_MEMBERS),
    "nodes_partial_update": Body(NodeChange),
    "hardware_list": FILTER,
    "hardware_create": Body(HardwareIn, HARDWARE_MEMBERS),
    "hardware_update": Body(HardwareIn, HARDWARE_MEMBERS),
    "hardware_partial_update": Body(HardwareIn),
    "cuda_list": FILTER,
    "cuda_create": Body(CudaIn, CUDA_MEMBERS),
    "cuda_update": Body(CudaIn, CUDA_MEMBERS),
    "cuda_partial_update": Body(CudaIn),
    "frameworks_list": FILTER,
    "frameworks_create": Body(FrameworkIn, FRAMEWORK_MEMBERS),
    "frameworks_update": Body(FrameworkIn, FRAMEWORK_MEMBERS),
    "frameworks_partial_update": Body(FrameworkIn),
    "domains_list": FILTER,
    "domains_create": None,
    "domains_update": None,
    "domains_partial_update": None,
    "licences_list": FILTER,
    "licences_create": Body(LicenceIn, LICENCE_MEMBERS),
    "licences_update": Body(LicenceIn, LICENCE_MEMBERS),
    "licences_partial_update": Body(LicenceIn),
    "licences_subdescriptors": Body(TermsChange),
    "docker_list": FILTER,
    "docker_create": Body(DockerIn, DOCKER_MEMBERS),
    "docker_update": Body(DockerIn, DOCKER_MEMBERS),
    "docker_partial_update": Body(DockerIn),
    "job_types_list": FILTER,
    "job_types_create": Body(NamedClassIn, CLASS_MEMBERS),
    "job_types_create_seed": Body(NamedClassIn, CLASS_MEMBERS),
    "job_types_update": Body(NamedClassIn, CLASS_MEMBERS),
    "job_types_partial_update": Body(NamedClassIn),
    "job_contracts_list": FILTER,
    "job_contracts_create": Body(NamedClassIn, CLASS_MEMBERS),
    "job_contracts_create_seed": Body(NamedClassIn, CLASS_MEMBERS),
    "job_contracts_update": Body(NamedClassIn, CLASS_MEMBERS),
    "job_contracts_partial_update": Body(NamedClassIn),
    "job_templates_list": FILTER,
    "job_templates_declare": Body(TemplateIn, ("name",)),
    "job_templates_create": None,
    "job_templates_update": Body(TemplateChange),
    "job_templates_partial_update": Body(TemplateChange),
    "job_templates_create_job": Body(CreateJobIn),
    "job_templates_import": Body(TemplateForm),
    "jobs_list": FILTER,
    "jobs_submit": Body(JobIn),
    "jobs_create": None,
    "jobs_update": Body(JobChange),
    "jobs_partial_update": Body(JobChange),
    "jobs_requeue": Body(RequeueIn),
    "jobs_start": Body(StartIn),
    "jobs_progress": Body(dict[str, Any]),
    "jobs_finish": Body(FinishIn),
    "outputs_add": Body(bytes),
    "job_outputs_list": FILTER,
    "job_outputs_download": Body(DownloadIn),
    "job_outputs_create": None,
    "job_outputs_update": None,
    "job_outputs_partial_update": None,
}
"""The body of every POST, PUT and PATCH; ``None`` where none is looked at."""

TEXTS = (
    (NodeIn, NODE_TEXTS),
    (NodeChange, NODE_TEXTS),
    (HardwareIn, HARDWARE_TEXTS),
    (CudaIn, CUDA_TEXTS),
    (FrameworkIn, FRAMEWORK_TEXTS),
    (LicenceIn, LICENCE_TEXTS),
    (DockerIn, DOCKER_TEXTS),
    (NamedClassIn, CLASS_TEXTS),
    (TemplateChange, TEMPLATE_TEXTS),
    (TemplateIn, TEMPLATE_TEXTS),
)
"""Lengths of texts that the routes check themselves, so that the words of an error are UFDL's."""

MEMBER_TYPES: tuple[tuple[type[msgspec.Struct], str, tuple[Any, ...]], ...] = (
    (CreateJobIn, "notification_override", (NotificationOverride,)),
    (TemplateForm, "specific", (ContractForm, GraphForm, NativeForm)),
)
"""Members that are decoded in a second step, and into which of what."""

REFUSALS: dict[int, frozenset[str]] = {
    404: frozenset({"jobs_submit"}),
    409: frozenset(
        {
            "jobs_submit",
            "job_templates_create_job",
            "jobs_acquire",
            "jobs_release",
            "jobs_start",
            "jobs_progress",
            "jobs_finish",
            "jobs_reset",
            "jobs_abort",
            "jobs_cancel",
            "jobs_requeue",
            "jobs_destroy",
            "jobs_hard_delete",
            "outputs_add",
            "job_outputs_reinstate",
            "job_templates_declare",
            "job_templates_update",
            "job_templates_partial_update",
            "job_templates_reinstate",
            "job_templates_hard_delete",
            "job_templates_import",
            "job_types_update",
            "job_types_partial_update",
            "job_types_destroy",
            "job_contracts_update",
            "job_contracts_partial_update",
            "job_contracts_destroy",
            "nodes_update",
            "nodes_partial_update",
            "nodes_destroy",
            "hardware_destroy",
            "cuda_destroy",
            "frameworks_destroy",
            "licences_destroy",
            "tokens_create",
            "users_update",
            "users_partial_update",
            "users_destroy",
        }
    ),
    410: frozenset({"events_list", "events_stream", "jobs_events"}),
    416: frozenset({"outputs_get", "jobs_quarantine_get"}),
    422: frozenset({"jobs_submit", "job_templates_create_job"}),
    403: frozenset({"auth_session_start", "auth_session_end"}),
    429: frozenset({"auth_obtain", "auth_session_start", "tickets_create"}),
}
"""Statuses that only some calls answer. What holds for whole groups of calls is derived."""

CHANGES_OUTPUTS = frozenset(
    {"outputs_add", "outputs_delete", "job_outputs_hard_delete", "job_outputs_reinstate"}
)
"""Calls that answer with an output and, as those about jobs do, with a place in the log."""

OTHER_FORMS: dict[str, tuple[str, Any]] = {
    "events_list": (BATCH_TYPE, list[CloudEvent]),
    "jobs_events": (BATCH_TYPE, list[CloudEvent]),
}
"""Media type and kind of what some calls answer to those who ask for it."""

EMPTY = frozenset({"nodes_ping"})
"""Calls that answer 200 and yet have nothing to say."""

CONDITIONAL = frozenset({"outputs_get", "outputs_head", "jobs_quarantine_get"})
"""Calls that answer 304 to a client that has the bytes."""

STREAMED = frozenset({"events_stream", "jobs_events"})
"""Calls whose answer may be a stream without an end."""

ONLY_STREAMED = "events_stream"
"""The one that has no other answer."""

PATH_PARAMETERS: dict[str, Json] = {
    "pk": {
        "description": "its number",
        "schema": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
        "example": 7,
    },
    "item": {
        "description": "number of the late upload",
        "schema": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
        "example": 1,
    },
    "name": {
        "description": "name of the output, percent-encoded",
        "schema": {"type": "string", "maxLength": 200},
        "example": "thumbnail",
    },
    "type_text": {
        "description": "text of the output's type, percent-encoded",
        "schema": {"type": "string", "maxLength": 1_024},
        "example": "BLOB<'png'>",
    },
    "amount": {
        "description": "progress, a decimal number from 0 to 1",
        "schema": {"type": "number", "minimum": 0, "maximum": 1},
        "example": 0.25,
    },
    "compute": {
        "description": "compute capability, a decimal number",
        "schema": {"type": "number", "minimum": 0},
        "example": 8.6,
    },
    "resident_type": {
        "description": "text of a type whose values the hub keeps, percent-encoded",
        "schema": {"type": "string", "maxLength": 1_024},
        "example": "Framework<'darkroom', '2.1'>",
    },
    "contract": {
        "description": "name of a job contract",
        "schema": {"type": "string", "maxLength": 64},
        "example": "Train",
    },
    "who": {
        "description": "number or name of the account",
        "schema": {"type": "string"},
        "example": "maria",
    },
}

QUERY_NOTES = {
    "after": "what the page before gave to go on with; absent for the first page",
    "all": "everybody's, for administrators",
    "include_deleted": "also what was deleted",
    "limit": "most entries of a page",
    "node": "number of the node that holds it",
    "order": "a minus is descending",
    "parent": "number of the parent job",
}


def header(name: str, description: str) -> Json:
    """Return an optional header of a request."""
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}


UNLESS = header("If-None-Match", "304 if this is the entity tag of the output")
PARTS = (
    UNLESS,
    header("Range", "one range of bytes"),
    header("If-Range", "all bytes unless this is the entity tag"),
)
GIVEN_TYPES: Json = {
    "name": "inputs",
    "in": "query",
    "description": "the type of what is there for an input, by the name of the input",
    "style": "form",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 1_024}},
    "example": {"dataset": "PK<Dataset<Domain<'Image Classification'>>>"},
}
FURTHER_PARAMETERS: dict[str, tuple[Json, ...]] = {
    "events_stream": OF_ALL_JOBS,
    "job_templates_matching": (GIVEN_TYPES,),
    "jobs_events": OF_ONE_JOB,
    "outputs_add": (header("Content-Digest", "sha-256 of the body, which is then checked"),),
    "outputs_head": (UNLESS,),
    "outputs_get": PARTS,
    "jobs_quarantine_get": PARTS,
}

TAGS = {
    "auth": "Sign in, stay signed in.",
    "tokens": "Long-lived tokens for programs.",
    "users": "Accounts.",
    "jobs": "Make, list, watch over and remove jobs.",
    "job actions": "What a node does with a job.",
    "outputs": "Results of a job, by name and type.",
    "job outputs": "Results by number, over all jobs.",
    "events": "The log of everything that happened.",
    "job templates": "Kinds of work, in versions that never change.",
    "job types": "Kinds of values that jobs take and give.",
    "job contracts": "Kinds of work that executors are written for.",
    "nodes": "The workers.",
    "hardware": "Hardware generations.",
    "docker images": "What templates run in.",
    "CUDA versions": "CUDA, and the drivers that it needs.",
    "frameworks": "What models are made with.",
    "domains": "Kinds of data.",
    "licences": "Terms of use.",
    "audit": "Who did what.",
    "health": "For supervisors and load balancers.",
}
"""Groups of calls, in the order in which a reader meets them."""
