"""Contracts of jobs: what every job of a kind takes and gives, whichever template it is made from.

A contract is written like a type: ``Train<Domain<'Images'>, Framework<'torch', '2'>>``. The kinds
are those of UFDL's job contracts.
"""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from hub.errors import HubError, Kind
from hub.lifecycle.interface import InputSpec, OutputSpec
from hub.lifecycle.types import (
    BadType,
    TypeExpr,
    beyond_bound,
    canonical,
    legible,
    parse,
    read_application,
)

PKG = "ufdl.jobcontracts"


class BadContract(HubError):
    """This text is not the text of a job contract."""

    kind = Kind.INVALID
    code = "bad_contract"


class Contract(msgspec.Struct, frozen=True):
    """A contract by name with all of its arguments, any left out in the text as its bound."""

    name: str
    args: tuple[TypeExpr, ...] = ()


class _Form(msgspec.Struct, frozen=True):
    """What contracts of one name have in common.

    ``parameters`` are the bounds by name; in the texts of the types, in braces, a parameter stands
    for its argument.
    """

    parameters: Mapping[str, str] = {}
    inputs: Mapping[str, tuple[str, ...]] = {}
    outputs: Mapping[str, str] = {}


_TRAINED = {"DomainType": "Domain", "FrameworkType": "Framework"}
_MODEL = "Model<{DomainType}, {FrameworkType}>"
_DATASET = "Dataset<{DomainType}>"

_FORMS = {
    "Train": _Form(_TRAINED, {"dataset": (f"PK<{_DATASET}>",)}, {"model": _MODEL}),
    "Predict": _Form(
        _TRAINED,
        {
            "model": (f"JobOutput<{_MODEL}>",),
            "dataset": (f"PK<{_DATASET}>", f"Name<{_DATASET}>"),
        },
        {"predictions": f"PK<{_DATASET}>"},
    ),
    "Export": _Form(),
}
_REGISTERED = _Form()

BUILT_IN_CONTRACTS = {name: f"{PKG}.standard.{name}" for name in _FORMS}
"""Name of a contract -> its class: every hub has these, and they stay."""


def parse_contract(text: str, registered: frozenset[str] = frozenset()) -> Contract:
    """Read a contract's text.

    Args:
        text: The contract.
        registered: Names that users gave to contracts of their own: these have no parameters, and
            nothing is known of what their jobs take and give.

    Raises:
        BadContract: Its name is unknown, it has a wrong number or kind of arguments, or it, or a
            type in it, is not well formed or too large.
    """
    try:
        contract = _read(text, registered)
        # With large arguments a type that holds them may be too large.
        contract_inputs(contract)
        contract_outputs(contract)
    except BadType as fault:
        raise BadContract(fault.detail) from fault
    return contract


def parse_stored_contract(text: str) -> Contract:
    """Read the text of a contract that was checked before it was stored."""
    return parse_contract(text, frozenset({contract_name(text)}))


def contract_name(text: str) -> str:
    """Return the name in the text of a contract."""
    return text.partition("<")[0].strip()


def contract_text(contract: Contract) -> str:
    """Write a contract in the one form in which it is stored."""
    args = ", ".join(map(canonical, contract.args))
    return f"{contract.name}<{args}>" if args else contract.name


def contract_types(contract: Contract) -> dict[str, str]:
    """Return the canonical text of each argument, by the name of its parameter."""
    names = _form(contract).parameters
    return dict(zip(names, map(canonical, contract.args), strict=True))


def contract_inputs(contract: Contract) -> dict[str, InputSpec]:
    """Return what every job of this contract takes."""
    return {
        name: InputSpec([_filled(text, contract) for text in texts])
        for name, texts in _form(contract).inputs.items()
    }


def contract_outputs(contract: Contract) -> dict[str, OutputSpec]:
    """Return what every job of this contract gives."""
    outputs = _form(contract).outputs
    return {name: OutputSpec(_filled(text, contract)) for name, text in outputs.items()}


@lru_cache(maxsize=256)
def _read(text: str, registered: frozenset[str]) -> Contract:
    name, args = read_application(text, "contract")
    if name not in _FORMS and name not in registered:
        raise BadContract(f"Bad name '{legible(name)}': Unknown contract name")
    bounds = tuple(map(parse, _FORMS.get(name, _REGISTERED).parameters.values()))
    if args and len(args) != len(bounds):
        raise _bad(text, f"{name} takes {len(bounds)} arguments, not {len(args)}")
    if excess := beyond_bound(args, bounds):
        raise _bad(text, f"{excess}, the bound in {name}")
    return Contract(name, args or bounds)


def _bad(text: str, reason: str) -> BadContract:
    return BadContract(f'Error parsing contract-string "{legible(text)}": {reason}')


def _form(contract: Contract) -> _Form:
    return _FORMS.get(contract.name, _REGISTERED)


def _filled(text: str, contract: Contract) -> str:
    """Write a type with the contract's arguments in place of its parameters."""
    return canonical(parse(text.format_map(contract_types(contract))))
