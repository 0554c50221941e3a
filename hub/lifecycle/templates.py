"""Versions of job templates: what is sent becomes a checked row, beside what the last one had."""

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
from hub.wire.templates import TEMPLATE_TEXTS, TemplateChange, TemplateIn
from orm.queries.templates import TemplateRow

PLAIN = (
    "name",
    "description",
    "timeout_s",
    "max_tries",
    "priority",
    "executor_class",
    "required_packages",
)
SECTIONS = ("inputs", "parameters", "outputs")
OBJECTS = ("labels", "requirements")
KEPT = ("name", "scope", "domain", "licence", "contract")

NAME_STAYS = "A new version has the name of its template."
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
    max_tries=3,
    priority=100,
)
"""A template of which nothing was said; number and version 0 are given when it is stored."""


def first(sent: TemplateIn) -> TemplateRow:
    """Return the row of a template that is declared.

    Raises:
        InvalidInput: what is wrong, by member.
    """
    check_members(given(sent, PLAIN), TEMPLATE_TEXTS, ("name",))
    return replace(BLANK, version=sent.version or 0, **_columns(sent))


def successor(row: TemplateRow, sent: TemplateChange, *, is_partial: bool) -> TemplateRow:
    """Return the row of the version after ``row``; unless partial, what is not sent is a default.

    Raises:
        InvalidInput: what is wrong, by member.
        TemplateDeleted: ``row`` is deleted.
    """
    columns = _columns(sent)
    if columns.get("name", row.name) != row.name:
        raise InvalidInput(NAME_STAYS, fields={"name": [NAME_STAYS]})
    if row.deleted_us is not None:
        raise TemplateDeleted
    kept = {name: getattr(row, name) for name in KEPT}
    return replace(row if is_partial else BLANK, **{**kept, **columns, "pk": 0, "version": 0})


def _columns(sent: TemplateChange) -> dict[str, Any]:
    columns = given(sent, PLAIN)
    check_members(columns, TEMPLATE_TEXTS)
    for name in ("description", "required_packages"):
        check_storable(name, [columns.get(name, "")])
    path = columns.get("executor_class")
    if path is not None and not is_dotted(path):
        raise InvalidInput(f"executor_class: {NO_PATH}", fields={"executor_class": [NO_PATH]})
    return columns | _interface_columns(sent) | _object_columns(sent)


def _interface_columns(sent: TemplateChange) -> dict[str, str]:
    sections = given(sent, SECTIONS)
    interface = declare(*(sections.get(name, {}) for name in SECTIONS))
    return {name: _json(getattr(interface, name)) for name in sections}


def _object_columns(sent: TemplateChange) -> dict[str, str]:
    if sent.labels is not UNSET:
        check_labels("labels", sent.labels)
    if sent.requirements is not UNSET and sent.requirements.labels is not UNSET:
        check_labels("requirements", sent.requirements.labels)
    return {name: _json(value) for name, value in given(sent, OBJECTS).items()}


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
