"""Kinds of values on the wire."""

import msgspec
from msgspec import UNSET, UnsetType

from hub.wire.nodes import Whole

JOB_TYPE_TEXTS = {"name": 64, "pkg": 64, "cls": 256}
"""The most characters of each text of a job type."""


class JobTypeIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be set of a job type; ``pk`` may stand there and is ignored."""

    pk: Whole | UnsetType = UNSET
    name: str | UnsetType = UNSET
    pkg: str | UnsetType = UNSET
    cls: str | UnsetType = UNSET


class JobTypeOut(msgspec.Struct, frozen=True):
    """A job type: ``cls`` is the path of a class that package ``pkg`` exports."""

    pk: int
    name: str
    pkg: str
    cls: str
