"""The answers' shapes, member by member as the documents list them.

A job and an output may carry more members; objects within them, and job types, may not.
"""

from typing import Annotated, Any

import msgspec

Moment = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|\+00:00)$",
    ),
]


class TemplateRef(msgspec.Struct, forbid_unknown_fields=True):
    pk: int
    name: str
    version: int


class OutputRef(msgspec.Struct, forbid_unknown_fields=True):
    pk: int
    name: str
    type: str


class Value(msgspec.Struct, forbid_unknown_fields=True):
    value: Any
    type: str


class Job(msgspec.Struct):
    pk: int
    description: str
    template: TemplateRef
    input_values: dict[str, Value]
    parameter_values: dict[str, Value]
    outputs: list[OutputRef]
    node: int | None
    error_reason: str | None
    creator: int | None
    creation_time: Moment
    deletion_time: Moment | None
    start_time: Moment | None
    end_time: Moment | None
    parent: int | None
    is_cancelled: bool
    # Added by this hub, on every answer.
    status: str
    progress_amount: float
    progress_data: dict[str, Any] | None
    attempt: int
    priority: int
    labels: dict[str, str]
    queued_time: Moment
    num_exes: int


class Output(msgspec.Struct):
    pk: int
    job: int
    name: str
    type: str
    creator: int | None
    creation_time: Moment
    deletion_time: Moment | None


class JobType(msgspec.Struct, forbid_unknown_fields=True):
    pk: int
    name: str
    pkg: str
    cls: str
