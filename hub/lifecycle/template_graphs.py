"""Graphs of templates: which children a meta-template has, and what they give each other.

Pure: the templates that a graph names are looked up by the caller. A child is fixed by its number
when the graph is made, so a job that is made later has the same children. What a meta-template
takes and gives is named ``child:name``, and ``child:grandchild:name`` where a child is one, too.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

import msgspec
from msgspec import UnsetType

from hub.errors import InvalidInput
from hub.lifecycle.declaring import check_name
from hub.lifecycle.graphs import NAME_MAX, SEPARATOR
from hub.lifecycle.interface import Interface, ParameterSpec
from hub.lifecycle.parameter_forms import settled_override, with_override
from hub.lifecycle.types import canonical, is_subtype, legible, parse_stored
from hub.wire.imports import Dependency, GraphForm, NodeForm, Override

MAX_CHILDREN = 200
MAX_DEPENDENCIES = 1_000

MAX_JOBS = 1_000
"""The most jobs that are made for one graph, children's children included."""

MAX_ENTRIES = 2_000
"""The most inputs, parameters or outputs that its children leave to a meta-template."""

MAX_CHARACTERS = 4 * 2**20
"""The most text in all that its children's templates say of inputs, parameters and outputs."""


class GraphNode(msgspec.Struct, frozen=True):
    """A child: the template that ``name`` and ``version`` were when the graph was made."""

    name: str
    version: int
    template: int
    parameter_default_overrides: dict[str, Override] = {}


class Graph(msgspec.Struct, frozen=True):
    """Children by name, and which output of one is which input of another; without cycles.

    ``jobs`` counts the jobs that are made for it, children's children included, itself not.
    """

    nodes: dict[str, GraphNode]
    dependencies: list[Dependency]
    jobs: int


class Child(msgspec.Struct, frozen=True):
    """A template as a possible child.

    ``jobs`` is how many are made for it, itself included, ``characters`` the length of what it says
    of its interface.
    """

    template: int
    version: int
    interface: Interface
    jobs: int = 1
    characters: int = 0


# Making one


def make_graph(form: GraphForm, children: Mapping[str, Child], registered: frozenset[str]) -> Graph:
    """Check a graph, whose size was checked, and return it, its children fixed by number.

    Args:
        form: What was sent.
        children: The template of each node, by the name of the node.
        registered: The names of the types that users registered.

    Raises:
        BadType: The type of an override cannot be read.
        InvalidInput: It is too large or has a cycle, a name in it is bad or unknown, an input is
            fed twice, or an output or an override does not fit.
    """
    graph = Graph(
        nodes={n: _node(n, node, children[n], registered) for n, node in form.nodes.items()},
        dependencies=form.dependencies,
        jobs=sum(child.jobs for child in children.values()),
    )
    _at_most(MAX_JOBS, "jobs", graph.jobs)
    _at_most(MAX_CHARACTERS, "characters", sum(child.characters for child in children.values()))
    interfaces = {name: child.interface for name, child in children.items()}
    fed: set[tuple[str, str]] = set()
    for dependency in graph.dependencies:
        _check_fit(dependency, interfaces)
        target = dependency.to_node, dependency.to_input
        if target in fed:
            raise InvalidInput(f"{_joined(*target)} is fed twice")
        fed.add(target)
    in_order(graph)
    return graph


def check_size(form: GraphForm) -> None:
    """Refuse a graph that is too large to look its children up.

    Raises:
        InvalidInput: it is.
    """
    _at_most(MAX_CHILDREN, "children", len(form.nodes))
    _at_most(MAX_DEPENDENCIES, "dependencies", len(form.dependencies))


def _at_most(most: int, what: str, there: int) -> None:
    if there > most:
        raise InvalidInput(f"a graph has at most {most:,} {what}, not {there:,}")


def _node(name: str, node: NodeForm, child: Child, registered: frozenset[str]) -> GraphNode:
    # A child's outputs are the meta-template's by this name, so it obeys what theirs obey.
    check_name("outputs", name)
    if SEPARATOR in name:
        raise InvalidInput(f"the name of a child has no {SEPARATOR!r}: {legible(name)}")
    overrides = {}
    for parameter, override in node.parameter_default_overrides.items():
        shown = _joined(name, legible(parameter))
        if parameter not in child.interface.parameters:
            raise InvalidInput(f"there is no parameter {shown}")
        spec = child.interface.parameters[parameter]
        overrides[parameter] = settled_override(shown, spec, override, registered)
    return GraphNode(node.name, child.version, child.template, overrides)


def _check_fit(dependency: Dependency, interfaces: Mapping[str, Interface]) -> None:
    source, target = dependency.from_node, dependency.to_node
    for name in (source, target):
        if name not in interfaces:
            raise InvalidInput(f"there is no child {legible(name)!r}")
    output = interfaces[source].outputs.get(dependency.from_output)
    if output is None:
        raise InvalidInput(f"there is no output {_joined(source, legible(dependency.from_output))}")
    taken = interfaces[target].inputs.get(dependency.to_input)
    if taken is None:
        raise InvalidInput(f"there is no input {_joined(target, legible(dependency.to_input))}")
    if wired_type(output.type, taken.types) is None:
        raise InvalidInput(
            f"{_joined(target, dependency.to_input)} does not take a JobOutput<{output.type}>, "
            f"which {_joined(source, dependency.from_output)} would be"
        )


def wired_type(output: str, inputs: Iterable[str]) -> str | None:
    """Return the type in which an output of one job is given to another as an input.

    The value is the number of the output in either case: a worker downloads it by that.

    Args:
        output: The type of the output, as it is stored.
        inputs: The types that the input takes, as they are stored.

    Returns:
        The text of ``JobOutput<output>`` or ``PK<JobOutput<output>>``, ``None`` if neither fits.

    Raises:
        BadType: It would be too large for the text of a type.
    """
    allowed = [parse_stored(text) for text in inputs]
    for text in (f"JobOutput<{output}>", f"PK<JobOutput<{output}>>"):
        expr = parse_stored(text)
        if any(is_subtype(expr, above) for above in allowed):
            return canonical(expr)
    return None


# Reading one


def in_order(graph: Graph) -> list[str]:
    """Return the children so that each stands behind those that feed it.

    Raises:
        InvalidInput: There is a cycle.
    """
    sorter = TopologicalSorter(dict.fromkeys(graph.nodes, ()))
    for dependency in graph.dependencies:
        sorter.add(dependency.to_node, dependency.from_node)
    try:
        return list(sorter.static_order())
    except CycleError as fault:
        path = " -> ".join(fault.args[1][:8])
        raise InvalidInput(f"the graph has a cycle: {path}") from fault


def feeding(graph: Graph) -> dict[str, list[Dependency]]:
    """Return what feeds each child, by its name; nothing feeds those that can begin at once."""
    found: dict[str, list[Dependency]] = {name: [] for name in graph.nodes}
    for dependency in graph.dependencies:
        found[dependency.to_node].append(dependency)
    return found


def child_parameters(node: GraphNode, interface: Interface) -> dict[str, ParameterSpec]:
    """Return the parameters of a child's template as the graph has them."""
    overrides = node.parameter_default_overrides
    return {
        name: with_override(spec, overrides.get(name, Override()))
        for name, spec in interface.parameters.items()
    }


def graph_interface(graph: Graph, interfaces: Mapping[str, Interface]) -> Interface:
    """Return what a meta-template takes and gives: what its children do not settle themselves.

    Args:
        graph: The graph.
        interfaces: Of each child's template, by the name of the child.

    Raises:
        InvalidInput: That is too much, or a name would be too long.
    """
    fed = {(d.to_node, d.to_input) for d in graph.dependencies}
    children = [(name, node, interfaces[name]) for name, node in graph.nodes.items()]
    interface = Interface(
        inputs={
            _joined(child, name): spec
            for child, _, own in children
            for name, spec in own.inputs.items()
            if (child, name) not in fed
        },
        parameters={
            _joined(child, name): spec
            for child, node, own in children
            for name, spec in child_parameters(node, own).items()
            if spec.const is not True
        },
        outputs={
            _joined(child, name): spec
            for child, _, own in children
            for name, spec in own.outputs.items()
        },
    )
    for names in (interface.inputs, interface.parameters, interface.outputs):
        _check_joined(names)
    return interface


def _check_joined(names: Iterable[str]) -> None:
    names = list(names)
    if len(names) > MAX_ENTRIES:
        raise InvalidInput(f"its children leave more than {MAX_ENTRIES:,} of a kind to the graph")
    for name in names:
        if len(name) > NAME_MAX:
            raise InvalidInput(f"a name is longer than {NAME_MAX} characters: {legible(name)}")


_Value = TypeVar("_Value")


def of_child(values: Mapping[str, _Value], child: str) -> dict[str, _Value]:
    """Return those of a meta-template's values that are a child's, by its own names for them."""
    prefix = child + SEPARATOR
    return {n.removeprefix(prefix): value for n, value in values.items() if n.startswith(prefix)}


def _joined(child: str, name: str) -> str:
    return f"{child}{SEPARATOR}{name}"


# Keeping one


def graph_text(graph: Graph) -> str:
    """Return a graph as it is stored."""
    return msgspec.json.encode(graph).decode()


@lru_cache(maxsize=256)
def parse_graph(text: str) -> Graph:
    """Return a graph that was stored, not to be changed."""
    return msgspec.json.decode(text, type=Graph)


def templates_in(text: str | None) -> list[int]:
    """Return the numbers of a stored graph's templates, each once; ``None`` is no graph."""
    return sorted({node.template for node in _nodes(text)})


def override_types(text: str | None) -> list[str]:
    """Return the texts of the types that a stored graph gives defaults; ``None`` is no graph."""
    overrides = (o for node in _nodes(text) for o in node.parameter_default_overrides.values())
    return [o.default_type for o in overrides if not isinstance(o.default_type, UnsetType)]


def _nodes(text: str | None) -> list[GraphNode]:
    return [] if text is None else list(parse_graph(text).nodes.values())
