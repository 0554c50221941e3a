"""Nodes and hardware generations on the wire."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Memory = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Index = Annotated[int, msgspec.Meta(ge=0, le=32_767)]
Capability = Annotated[float, msgspec.Meta(ge=0, le=1_000)]

NODE_TEXTS = {"ip": 39, "driver_version": 16}
"""The most characters of each text of a node."""

HARDWARE_TEXTS = {"generation": 32}
"""The most characters of each text of a hardware generation."""


class NodeIn(msgspec.Struct, frozen=True):
    """What may be set of a node; others, the read-only ones too, are ignored as UFDL does."""

    ip: str | UnsetType = UNSET
    index: Index | UnsetType = UNSET
    driver_version: str | UnsetType | None = UNSET
    hardware_generation: Whole | UnsetType | None = UNSET
    gpu_mem: Memory | UnsetType | None = UNSET
    cpu_mem: Memory | UnsetType = UNSET


class NodeChange(NodeIn, frozen=True):
    """What may be changed of a node.

    ``owner`` is the name or the number of the account that gets it, for administrators; the number
    that the node shows changes nothing.
    """

    owner: str | Whole | UnsetType = UNSET


class NodeOut(msgspec.Struct, frozen=True):
    """A node: the members of the UFDL API, then the hub's own. Memory is in bytes."""

    pk: int
    ip: str
    index: int
    driver_version: str | None
    hardware_generation: int | None
    gpu_mem: int | None
    cpu_mem: int
    last_seen: str | None
    current_job: int | None
    owner: int
    creation_time: str


class HardwareIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be set of a hardware generation; ``pk`` may stand there and is ignored."""

    pk: Whole | UnsetType = UNSET
    generation: str | UnsetType = UNSET
    min_compute_capability: Capability | UnsetType = UNSET
    max_compute_capability: Capability | UnsetType = UNSET


class HardwareOut(msgspec.Struct, frozen=True):
    """A hardware generation; UFDL's workers stop at any member more.

    It covers compute capabilities from the minimum up to, but without, the maximum.
    """

    pk: int
    generation: str
    min_compute_capability: float
    max_compute_capability: float
