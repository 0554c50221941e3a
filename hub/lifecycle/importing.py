"""Templates from elsewhere: what an import says becomes a checked row."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec.structs import replace

from hub.errors import HubError, InvalidInput, Kind
from hub.lifecycle.catalogue import check_members, check_storable, given
from hub.lifecycle.contracts import (
    BadContract,
    contract_inputs,
    contract_outputs,
    parse_contract,
)
from hub.lifecycle.declaring import declare
from hub.lifecycle.interface import Interface
from hub.lifecycle.parameter_forms import parameters_of
from hub.lifecycle.template_graphs import (
    Child,
    check_size,
    graph_interface,
    graph_text,
    make_graph,
    parse_graph,
)
from hub.lifecycle.templates import (
    BLANK,
    FROM_GRAPH,
    OF_GRAPH,
    check_settled,
    condition_columns,
    interface_of,
)
from hub.wire.imports import ContractForm, GraphForm, NativeForm, TemplateForm
from hub.wire.templates import TEMPLATE_TEXTS
from orm.queries.templates import TemplateRow

Specific = ContractForm | GraphForm | NativeForm

OF_UFDL = ("scope", "licence")
"""What a template must have unless it is native."""

STORABLE = ("description", "scope", "domain", "licence")


class BadTemplate(HubError):
    """This is no job template that could be imported."""

    kind = Kind.INVALID
    code = "bad_job_template"


class Names(msgspec.Struct, frozen=True):
    """What stands behind the names in an import.

    ``licence`` is its number, ``domain`` its two letters. ``children`` are the templates of a
    graph's nodes, by the name of the node; ``types`` and ``contracts`` the names that users
    registered.
    """

    licence: int | None
    domain: str | None
    children: Mapping[str, Child]
    types: frozenset[str]
    contracts: frozenset[str]


@contextmanager
def judged() -> Iterator[None]:
    """Say of whatever is wrong inside that the job template is.

    Raises:
        BadTemplate: a rule refused something as invalid.
    """
    try:
        yield
    except HubError as fault:
        if fault.kind is not Kind.INVALID:
            raise
        raise BadTemplate(f"Bad job template: {_first(fault)}", fields=fault.fields) from fault


def _first(fault: HubError) -> str:
    """Say what is wrong first: some faults are told by field alone."""
    for field, texts in fault.fields.items():
        return fault.detail if texts[0] in fault.detail else f"{field}: {texts[0]}"
    return fault.detail


def specific_of(form: TemplateForm) -> Specific:
    """Return what kind of template it is; its members say which.

    Raises:
        InvalidInput: it has not the form of any.
    """
    members = form.specific.keys()
    kind: type[Specific] = ContractForm
    if members & {"nodes", "dependencies"}:
        kind = GraphForm
    elif members & {"inputs", "outputs"}:
        kind = NativeForm
    try:
        return msgspec.convert(form.specific, kind)
    except msgspec.ValidationError as fault:
        raise InvalidInput(f"specific: {fault}", fields={"specific": [str(fault)]}) from fault


def check_form(form: TemplateForm, specific: Specific) -> None:
    """Refuse what can be told without looking anything up.

    Raises:
        InvalidInput: a member is missing, blank, or could not be stored.
    """
    sent = given(form, ("name", *STORABLE))
    check_members(sent, TEMPLATE_TEXTS, () if isinstance(specific, NativeForm) else OF_UFDL)
    for name in STORABLE:
        check_storable(name, [sent.get(name, "")])
    if isinstance(specific, GraphForm):
        check_size(specific)
        if not isinstance(form.hub, msgspec.UnsetType):
            check_settled(form.hub, OF_GRAPH, FROM_GRAPH)
        check_storable("specific", [node.name for node in specific.nodes.values()])


def row_of(form: TemplateForm, specific: Specific, names: Names) -> TemplateRow:
    """Return the row of a template; version 0 stands for the next one.

    Raises:
        BadType: the text of a type cannot be read.
        BadContract: the text of the contract cannot be.
        InvalidInput: anything else is wrong.
    """
    columns = given(form, ("version", "description", "scope"))
    if not isinstance(form.hub, msgspec.UnsetType):
        columns |= condition_columns(form.hub)
    if isinstance(specific, GraphForm):
        _check_not_itself(form, specific, names)
    columns |= _specific_columns(specific, names)
    return replace(BLANK, name=form.name, licence=names.licence, domain=names.domain, **columns)


def _check_not_itself(form: TemplateForm, graph: GraphForm, names: Names) -> None:
    for name, node in graph.nodes.items():
        if (node.name, names.children[name].version) == (form.name, form.version):
            raise InvalidInput(f"{name} is the template that this one takes the place of")


def _specific_columns(specific: Specific, names: Names) -> dict[str, Any]:
    match specific:
        case ContractForm():
            return _contract_columns(specific, names)
        case GraphForm():
            graph = make_graph(specific, names.children, names.types)
            interfaces = {name: child.interface for name, child in names.children.items()}
            return {"graph": graph_text(graph), **_sections(graph_interface(graph, interfaces))}
        case NativeForm(inputs, outputs, parameters):
            interface = declare(inputs, parameters, outputs, names.types)
            return {**_executor_columns(specific), **_sections(interface)}


def _contract_columns(form: ContractForm, names: Names) -> dict[str, Any]:
    contract = parse_contract(form.job_type, names.contracts)
    if contract.args and "<" not in form.job_type:
        raise BadContract(f"{contract.name} takes {len(contract.args)} arguments, not 0")
    interface = Interface(
        inputs=contract_inputs(contract),
        parameters=parameters_of(form.parameters, names.types),
        outputs=contract_outputs(contract),
    )
    return {"contract": form.job_type, **_executor_columns(form), **_sections(interface)}


def _executor_columns(form: ContractForm | NativeForm) -> dict[str, Any]:
    check_storable("specific", [form.executor_class or "", form.required_packages])
    # Without one no worker is offered a job: it could not run it, and would stop at it.
    executor = form.executor_class or None
    return {"executor_class": executor, "required_packages": form.required_packages}


def _sections(interface: Interface) -> dict[str, str]:
    return {
        name: msgspec.json.encode(getattr(interface, name)).decode()
        for name in interface.__struct_fields__
    }


def child_of(row: TemplateRow) -> Child:
    """Return a template as it may be the child of a graph."""
    jobs = 1 if row.graph is None else 1 + parse_graph(row.graph).jobs
    characters = len(row.inputs) + len(row.parameters) + len(row.outputs)
    return Child(row.pk, row.version, interface_of(row), jobs, characters)
