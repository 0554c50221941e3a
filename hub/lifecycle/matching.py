"""Which templates somebody can use who has things of certain types."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from hub.errors import InvalidInput
from hub.lifecycle.contracts import BadContract, contract_inputs, contract_name, parse_contract
from hub.lifecycle.interface import InputSpec
from hub.lifecycle.types import TypeExpr, is_subtype, legible, parse_stored
from orm.queries.templates import ContractRow

_INPUTS = msgspec.json.Decoder(dict[str, InputSpec])


def check_inputs(contract: str, names: Iterable[str], registered: frozenset[str]) -> None:
    """Refuse a name that is not one of a contract alone, and inputs that such contracts have not.

    Args:
        contract: The name.
        names: The inputs.
        registered: The names of the contracts that users registered.

    Raises:
        BadContract: There is no contract of this name.
        InvalidInput: It has no input of one of the names.
    """
    found = parse_contract(contract, registered)
    if found.name != contract:
        raise BadContract(f"Bad name '{legible(contract)}': Unknown contract name")
    inputs = contract_inputs(found)
    for name in names:
        if name not in inputs:
            raise InvalidInput(f"Bad name '{legible(name)}': {contract} has no such input")


def matching(
    rows: Iterable[ContractRow], contract: str, given: Mapping[str, list[TypeExpr]]
) -> Iterator[int]:
    """Yield the numbers of the templates whose jobs are of a contract and take what is given.

    A template without a contract is of none, whatever it takes; and so is a meta-template.

    Args:
        rows: At least all active templates of that contract.
        contract: Its name.
        given: Types of things, by the name of the input that they are for.
    """
    for row in rows:
        if contract_name(row.contract) == contract:
            inputs = _INPUTS.decode(row.inputs)
            if all(_takes(inputs[name], exprs) for name, exprs in given.items()):
                yield row.pk


def _takes(spec: InputSpec, exprs: Iterable[TypeExpr]) -> bool:
    allowed = [parse_stored(text) for text in spec.types]
    return all(any(is_subtype(expr, above) for above in allowed) for expr in exprs)
