"""The import form of a template, which is also what its export gives."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from hub.wire.jobs import Description
from hub.wire.templates import Conditions, Packages, Version

TYPES_MAX = 32
"""The most types of one parameter."""

TemplateName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Scope = Annotated[str, msgspec.Meta(min_length=1, max_length=16)]
LicenceName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
DomainName = Annotated[str, msgspec.Meta(min_length=2, max_length=2)]
ContractText = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Executor = Annotated[str, msgspec.Meta(max_length=128)]
TypeText = Annotated[str, msgspec.Meta(min_length=1, max_length=1_024)]


class ParameterForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A parameter; ``default_type`` is the first of ``types`` unless it is said."""

    types: Annotated[list[TypeText], msgspec.Meta(min_length=1, max_length=TYPES_MAX)]
    help: Annotated[str, msgspec.Meta(max_length=4_096)]
    default: Any = UNSET
    default_type: TypeText | UnsetType = UNSET
    const: bool | UnsetType = UNSET


class ContractForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What nodes work on: ``job_type`` is the text of its contract, which says inputs and outputs.

    ``executor_class`` is the path of a class, ``required_packages`` what pip installs for it.
    """

    job_type: ContractText
    executor_class: Executor
    required_packages: Packages
    parameters: dict[str, ParameterForm]


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a meta-template changes about a parameter of a child; a constant needs a default."""

    default: Any = UNSET
    default_type: TypeText | UnsetType = UNSET
    const: bool | UnsetType = UNSET


class NodeForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A child: the template by name, in its highest version unless one is said."""

    name: TemplateName
    version: Version | UnsetType = UNSET
    parameter_default_overrides: dict[str, Override] = {}


class Dependency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An output of one child that is an input of another, by names."""

    from_node: str
    from_output: str
    to_node: str
    to_input: str


class GraphForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A meta-template: its children by name, and what they give each other."""

    nodes: dict[str, NodeForm]
    dependencies: list[Dependency]


class NativeForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A template without a contract: it says itself what its jobs take and give.

    Entries of the three sections are those of ``POST /v1/job-templates``.
    """

    inputs: dict[str, Any]
    outputs: dict[str, Any]
    parameters: dict[str, Any] = {}
    executor_class: Annotated[str, msgspec.Meta(max_length=128)] | None = None
    required_packages: Packages = ""


class TemplateForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole template.

    ``specific`` is a ``ContractForm``, a ``GraphForm`` or a ``NativeForm``; without a ``version``
    it becomes the one after the highest active one. ``licence`` (its name) and ``scope`` are needed
    unless it is native. ``hub`` is what UFDL does not know: absent when all of it is as it is by
    default.
    """

    name: TemplateName
    version: Version | UnsetType = UNSET
    description: Description = ""
    scope: Scope | UnsetType = UNSET
    licence: LicenceName | UnsetType = UNSET
    domain: DomainName | UnsetType = UNSET
    specific: dict[str, Any]
    hub: Conditions | UnsetType = UNSET
