"""Named classes on the wire: what workers import for each type and each contract."""

import msgspec
from msgspec import UNSET, UnsetType

from hub.wire.nodes import Whole

CLASS_TEXTS = {"name": 64, "pkg": 64, "cls": 256}
"""The most characters of each text of a named class."""


class NamedClassIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be set of a named class; ``pk`` may stand there and is ignored."""

    pk: Whole | UnsetType = UNSET
    name: str | UnsetType = UNSET
    pkg: str | UnsetType = UNSET
    cls: str | UnsetType = UNSET


class NamedClassOut(msgspec.Struct, frozen=True):
    """A named class: ``cls`` is the path of a class that package ``pkg`` exports."""

    pk: int
    name: str
    pkg: str
    cls: str
