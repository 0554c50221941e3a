"""Answers that only these clients read, member by member; more members do them no harm.

What must not have any more members stands in ``tests.conformance.shapes``, as do jobs and outputs.
"""

from typing import Any, TypeVar

import msgspec

from tests.conformance.shapes import Moment

T = TypeVar("T")


class Node(msgspec.Struct):
    pk: int
    ip: str
    index: int
    driver_version: str | None
    hardware_generation: int | None
    gpu_mem: int | None
    cpu_mem: int
    last_seen: Moment | None
    current_job: int | None


class User(msgspec.Struct):
    username: str
    pk: int
    last_login: Moment | None
    is_superuser: bool
    first_name: str
    last_name: str
    email: str
    is_staff: bool
    is_active: bool
    date_joined: Moment


class TemplateParameter(msgspec.Struct):
    types: list[str]
    help: str
    default: Any = msgspec.UNSET
    default_type: str | msgspec.UnsetType = msgspec.UNSET
    const: bool | msgspec.UnsetType = msgspec.UNSET


class Template(msgspec.Struct):
    pk: int
    name: str
    version: int
    description: str
    scope: str
    domain: str | None
    licence: int | None
    creator: int | None
    creation_time: Moment
    deletion_time: Moment | None
    type: str
    executor_class: str
    required_packages: str
    parameters: dict[str, TemplateParameter]


class Default(msgspec.Struct):
    value: Any
    type: str
    schema: Any
    const: bool


class FormParameter(msgspec.Struct):
    """What a form is made of: the types with their schemas, and the default below `default`."""

    types: dict[str, dict[str, Any]]
    help: str
    default: Default | msgspec.UnsetType = msgspec.UNSET


def fits(answer: object, shape: type[T]) -> T:
    """Return an answer read as what it should be.

    Raises:
        msgspec.ValidationError: it is not.
    """
    return msgspec.convert(answer, shape)
