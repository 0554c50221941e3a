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
Silence = Annotated[int, msgspec.Meta(ge=12, le=30 * 86_400)]
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


class Conditions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Under which conditions the jobs of a template run.

    A run ends after ``timeout_s`` seconds, and is lost when its node was not heard of for
    ``silence_s`` seconds; ``null`` is no limit, and ``HUB_LOST_AFTER_S``.
    """

    timeout_s: Timeout | UnsetType | None = UNSET
    silence_s: Silence | UnsetType | None = UNSET
    max_tries: MaxTries | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    labels: Labels | UnsetType = UNSET
    requirements: Requirements | UnsetType = UNSET


class TemplateChange(Conditions, frozen=True, forbid_unknown_fields=True):
    """PUT and PATCH of a job template: the next version. ``name`` may stand there, and stays.

    An entry of ``inputs``, ``parameters`` or ``outputs`` is the text of its type, or an object with
    ``type`` or ``types`` and ``help``; a parameter's may have ``default``, ``default_type`` and
    ``const``. ``requirements`` are kept and shown; they are applied by a later version. What a
    contract or a graph says of a template stays as it is.
    """

    name: str | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    inputs: dict[str, Any] | UnsetType = UNSET
    parameters: dict[str, Any] | UnsetType = UNSET
    outputs: dict[str, Any] | UnsetType = UNSET
    executor_class: ExecutorClass | UnsetType | None = UNSET
    required_packages: Packages | UnsetType = UNSET


class TemplateIn(TemplateChange, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/job-templates``; without a ``version`` it is the next one of its name."""

    version: Version | None = None


class TemplateOut(msgspec.Struct, frozen=True, kw_only=True):
    """A job template: the members of the UFDL API, then the hub's own.

    ``type`` is the text of its contract, empty for one that says itself what it takes and gives. A
    parameter has all of ``default``, ``default_type`` and ``const``, or none. A meta-template, on
    which no node works itself, has no ``type``, ``executor_class``, ``required_packages`` and
    ``parameters``. ``licence`` is a number. ``requirements`` are kept and shown; they are applied
    by a later version.
    """

    pk: int
    name: str
    version: int
    description: str
    scope: str
    domain: str | None
    licence: int | None
    creator: int | None
    creation_time: str
    deletion_time: str | None
    type: str | UnsetType = UNSET
    executor_class: str | UnsetType | None = UNSET
    required_packages: str | UnsetType = UNSET
    parameters: dict[str, Any] | UnsetType = UNSET
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    timeout_s: int | None
    silence_s: int | None
    max_tries: int
    priority: int
    labels: dict[str, str]
    requirements: Requirements


class DefaultOut(msgspec.Struct, frozen=True):
    """The default of a parameter; a constant can be nothing else. ``schema`` is of its type."""

    value: Any
    type: str
    schema: dict[str, Any]
    const: bool


class ParameterOut(msgspec.Struct, frozen=True):
    """A parameter as a form needs it: the JSON schema of each of its types, by their texts."""

    types: dict[str, dict[str, Any]]
    help: str
    default: DefaultOut | UnsetType = UNSET


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
Message = Annotated[str, msgspec.Meta(max_length=2_000)]
Subject = Annotated[str, msgspec.Meta(max_length=200)]
Body = Annotated[str, msgspec.Meta(max_length=10_000)]
Recipients = Annotated[
    list[Annotated[str, msgspec.Meta(max_length=254)]], msgspec.Meta(max_length=32)
]


class NotificationOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to tell whom at which transition; an action is one of the three below.

    Their texts may name ``{pk}``, ``{transition}``, ``{description}``, ``{progress}``,
    ``{cancelled}``, ``{node}``, ``{error}`` and, but for subjects, ``{transition_data}``. Each of
    them stays silent for a job that belongs to another one, unless ``suppress_for_parent`` is
    false.
    """

    actions: dict[Transition, Annotated[list[dict[str, Any]], msgspec.Meta(max_length=16)]]
    keep_default: bool = False


class WebSocketAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tell those who watch the job."""

    suppress_for_parent: bool = True


class PrintAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Write a line to the log."""

    message: Message
    suppress_for_parent: bool = True


class EmailAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Send a mail; without ``to`` it goes to the creator of the job."""

    subject: Subject
    body: Body
    to: Annotated[Recipients, msgspec.Meta(min_length=1)] | None = None
    cc: Recipients | None = None
    bcc: Recipients | None = None
    suppress_for_parent: bool = True
