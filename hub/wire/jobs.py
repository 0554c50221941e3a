"""Jobs and their outputs on the wire. Times are ISO 8601, UTC, with microseconds."""

from typing import Annotated, Any

import msgspec

Description = Annotated[str, msgspec.Meta(max_length=10_000)]
Priority = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Number = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
LABELS_MAX = 64
"""The most labels of a template, of a job, or of what a node must have."""

Labels = Annotated[
    dict[
        Annotated[str, msgspec.Meta(min_length=1, max_length=64)],
        Annotated[str, msgspec.Meta(max_length=256)],
    ],
    msgspec.Meta(max_length=LABELS_MAX),
]

ERROR_MAX = 65_536
"""The longest error text that is kept, in characters."""

BEGINNING_CUT = "[the beginning was cut off] … "
"""Stands before an error text of which only the end is kept."""


class TemplateRef(msgspec.Struct, frozen=True):
    """The template of a job."""

    pk: int
    name: str
    version: int


class OutputRef(msgspec.Struct, frozen=True):
    """An output as its job names it."""

    pk: int
    name: str
    type: str


class ValueOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value with the text of its type."""

    value: Any
    type: str


class JobOut(msgspec.Struct, frozen=True):
    """A job: the members of the UFDL API, then the hub's own."""

    pk: int
    template: TemplateRef
    parent: int | None
    child: str | None
    children: int
    start_time: str | None
    end_time: str | None
    error_reason: str | None
    input_values: dict[str, ValueOut]
    parameter_values: dict[str, ValueOut]
    node: int | None
    outputs: list[OutputRef]
    description: str
    is_cancelled: bool
    creator: int | None
    creation_time: str
    deletion_time: str | None
    status: str
    progress_amount: float
    progress_data: Any
    attempt: int
    tries: int
    max_tries: int
    num_exes: int
    priority: int
    labels: dict[str, str]
    queued_time: str
    last_modified: str


class JobPage(msgspec.Struct, frozen=True):
    """A page of jobs; ``next`` is the cursor of the page after it, null on the last one."""

    items: list[JobOut]
    next: str | None


class OutputOut(msgspec.Struct, frozen=True):
    """An output: the members of the UFDL API, then the hub's own."""

    pk: int
    job: int
    name: str
    type: str
    creator: int | None
    creation_time: str
    deletion_time: str | None
    attempt: int
    size: int
    sha256: str


class JobIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/jobs``. Values come bare (``inputs``) or typed (``input_values``), not both.

    ``template`` is a pk or a name; a name alone means its highest active version.
    """

    template: Number | str
    version: Number | None = None
    inputs: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    parameters: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    input_values: dict[str, ValueOut] | msgspec.UnsetType = msgspec.UNSET
    parameter_values: dict[str, ValueOut] | msgspec.UnsetType = msgspec.UNSET
    description: Description = ""
    priority: Priority | None = None
    labels: Labels = {}


class CreateJobIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/job-templates/{pk}/create-job``, the UFDL way."""

    input_values: dict[str, ValueOut]
    parameter_values: dict[str, ValueOut] | None = None
    description: Description = ""
    notification_override: dict[str, Any] | None = None
    child_notification_overrides: dict[str, Any] | None = None


class StartIn(msgspec.Struct, frozen=True):
    """The body of start; the text is asked for and not used, as in UFDL."""

    send_notification: str


class FinishIn(msgspec.Struct, frozen=True):
    """The body of finish; no ``error`` is success, ``outputs`` must be there by name.

    Of an ``error`` longer than ``ERROR_MAX`` (65,536 characters) the end is kept, behind
    ``BEGINNING_CUT`` and within that length: the last lines of a trace say what happened, and a
    worker must be able to end its job however much it has to say.
    """

    success: bool
    send_notification: str
    error: str | msgspec.UnsetType = msgspec.UNSET
    outputs: Annotated[list[str], msgspec.Meta(max_length=1_000)] = []

    def __post_init__(self) -> None:
        if isinstance(self.error, str) and len(self.error) > ERROR_MAX:
            end = self.error[len(BEGINNING_CUT) - ERROR_MAX :]
            msgspec.structs.force_setattr(self, "error", BEGINNING_CUT + end)


class RequeueIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The optional body of requeue."""

    priority: Priority | None = None


class DownloadIn(msgspec.Struct, frozen=True):
    """The optional body of a download: ``filetype`` ends the file name; ``params`` is not used."""

    filetype: str | None = None
    params: dict[str, str | list[str]] | None = None
