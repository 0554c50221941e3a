"""Job templates, and the notifications a job may be asked for, on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from hub.wire.jobs import Description, Labels, Priority

TEMPLATE_TEXTS = {"name": 200}
"""The most characters of each text of a template that may not be blank."""

TEN_YEARS_S = 315_360_000

Version = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Timeout = Annotated[int, msgspec.Meta(ge=1, le=TEN_YEARS_S)]
MaxTries = Annotated[int, msgspec.Meta(ge=1, le=100)]
ExecutorClass = Annotated[str, msgspec.Meta(max_length=128)]
Packages = Annotated[str, msgspec.Meta(max_length=4_096)]
Amount = (
    Annotated[int, msgspec.Meta(ge=0, le=2**53)] | Annotated[float, msgspec.Meta(ge=0, le=2**53)]
)


class Requirements(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a node must have: labels, processors, memory and disk in MiB, graphics cards."""

    labels: Labels | UnsetType = UNSET
    cpus: Amount | UnsetType = UNSET
    mem: Amount | UnsetType = UNSET
    disk: Amount | UnsetType = UNSET
    gpu: Amount | UnsetType = UNSET


class TemplateChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PUT and PATCH of a job template: the next version. ``name`` may stand there, and stays.

    An entry of ``inputs``, ``parameters`` or ``outputs`` is the text of its type, or an object with
    ``type`` or ``types`` and ``help``; a parameter's may have ``default``, ``default_type`` and
    ``const``. ``timeout_s``, ``max_tries`` and ``requirements`` are kept and shown; they are
    applied by a later version.
    """

    name: str | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    inputs: dict[str, Any] | UnsetType = UNSET
    parameters: dict[str, Any] | UnsetType = UNSET
    outputs: dict[str, Any] | UnsetType = UNSET
    timeout_s: Timeout | UnsetType | None = UNSET
    max_tries: MaxTries | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    labels: Labels | UnsetType = UNSET
    requirements: Requirements | UnsetType = UNSET
    executor_class: ExecutorClass | UnsetType | None = UNSET
    required_packages: Packages | UnsetType = UNSET


class TemplateIn(TemplateChange, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/job-templates``; without a ``version`` it is the next one of its name."""

    version: Version | None = None


class TemplateOut(msgspec.Struct, frozen=True):
    """A job template: the members of the UFDL API, then the hub's own.

    ``type`` is the text of its contract. A parameter has all of ``default``, ``default_type`` and
    ``const``, or none. ``timeout_s``, ``max_tries`` and ``requirements`` are kept and shown; they
    are applied by a later version.
    """

    pk: int
    name: str
    version: int
    description: str
    scope: str
    domain: str | None
    licence: str | None
    creator: int | None
    creation_time: str
    deletion_time: str | None
    type: str
    executor_class: str | None
    required_packages: str
    parameters: dict[str, Any]
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    timeout_s: int | None
    max_tries: int
    priority: int
    labels: dict[str, str]
    requirements: Requirements


Transition = Literal[
    "on_acquire",
    "on_release",
    "on_start",
    "on_progress",
    "on_finish",
    "on_error",
    "on_reset",
    "on_abort",
    "on_cancel",
]


class NotificationOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to tell whom at which transition; an action is one of the three below."""

    actions: dict[Transition, list[dict[str, Any]]]
    keep_default: bool = False


class WebSocketAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tell those who watch the job."""

    suppress_for_parent: bool = True


class PrintAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Write a line to the log."""

    message: str
    suppress_for_parent: bool = True


class EmailAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Send a mail."""

    subject: str
    body: str
    to: Annotated[list[str], msgspec.Meta(min_length=1)] | None = None
    cc: list[str] | None = None
    bcc: list[str] | None = None
    suppress_for_parent: bool = True
