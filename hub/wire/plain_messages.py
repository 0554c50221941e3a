"""What the plain job socket tells: UFDL's messages, and where in the log each of them stands."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

ShownTransition = Literal[
    "acquire", "release", "start", "progress", "finish", "error", "reset", "abort", "cancel"
]
"""The transitions that UFDL knows."""


class PlainMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One transition of a job; progress counts as one.

    ``node`` is there while a node holds the job, ``error`` once the job failed. ``transition_data``
    is what the worker sent with its progress. ``seq``, ``tseq`` and ``cursor`` are this hub's own:
    ``seq`` numbers the events of the job, ``tseq`` counts its transitions, and ``cursor`` is where
    to go on. With ``?strict=1`` they are left out.
    """

    transition: ShownTransition
    description: str
    pk: int
    progress: Annotated[float, Meta(ge=0, le=1)]
    cancelled: bool
    node: int | UnsetType = UNSET
    error: str | UnsetType | None = UNSET
    transition_data: dict[str, Any]
    seq: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    tseq: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    cursor: str | UnsetType = UNSET
