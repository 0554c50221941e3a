"""Templates for elsewhere: what an export gives is what an import takes."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from hub.lifecycle.interface import ParameterSpec
from hub.lifecycle.template_graphs import parse_graph
from hub.lifecycle.templates import BLANK, interface_of
from hub.wire.imports import (
    ContractForm,
    GraphForm,
    NativeForm,
    NodeForm,
    ParameterForm,
    TemplateForm,
)
from hub.wire.templates import Conditions, Requirements
from orm.queries.templates import TemplateRow


def form_of(row: TemplateRow, licence: str | None) -> TemplateForm:
    """Return a template as an import says it: made anew of that, only its number and times differ.

    Args:
        row: The template.
        licence: The name of its licence.
    """
    return TemplateForm(
        name=row.name,
        version=row.version,
        description=row.description,
        scope=row.scope or UNSET,
        licence=licence or UNSET,
        domain=row.domain or UNSET,
        specific=msgspec.to_builtins(_specific(row)),
        hub=_conditions(row),
    )


def _specific(row: TemplateRow) -> ContractForm | GraphForm | NativeForm:
    if row.graph is not None:
        return _graph(row.graph)
    interface = interface_of(row)
    if not row.contract:
        return NativeForm(
            inputs=msgspec.to_builtins(interface.inputs),
            outputs=msgspec.to_builtins(interface.outputs),
            parameters=msgspec.to_builtins(interface.parameters),
            executor_class=row.executor_class,
            required_packages=row.required_packages,
        )
    return ContractForm(
        job_type=row.contract,
        executor_class=row.executor_class or "",
        required_packages=row.required_packages,
        parameters={name: _parameter(spec) for name, spec in interface.parameters.items()},
    )


def _graph(text: str) -> GraphForm:
    graph = parse_graph(text)
    return GraphForm(
        nodes={
            child: NodeForm(node.name, node.version, node.parameter_default_overrides)
            for child, node in graph.nodes.items()
        },
        dependencies=graph.dependencies,
    )


def _parameter(spec: ParameterSpec) -> ParameterForm:
    return ParameterForm(spec.types, spec.help, spec.default, spec.default_type, spec.const)


def _conditions(row: TemplateRow) -> Conditions | UnsetType:
    """Return those conditions that are not as they are by default."""
    changed: dict[str, Any] = {
        name: getattr(row, name)
        for name in Conditions.__struct_fields__
        if getattr(row, name) != getattr(BLANK, name)
    }
    for name, kind in (("labels", dict[str, str]), ("requirements", Requirements)):
        if name in changed:
            changed[name] = msgspec.json.decode(changed[name], type=kind)
    return Conditions(**changed) if changed else UNSET
