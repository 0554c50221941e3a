"""Versions of job templates: what is sent becomes a checked row, beside what the last one had."""

from collections.abc import Collection
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from hub.errors import InvalidInput
from hub.lifecycle.catalogue import (
    TemplateDeleted,
    check_members,
    check_storable,
    given,
    is_dotted,
)
from hub.lifecycle.declaring import declare
from hub.lifecycle.interface import InputSpec, Interface, OutputSpec, ParameterSpec
from hub.wire.templates import TEMPLATE_TEXTS, Conditions, TemplateChange, TemplateIn
from orm.queries.templates import TemplateRow

PLAIN = (
    "name",
    "description",
    "executor_class",
    "required_packages",
)
SECTIONS = ("inputs", "parameters", "outputs")
NUMBERS = ("timeout_s", "silence_s", "max_tries", "priority")
OBJECTS = ("labels", "requirements")
KEPT = ("name", "scope", "domain", "licence", "contract", "graph")

OF_CONTRACT = ("inputs", "outputs")
"""What the contract of a template says, and no version changes."""

OF_GRAPH = (
    "inputs",
    "parameters",
    "outputs",
    "executor_class",
    "required_packages",
    "timeout_s",
    "silence_s",
    "max_tries",
    "requirements",
)
"""What follows from the children of a meta-template, or is theirs: no node works on itself."""

NAME_STAYS = "A new version has the name of its template."
FROM_CONTRACT = "The contract of this template says that."
FROM_GRAPH = "The children of this template say that."
NO_PATH = "This is the path of a class: identifiers joined by dots."

BLANK = TemplateRow(
    pk=0,
    name="",
    version=0,
    description="",
    scope="",
    domain=None,
    licence=None,
    contract="",
    creator=None,
    created_us=0,
    deleted_us=None,
    executor_class=None,
    required_packages="",
    inputs="{}",
    parameters="{}",
    outputs="{}",
    labels="{}",
    requirements="{}",
    timeout_s=None,
    silence_s=None,
    max_tries=3,
    priority=100,
    graph=None,
)
"""A template of which nothing was said; number and version 0 are given when it is stored."""


def first(sent: TemplateIn, registered: frozenset[str]) -> TemplateRow:
    """Return the row of a template that is declared.

    Args:
        sent: The template.
        registered: The names of the types that users registered.

    Raises:
        InvalidInput: what is wrong, by member.
    """
    check_members(given(sent, PLAIN), TEMPLATE_TEXTS, ("name",))
    return replace(BLANK, version=sent.version or 0, **_columns(sent, registered))


def successor(
    row: TemplateRow, sent: TemplateChange, registered: frozenset[str], *, is_partial: bool
) -> TemplateRow:
    """Return the row of the version after ``row``.

    Args:
        row: The version before it.
        sent: What is to be different.
        registered: The names of the types that users registered.
        is_partial: What is not sent is as it was before; else it has its default.

    Raises:
        InvalidInput: what is wrong, by member; also a member that is not for people to change.
        TemplateDeleted: ``row`` is deleted.
    """
    fixed, reason = fixed_members(row)
    check_settled(sent, fixed, reason)
    columns = _columns(sent, registered)
    if columns.get("name", row.name) != row.name:
        raise InvalidInput(NAME_STAYS, fields={"name": [NAME_STAYS]})
    if row.deleted_us is not None:
        raise TemplateDeleted
    kept = {name: getattr(row, name) for name in (*KEPT, *fixed)}
    return replace(row if is_partial else BLANK, **{**kept, **columns, "pk": 0, "version": 0})


def fixed_members(row: TemplateRow) -> tuple[tuple[str, ...], str]:
    """Return which members of a template its contract or its graph settles, and that in words."""
    if row.graph is not None:
        return OF_GRAPH, FROM_GRAPH
    return (OF_CONTRACT, FROM_CONTRACT) if row.contract else ((), "")


def check_settled(sent: msgspec.Struct, settled: Collection[str], reason: str) -> None:
    """Refuse members that are not for people to change.

    Raises:
        InvalidInput: one of them was sent.
    """
    wrong = given(sent, [name for name in sent.__struct_fields__ if name in settled])
    if wrong:
        fields = {name: [reason] for name in wrong}
        raise InvalidInput(f"{', '.join(wrong)}: {reason}", fields=fields)


def _columns(sent: TemplateChange, registered: frozenset[str]) -> dict[str, Any]:
    columns = given(sent, PLAIN)
    check_members(columns, TEMPLATE_TEXTS)
    for name in ("description", "required_packages"):
        check_storable(name, [columns.get(name, "")])
    path = columns.get("executor_class")
    if path is not None and not is_dotted(path):
        raise InvalidInput(f"executor_class: {NO_PATH}", fields={"executor_class": [NO_PATH]})
    return columns | _interface_columns(sent, registered) | condition_columns(sent)


def _interface_columns(sent: TemplateChange, registered: frozenset[str]) -> dict[str, str]:
    sections = given(sent, SECTIONS)
    inputs, parameters, outputs = (sections.get(name, {}) for name in SECTIONS)
    interface = declare(inputs, parameters, outputs, registered)
    return {name: _json(getattr(interface, name)) for name in sections}


def condition_columns(sent: Conditions) -> dict[str, Any]:
    """Return the conditions that were sent as they are stored.

    Raises:
        InvalidInput: a label could not be stored.
    """
    if sent.labels is not UNSET:
        check_labels("labels", sent.labels)
    if sent.requirements is not UNSET and sent.requirements.labels is not UNSET:
        check_labels("requirements", sent.requirements.labels)
    objects = {name: _json(value) for name, value in given(sent, OBJECTS).items()}
    return given(sent, NUMBERS) | objects


def check_labels(member: str, labels: dict[str, str]) -> None:
    """Refuse labels that PostgreSQL could not read later.

    Raises:
        InvalidInput: one of them has a NUL character.
    """
    check_storable(member, [*labels, *labels.values()])


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def interface_of(row: TemplateRow) -> Interface:
    """Return what a template says about the values of its jobs, not to be changed."""
    return _interface(row.inputs, row.parameters, row.outputs)


# Rows never change, so what was read once stays right; most jobs are made from few templates.
@lru_cache(maxsize=256)
def _interface(inputs: str, parameters: str, outputs: str) -> Interface:
    return Interface(
        inputs=msgspec.json.decode(inputs, type=dict[str, InputSpec]),
        parameters=msgspec.json.decode(parameters, type=dict[str, ParameterSpec]),
        outputs=msgspec.json.decode(outputs, type=dict[str, OutputSpec]),
    )
