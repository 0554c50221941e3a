"""Tables: columns only; indexes and constraints are in the migrations."""

from orm.tables.accounts import Audit, Token, User
from orm.tables.jobs import Event, HubMeta, Job, JobSpec, Output
from orm.tables.nodes import Hardware, Node
from orm.tables.templates import JobTemplate, JobType

ALL = (
    HubMeta,
    User,
    Token,
    Audit,
    Hardware,
    Node,
    JobType,
    JobTemplate,
    Job,
    JobSpec,
    Output,
    Event,
)

__all__ = [
    "ALL",
    "Audit",
    "Event",
    "Hardware",
    "HubMeta",
    "Job",
    "JobSpec",
    "JobTemplate",
    "JobType",
    "Node",
    "Output",
    "Token",
    "User",
]
