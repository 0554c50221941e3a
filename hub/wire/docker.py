"""Docker images, and the CUDA versions, frameworks and domains that they refer to, on the wire.

UFDL's workers stop at any member more than these objects have.
"""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from hub.wire.nodes import HardwareOut, Whole

CUDA_TEXTS = {"version": 8, "full_version": 16, "min_driver_version": 16}
"""The most characters of each text of a CUDA version."""

FRAMEWORK_TEXTS = {"name": 32, "version": 32}
"""The most characters of each text of a framework."""

DOCKER_TEXTS = {
    "name": 64,
    "version": 32,
    "url": 200,
    "registry_url": 200,
    "registry_username": 64,
    "registry_password": 64,
    "cuda_version": 8,
    "domain": 2,
    "min_hardware_generation": 32,
    "licence": 100,
}
"""The most characters of each text of a docker image."""

Task = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Tasks = Annotated[list[Task], msgspec.Meta(max_length=32)]


class CudaIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be set of a CUDA version; ``pk`` may stand there and is ignored."""

    pk: Whole | UnsetType = UNSET
    version: str | UnsetType = UNSET
    full_version: str | UnsetType = UNSET
    min_driver_version: str | UnsetType = UNSET


class CudaOut(msgspec.Struct, frozen=True):
    """A CUDA version, and the oldest driver with which it runs."""

    pk: int
    version: str
    full_version: str
    min_driver_version: str


class FrameworkIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be set of a framework; ``pk`` may stand there and is ignored."""

    pk: Whole | UnsetType = UNSET
    name: str | UnsetType = UNSET
    version: str | UnsetType = UNSET


class FrameworkOut(msgspec.Struct, frozen=True):
    """A version of a framework that models are made with."""

    pk: int
    name: str
    version: str


class DomainOut(msgspec.Struct, frozen=True):
    """A kind of data: two letters, and what they stand for."""

    pk: int
    name: str
    description: str


class DockerIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be set of a docker image; ``pk`` may stand there and is ignored.

    ``cuda_version`` is the version's text, ``framework`` its number, ``domain`` the two letters,
    ``min_hardware_generation`` the generation's name, ``licence`` the licence's; ``tasks`` are
    names of job contracts.
    """

    pk: Whole | UnsetType = UNSET
    name: str | UnsetType = UNSET
    version: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    registry_url: str | UnsetType = UNSET
    registry_username: str | UnsetType | None = UNSET
    registry_password: str | UnsetType | None = UNSET
    cuda_version: str | UnsetType = UNSET
    framework: Whole | UnsetType = UNSET
    domain: str | UnsetType = UNSET
    tasks: Tasks | UnsetType = UNSET
    min_hardware_generation: str | UnsetType | None = UNSET
    cpu: bool | UnsetType = UNSET
    licence: str | UnsetType = UNSET


class DockerOut(msgspec.Struct, frozen=True):
    """A docker image; ``domain`` is the domain's description.

    User name and password of the registry are shown to nodes and administrators alone.
    """

    pk: int
    name: str
    version: str
    url: str
    registry_url: str
    registry_username: str | None
    registry_password: str | None
    cuda_version: CudaOut
    framework: FrameworkOut
    domain: str
    tasks: list[str]
    min_hardware_generation: HardwareOut | None
    cpu: bool
    licence: str
