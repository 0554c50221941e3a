"""The answers' shapes, member by member as the documents list them.

A job and an output may carry more members; objects within them, job types, and what stands in the
catalogue may not.
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
    child: str | None
    children: int
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


class Hardware(msgspec.Struct, forbid_unknown_fields=True):
    pk: int
    generation: str
    min_compute_capability: float
    max_compute_capability: float


class Cuda(msgspec.Struct, forbid_unknown_fields=True):
    pk: int
    version: str
    full_version: str
    min_driver_version: str


class Framework(msgspec.Struct, forbid_unknown_fields=True):
    pk: int
    name: str
    version: str


class Domain(msgspec.Struct, forbid_unknown_fields=True):
    pk: int
    name: str
    description: str


class Licence(msgspec.Struct, forbid_unknown_fields=True):
    pk: int
    name: str
    url: str
    permissions: list[str]
    conditions: list[str]
    limitations: list[str]
    domains: list[str]


class Docker(msgspec.Struct, forbid_unknown_fields=True):
    pk: int
    name: str
    version: str
    url: str
    registry_url: str
    registry_username: str | None
    registry_password: str | None
    cuda_version: Cuda
    framework: Framework
    domain: str
    tasks: list[str]
    min_hardware_generation: Hardware | None
    cpu: bool
    licence: str
