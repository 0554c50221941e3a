"""What a form asks about templates: which fit, and what their jobs take and give."""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub.api.desk import Desk
from hub.api.job_templates import existing, out
from hub.api.job_view import ENCODER
from hub.api.jobs import AnyRequest
from hub.api.known_values import known_values
from hub.api.lists import answer_rows, searching
from hub.errors import InvalidInput
from hub.lifecycle.contracts import contract_types, parse_stored_contract
from hub.lifecycle.matching import check_inputs, matching
from hub.lifecycle.parameter_schemas import lookups, with_schemas
from hub.lifecycle.templates import interface_of
from hub.lifecycle.types import parse
from hub.wire.templates import ParameterOut, TemplateOut
from orm.queries import templates
from orm.queries.named_classes import JOB_CONTRACTS, JOB_TYPES
from orm.queries.templates import TemplateRow

INPUTS_MAX = 256
"""The most inputs that one question names."""


class TemplateQuestionsController(Controller):
    """The routes that answer about templates."""

    path = "/v1/job-templates"
    tags = ("job templates",)

    @get(
        "/get-all-matching-templates/{contract:str}",
        opt={"action": "job_templates_matching"},
        operation_id="job_templates_matching",
    )
    async def all_matching(
        self, request: AnyRequest, contract: FromPath[str], desk: NamedDependency[Desk]
    ) -> Response[list[TemplateOut]]:
        """List the templates of a contract that take what is given: ``?input=type&...``.

        A template without a contract matches none, whatever it takes.
        """
        asked = _asked(request.scope["query_string"])
        check_inputs(contract, asked, await JOB_CONTRACTS.registered(desk.engine))
        registered = await JOB_TYPES.registered(desk.engine)
        given = {name: [parse(text, registered) for text in texts] for name, texts in asked.items()}
        with searching("contract"):
            rows = await templates.of_contract(desk.engine, contract)

        async def encode(pks: Sequence[int]) -> list[bytes]:
            return [ENCODER.encode(out(row)) for row in await templates.some(desk.engine, pks)]

        return await answer_rows(list(matching(rows, contract, given)), encode, desk.list_max)

    @get(
        "/{pk:int}/get-all-parameters",
        opt={"action": "job_templates_parameters"},
        operation_id="job_templates_parameters",
    )
    async def all_parameters(
        self, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[dict[str, ParameterOut]]:
        """Show the parameters of a template, with a JSON schema for each of their types."""
        specs = interface_of(await existing(desk, pk)).parameters
        with searching():
            known = await known_values(desk.engine, lookups(specs))
        return Response(with_schemas(specs, known))

    @get(
        "/{pk:int}/get-types",
        opt={"action": "job_templates_types"},
        operation_id="job_templates_types",
    )
    async def types(
        self, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[dict[str, str]]:
        """Show the arguments of a template's contract, by the names of its parameters."""
        row = await _workable(desk, pk)
        if not row.contract:
            return Response({})
        return Response(contract_types(parse_stored_contract(row.contract)))

    @get(
        "/{pk:int}/get-outputs",
        opt={"action": "job_templates_outputs"},
        operation_id="job_templates_outputs",
    )
    async def outputs(
        self, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[dict[str, str]]:
        """Show the type of each output that a job of this template gives."""
        given = interface_of(await _workable(desk, pk)).outputs
        return Response({name: spec.type for name, spec in given.items()})


def _asked(query: bytes) -> dict[str, list[str]]:
    """Return the types that a query names, by input; they may come raw or escaped."""
    asked: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(
            query.decode(errors="replace"), keep_blank_values=True, max_num_fields=INPUTS_MAX
        )
    except ValueError as error:
        raise InvalidInput(f"more than {INPUTS_MAX} inputs are named") from error
    for name, text in pairs:
        asked.setdefault(name, []).append(text)
    return asked


async def _workable(desk: Desk, pk: int) -> TemplateRow:
    row = await existing(desk, pk)
    if row.graph is not None:
        raise InvalidInput(f"job template {pk} is a meta-template: it has no contract")
    return row
