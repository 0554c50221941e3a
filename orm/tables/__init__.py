"""Tables: columns only; indexes and constraints are in the migrations."""

from orm.tables.accounts import Audit, Ticket, Token, User
from orm.tables.images import CudaVersion, DockerImage, Domain, Framework, Licence
from orm.tables.jobs import Event, Execution, HubMeta, Job, JobSpec, Output, Quarantined
from orm.tables.nodes import Hardware, Node
from orm.tables.templates import JobContract, JobTemplate, JobType

ALL = (
    HubMeta,
    User,
    Token,
    Ticket,
    Audit,
    Hardware,
    Node,
    JobType,
    JobContract,
    JobTemplate,
    Job,
    JobSpec,
    Execution,
    Output,
    Quarantined,
    Event,
    CudaVersion,
    Framework,
    Domain,
    Licence,
    DockerImage,
)

__all__ = [
    "ALL",
    "Audit",
    "CudaVersion",
    "DockerImage",
    "Domain",
    "Event",
    "Execution",
    "Framework",
    "Hardware",
    "HubMeta",
    "Job",
    "JobContract",
    "JobSpec",
    "JobTemplate",
    "JobType",
    "Licence",
    "Node",
    "Output",
    "Quarantined",
    "Ticket",
    "Token",
    "User",
]
