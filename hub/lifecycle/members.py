"""The jobs that are made with a meta-job, from the graph of its template and its values. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from hub.lifecycle.commands import Member
from hub.lifecycle.graphs import SEPARATOR, Wire
from hub.lifecycle.interface import Bound, ParameterSpec, TypedValue
from hub.lifecycle.template_graphs import (
    Graph,
    GraphNode,
    child_parameters,
    feeding,
    in_order,
    of_child,
    parse_graph,
    wired_type,
)
from hub.lifecycle.templates import interface_of
from orm.queries.templates import TemplateRow

TOP = -1


def members_of(
    template: TemplateRow, bound: Bound, children: Mapping[int, TemplateRow], lost_after_s: int
) -> tuple[Member, ...]:
    """Return the jobs of a graph, each behind its parent and behind those that it waits for.

    Args:
        template: The meta-template.
        bound: The values of the meta-job, checked, by ``child:name``.
        children: The templates that the graph and the graphs in it name, by number.
        lost_after_s: The silence that loses a run, in seconds, where its template does not say.
    """
    made: list[Member] = []
    _add(made, TOP, template, bound, children, lost_after_s)
    return tuple(made)


def paths_of(members: Sequence[Member]) -> dict[str, int]:
    """Return the place of each member by the names that lead to it: ``child:grandchild``."""
    paths: list[str] = []
    for member in members:
        above = "" if member.parent == TOP else f"{paths[member.parent]}{SEPARATOR}"
        paths.append(above + member.name)
    return {path: place for place, path in enumerate(paths)}


def _add(
    made: list[Member],
    parent: int,
    template: TemplateRow,
    bound: Bound,
    children: Mapping[int, TemplateRow],
    lost_after_s: int,
) -> None:
    graph = parse_graph(template.graph or "")
    for name in in_order(graph):
        node = graph.nodes[name]
        row = children[node.template]
        own = Bound(
            inputs=of_child(bound.inputs, name),
            parameters=_parameters(node, row, of_child(bound.parameters, name)),
        )
        wires = list(_wires(graph, name, children))
        made.append(
            Member(
                parent=parent,
                name=name,
                template=row.pk,
                priority=row.priority,
                max_tries=row.max_tries,
                silence_s=row.silence_s or lost_after_s,
                timeout_s=row.timeout_s,
                description=f"child job '{name}' of meta-job {template.name} v{template.version}",
                labels=row.labels,
                inputs=_json(own.inputs),
                parameters=_json(own.parameters),
                wires=_json(wires) if wires else None,
            )
        )
        if row.graph is not None:
            _add(made, len(made) - 1, row, own, children, lost_after_s)


def _parameters(
    node: GraphNode, row: TemplateRow, given: dict[str, TypedValue]
) -> dict[str, TypedValue]:
    """Return a child's parameters; its worker knows its template's defaults, not the graph's."""
    specs = child_parameters(node, interface_of(row))
    overridden = {
        name: _default(specs[name])
        for name, override in node.parameter_default_overrides.items()
        if override.default is not UNSET
    }
    return {**overridden, **given}


def _default(spec: ParameterSpec) -> TypedValue:
    return TypedValue(value=spec.default, type=str(spec.default_type))


def _wires(graph: Graph, name: str, children: Mapping[int, TemplateRow]) -> Iterator[Wire]:
    taken = interface_of(children[graph.nodes[name].template]).inputs
    for dependency in feeding(graph)[name]:
        source = children[graph.nodes[dependency.from_node].template]
        given = interface_of(source).outputs[dependency.from_output]
        wired = wired_type(given.type, taken[dependency.to_input].types)
        yield Wire(dependency.from_node, dependency.from_output, dependency.to_input, wired or "")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
