"""Examples of the calls about the catalogue: the studio of the others makes its own image."""

from typing import Any

import msgspec

from hub.api.example import Example, where
from hub.wire.docker import CudaOut, DockerOut, DomainOut, FrameworkOut
from hub.wire.licences import LicenceOut
from hub.wire.nodes import HardwareOut

NEW_HARDWARE = {
    "generation": "Blackwell",
    "min_compute_capability": 10.0,
    "max_compute_capability": 13.0,
}
NEW_CUDA = {"version": "12.8", "full_version": "12.8.0", "min_driver_version": "570.26"}
NEW_FRAMEWORK = {"name": "darkroom", "version": "2.1"}
NEW_LICENCE = {
    "name": "Zlib",
    "url": "opensource.org/license/zlib",
    "permissions": ["Commercial use", "Modification", "Distribution", "Private use"],
    "conditions": ["State changes"],
    "limitations": ["Liability", "Warranty"],
    "domains": ["Software", "Models"],
}
NEW_TERMS = {"type": "conditions", "method": "add", "names": ["State changes"]}
NEW_DOCKER = {
    "name": "darkroom",
    "version": "2.1_cuda12.8",
    "url": "registry.example.org:443/studio/darkroom:2.1_cuda12.8",
    "registry_url": "registry.example.org:443",
    "registry_username": "studio",
    "registry_password": "let me pull",
    "cuda_version": "12.8",
    "framework": 18,
    "domain": "ic",
    "tasks": ["Train", "Predict"],
    "min_hardware_generation": "Blackwell",
    "cpu": False,
    "licence": "Zlib",
}


def _made(kind: Any, pk: int, members: dict[str, Any]) -> Any:
    """Return what becomes of new members; numbers are the first that a new hub has free."""
    return msgspec.convert({"pk": pk, **members}, kind)


BLACKWELL = _made(HardwareOut, 10, NEW_HARDWARE)
CUDA = _made(CudaOut, 22, NEW_CUDA)
FRAMEWORK = _made(FrameworkOut, 18, NEW_FRAMEWORK)
PICTURES = DomainOut(pk=1, name="ic", description="Image Classification")
LICENCE = _made(LicenceOut, 15, NEW_LICENCE)
DOCKER = _made(
    DockerOut,
    26,
    {
        **NEW_DOCKER,
        "cuda_version": {"pk": CUDA.pk, **NEW_CUDA},
        "framework": {"pk": FRAMEWORK.pk, **NEW_FRAMEWORK},
        "domain": PICTURES.description,
        "min_hardware_generation": {"pk": BLACKWELL.pk, **NEW_HARDWARE},
    },
)

CATALOGUE: dict[str, Example] = {
    "hardware_list": Example(where("generation", "Blackwell"), [BLACKWELL]),
    "hardware_create": Example(NEW_HARDWARE, BLACKWELL),
    "hardware_retrieve": Example(response=BLACKWELL),
    "hardware_update": Example(NEW_HARDWARE, BLACKWELL),
    "hardware_partial_update": Example({"max_compute_capability": 13.0}, BLACKWELL),
    "hardware_generation": Example(response=BLACKWELL),
    "cuda_list": Example(where("version", "12.8"), [CUDA]),
    "cuda_create": Example(NEW_CUDA, CUDA),
    "cuda_retrieve": Example(response=CUDA),
    "cuda_update": Example(NEW_CUDA, CUDA),
    "cuda_partial_update": Example({"min_driver_version": "570.26"}, CUDA),
    "frameworks_list": Example(where("name", "darkroom"), [FRAMEWORK]),
    "frameworks_create": Example(NEW_FRAMEWORK, FRAMEWORK),
    "frameworks_retrieve": Example(response=FRAMEWORK),
    "frameworks_update": Example(NEW_FRAMEWORK, FRAMEWORK),
    "frameworks_partial_update": Example({"version": "2.1"}, FRAMEWORK),
    "domains_list": Example(where("description", "Image Classification"), [PICTURES]),
    "domains_retrieve": Example(response=PICTURES),
    "licences_list": Example(where("name", "Zlib"), [LICENCE]),
    "licences_create": Example(NEW_LICENCE, LICENCE),
    "licences_retrieve": Example(response=LICENCE),
    "licences_update": Example(NEW_LICENCE, LICENCE),
    "licences_partial_update": Example({"url": "opensource.org/license/zlib"}, LICENCE),
    "licences_subdescriptors": Example(NEW_TERMS, LICENCE),
    "docker_list": Example(where("domain.description", "Image Classification"), [DOCKER]),
    "docker_create": Example(NEW_DOCKER, DOCKER),
    "docker_retrieve": Example(response=DOCKER),
    "docker_update": Example(NEW_DOCKER, DOCKER),
    "docker_partial_update": Example({"registry_password": "let me pull"}, DOCKER),
    "job_types_values": Example(response=[FRAMEWORK]),
}
"""By action."""
