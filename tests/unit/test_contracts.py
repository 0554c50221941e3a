"""Contracts of jobs: their texts, and what their jobs take and give."""

import pytest

from hub.errors import Kind
from hub.lifecycle.contracts import (
    BUILT_IN_CONTRACTS,
    BadContract,
    Contract,
    contract_inputs,
    contract_outputs,
    contract_text,
    contract_types,
    parse_contract,
)
from hub.lifecycle.interface import InputSpec, OutputSpec

IMAGES, TORCH = "Domain<'Image Classification'>", "Framework<'torch', '2'>"
MODEL = f"Model<{IMAGES}, {TORCH}>"
DATASET = f"Dataset<{IMAGES}>"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Export", "Export"),
        (" Export ", "Export"),
        ("Train", "Train<Domain<str>, Framework<str, str>>"),
        ("Train<Domain,Framework>", "Train<Domain<str>, Framework<str, str>>"),
        (f"Predict < {IMAGES},{TORCH} >", f"Predict<{IMAGES}, {TORCH}>"),
        ("Predict<Domain<'it\\'s {0}'>, Framework>", None),
    ],
)
def test_a_contract_is_stored_in_one_form_with_its_bounds_filled_in(
    text: str, written: str | None
) -> None:
    contract = parse_contract(text)

    if written is not None:
        assert contract_text(contract) == written
    assert parse_contract(contract_text(contract)) == contract


def test_training_makes_a_model_of_a_dataset() -> None:
    contract = parse_contract(f"Train<{IMAGES}, {TORCH}>")

    assert contract.name == "Train"
    assert contract_types(contract) == {"DomainType": IMAGES, "FrameworkType": TORCH}
    assert contract_inputs(contract) == {"dataset": InputSpec([f"PK<{DATASET}>"])}
    assert contract_outputs(contract) == {"model": OutputSpec(MODEL)}


def test_predicting_applies_a_model_to_a_dataset() -> None:
    contract = parse_contract(f"Predict<{IMAGES}, {TORCH}>")

    assert contract_types(contract) == {"DomainType": IMAGES, "FrameworkType": TORCH}
    assert contract_inputs(contract) == {
        "model": InputSpec([f"JobOutput<{MODEL}>"]),
        "dataset": InputSpec([f"PK<{DATASET}>", f"Name<{DATASET}>"]),
    }
    assert contract_outputs(contract) == {"predictions": OutputSpec(f"PK<{DATASET}>")}


@pytest.mark.parametrize(
    ("text", "registered"), [("Export", frozenset()), ("Paint", frozenset({"Paint", "Glue"}))]
)
def test_nothing_is_asked_of_an_export_nor_of_a_registered_contract(
    text: str, registered: frozenset[str]
) -> None:
    contract = parse_contract(text, registered)

    assert (contract, contract_text(contract)) == (Contract(text), text)
    assert not contract_types(contract)
    assert not contract_inputs(contract)
    assert not contract_outputs(contract)


def test_a_built_in_contract_goes_before_a_registered_one_of_its_name() -> None:
    assert parse_contract("Train", frozenset({"Train"})) == parse_contract("Train")


def test_a_brace_in_a_contract_is_a_text_like_others() -> None:
    contract = parse_contract("Train<Domain<'{FrameworkType}'>, Framework>")

    assert contract_inputs(contract)["dataset"].types == ["PK<Dataset<Domain<'{FrameworkType}'>>>"]


PARSING = "Error parsing contract-string"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("X", "Bad name 'X': Unknown contract name"),
        ("train", "Bad name 'train': Unknown contract name"),
        ("Domain<'x'>", "Bad name 'Domain': Unknown contract name"),
        ("Train<Domain>", f'{PARSING} "Train<Domain>": Train takes 2 arguments, not 1'),
        ("Export<int>", f'{PARSING} "Export<int>": Export takes 0 arguments, not 1'),
        ("Paint<int>", f'{PARSING} "Paint<int>": Paint takes 0 arguments, not 1'),
        (
            "Train<Framework, Domain>",
            f'{PARSING} "Train<Framework, Domain>": '
            "Framework<str, str> is no Domain<str>, the bound in Train",
        ),
        ("Train<Domain, X>", f'{PARSING} "Train<Domain, X>": Unknown type-name "X"'),
        ("Train Train", f'{PARSING} "Train Train": expected the end at position 6'),
        ("Train<", f'{PARSING} "Train<": expected a type at position 6'),
        ("", f'{PARSING} "": expected a name at position 0'),
        ("5", f'{PARSING} "5": expected a name at position 0'),
        ("Export;", f'{PARSING} "Export;": unexpected character at position 6'),
        (
            "x" * 2000,
            f'{PARSING} "{"x" * 80}…": longer than 1024 characters at position 1024',
        ),
    ],
)
def test_a_text_that_is_no_contract_is_refused(text: str, told: str) -> None:
    with pytest.raises(BadContract) as refusal:
        parse_contract(text, frozenset({"Paint"}))

    assert (refusal.value.kind, refusal.value.code) == (Kind.INVALID, "bad_contract")
    assert refusal.value.detail == told


@pytest.mark.parametrize("name", ["Train", "Predict"])
def test_a_contract_whose_types_would_be_too_large_is_refused(name: str) -> None:
    with pytest.raises(BadContract, match="longer than 1024 characters"):
        parse_contract(f"{name}<Domain<'{'x' * 990}'>,Framework>")


def test_workers_find_each_built_in_contract() -> None:
    assert dict(BUILT_IN_CONTRACTS) == {
        "Train": "ufdl.jobcontracts.standard.Train",
        "Predict": "ufdl.jobcontracts.standard.Predict",
        "Export": "ufdl.jobcontracts.standard.Export",
    }
