"""Rules of docker images and of what they refer to: CUDA versions, frameworks, licences."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from hub.errors import Conflict, InvalidInput
from hub.lifecycle.catalogue import check_storable
from hub.lifecycle.commands import Actor
from hub.lifecycle.types import legible
from orm.queries.docker import DockerRow
from orm.queries.licences import LicenceRow

TERMS = ("permissions", "conditions", "limitations", "domains")
"""The members of a licence that are lists of names."""

TERMS_MAX = 100
NO_CONTRACT = "No job contract can have this name:"
NO_VERSION = "This is a number with one decimal, as a text: 11.1"
NO_MACHINE = "This field may be null only if cpu is true."
TOO_MANY_TERMS = f"Ensure this field has no more than {TERMS_MAX} names."

_VERSION = re.compile(r"[0-9]{1,3}\.[0-9]")


class CudaInUse(Conflict):
    """Docker images need this CUDA version."""

    code = "cuda_in_use"


class FrameworkInUse(Conflict):
    """Docker images have this framework."""

    code = "framework_in_use"


class LicenceInUse(Conflict):
    """Docker images or job templates are under this licence."""

    code = "licence_in_use"


def check_version(columns: Mapping[str, Any]) -> None:
    """Refuse what is no version of CUDA.

    Raises:
        InvalidInput: ``version`` was sent and is not like ``11.1``.
    """
    if not _VERSION.fullmatch(columns.get("version", "0.0")):
        raise InvalidInput(f"version: {NO_VERSION}", fields={"version": [NO_VERSION]})


# Docker images


def tasks_text(names: Collection[str]) -> str:
    """Return the tasks of an image as they are stored: every name once, in the order given.

    Raises:
        InvalidInput: one could not be the name of a job contract.
    """
    for name in names:
        if not name.isidentifier():
            problem = f"{NO_CONTRACT} {legible(name)}"
            raise InvalidInput(f"tasks: {problem}", fields={"tasks": [problem]})
    return _listed(names)


def may_see_secrets(actor: Actor) -> bool:
    """Whether the user name and password of a registry are for this caller's eyes."""
    return actor.is_admin or actor.node is not None


def without_secrets(row: DockerRow) -> DockerRow:
    """Return what may be said of an image to anybody, and for ever."""
    return msgspec.structs.replace(row, registry_username=None, registry_password=None)


def check_machine(row: DockerRow) -> None:
    """Refuse an image that runs neither on a GPU nor without one.

    Raises:
        InvalidInput: it needs a GPU, and of no generation.
    """
    if row.min_hardware_generation is None and not row.cpu:
        fields = {"min_hardware_generation": [NO_MACHINE]}
        raise InvalidInput(f"min_hardware_generation: {NO_MACHINE}", fields=fields)


# Licences


def terms_text(member: str, names: Collection[str]) -> str:
    """Return a list of terms as it is stored: every name once, in the order given.

    Raises:
        InvalidInput: there are too many, or one could not be stored.
    """
    if len(names) > TERMS_MAX:
        raise InvalidInput(f"{member}: {TOO_MANY_TERMS}", fields={member: [TOO_MANY_TERMS]})
    check_storable(member, names)
    return _listed(names)


def _listed(names: Collection[str]) -> str:
    return msgspec.json.encode(list(dict.fromkeys(names))).decode()


def terms_of(text: str) -> list[str]:
    """Return a stored list of terms."""
    return msgspec.json.decode(text, type=list[str])


def with_terms(member: str, names: Collection[str]) -> Callable[[LicenceRow], dict[str, str]]:
    """Return the change that adds terms to a licence; those that it has already are no change."""
    return lambda row: {member: terms_text(member, [*terms_of(getattr(row, member)), *names])}


def without_terms(member: str, names: Collection[str]) -> Callable[[LicenceRow], dict[str, str]]:
    """Return the change that takes terms from a licence; those that it lacks are no change."""
    return lambda row: {
        member: terms_text(
            member, [term for term in terms_of(getattr(row, member)) if term not in names]
        )
    }
