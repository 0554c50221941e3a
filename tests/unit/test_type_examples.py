"""What UFDL's contract says about types and job contracts, sentence by sentence, as one table."""

import re
from collections.abc import Callable

import pytest

from hub.lifecycle.contracts import (
    BadContract,
    contract_inputs,
    contract_outputs,
    contract_text,
    parse_contract,
)
from hub.lifecycle.types import (
    BadType,
    canonical,
    is_abstract,
    is_server_resident,
    is_subtype,
    parse,
)

ABBREVIATED = {
    "TRAIN": "Train<Domain<'D'>, Framework<'n', 'v'>>",
    "PREDICT": "Predict<Domain<'D'>, Framework<'n', 'v'>>",
    "MODEL": "Model<Domain<'D'>, Framework<'n', 'v'>>",
    "DATASET": "Dataset<Domain<'D'>>",
}

EXAMPLES = r"""
# A name, or one with as many arguments as the type has parameters; Array may take one of its two.
Array<str>                   is written       Array<str, int>
Array<str, 3>                is written       Array<str, 3>
Map                          is written       Map<UFDLJSONType>
Map<int, int>                is refused       Map takes 1 arguments, not 2
Framework<str>               is refused       Framework takes 2 arguments, not 1
Compressed<JSON>             is refused       Compressed takes 2 arguments, not 1
Compressed<JSON, 8>          is written       Compressed<JSON, 8>
str<int>                     is refused       str takes 0 arguments, not 1
Hardware<str>                is refused       Hardware takes 0 arguments, not 1
CUDAVersion<'11.1'>          is refused       CUDAVersion takes 0 arguments, not 1

# An argument is a type, a quoted text, an int, a float, @true, @false.
'it\'s'                      is written       'it\'s'
Domain<'it\'s'>              is written       Domain<'it\'s'>
5                            is written       5
-5                           is written       -5
0.5                          is written       0.5
@true                        is written       @true
@false                       is written       @false
JobOutput<@true>             is written       JobOutput<@true>
Framework<'torch', '1.8'>    is written       Framework<'torch', '1.8'>

# Blanks are free on input.
Array<str,3>                 is written       Array<str, 3>
PK < Dataset<Domain< 'x' > >>  is written       PK<Dataset<Domain<'x'>>>

# Missing arguments become the parameter's bound.
PK<Dataset>                  is written       PK<Dataset<Domain<str>>>
Array                        is written       Array<UFDLJSONType, int>
Compressed                   is written       Compressed<UFDLType, int>
BLOB                         is written       BLOB<str>
Domain                       is written       Domain<str>
Framework                    is written       Framework<str, str>
Model                        is written       Model<Domain<str>, Framework<str, str>>
Dataset                      is written       Dataset<Domain<str>>
DockerImage                  is written       DockerImage<Domain<str>, Framework<str, str>>
PretrainedModel              is written       PretrainedModel<Domain<str>, Framework<str, str>>
JobOutput                    is written       JobOutput<UFDLType>
PK                           is written       PK<ServerResidentType>
Name                         is written       Name<NamedServerType>

# An argument is within its bound.
Array<BLOB>                  is refused       BLOB<str> is no UFDLJSONType
Array<str, 'x'>              is refused       'x' is no int
Map<Model>                   is refused       is no UFDLJSONType
Compressed<BLOB, 'x'>        is refused       'x' is no int
BLOB<int>                    is refused       int is no str
Domain<5>                    is refused       5 is no str
Framework<'n', 2>            is refused       2 is no str
Model<Framework, Domain>     is refused       Framework<str, str> is no Domain<str>
Dataset<'x'>                 is refused       'x' is no Domain<str>
PK<int>                      is refused       int is no ServerResidentType
PK<PK<Dataset>>              is refused       is no ServerResidentType
PK<Framework>                is written       PK<Framework<str, str>>
Name<Framework>              is refused       Framework<str, str> is no NamedServerType
Name<JobOutput>              is refused       JobOutput<UFDLType> is no NamedServerType
JobOutput<BLOB>              is written       JobOutput<BLOB<str>>

# Names are those of the language.
Foo                          is refused       parsing type-string "Foo": Unknown type-name "Foo"
PK<dataset>                  is refused       Unknown type-name "dataset"
job_output<str>              is refused       Unknown type-name "job_output"

# Classes.
str                          is a             ValueType
int                          is a             ValueType
float                        is a             ValueType
bool                         is a             ValueType
ValueType                    is a             UFDLJSONType
UFDLJSONType                 is a             UFDLType
UFDLType                     is no            UFDLJSONType
Array                        is a             UFDLJSONType
Map                          is a             UFDLJSONType
JSON                         is a             UFDLJSONType
Array                        is no            JSON
Nothing                      is a             FiniteJSONType
PK                           is a             FiniteJSONType
Name                         is a             FiniteJSONType
FiniteJSONType               is a             UFDLJSONType
str                          is no            FiniteJSONType
JobOutput                    is a             ServerResidentType
Framework                    is a             ServerResidentType
ServerResidentType           is a             FiniteJSONType
Dataset                      is a             NamedServerType
DockerImage                  is a             NamedServerType
Domain                       is a             NamedServerType
Hardware                     is a             NamedServerType
CUDAVersion                  is a             NamedServerType
PretrainedModel              is a             NamedServerType
NamedServerType              is a             ServerResidentType
Framework                    is no            NamedServerType
PK                           is no            ServerResidentType
BLOB                         is a             UFDLType
Compressed                   is a             UFDLType
Model                        is a             UFDLType
BLOB                         is no            UFDLJSONType
Compressed                   is no            UFDLJSONType
Model                        is no            UFDLJSONType

# A constant is a type with one value.
5                            is a             int
5                            is no            float
int                          is no            5
5                            is no            5.0
'a'                          is a             str
@true                        is a             bool
@true                        is no            int

# A sub-type's class is the other's or below it, and each argument is below the other's.
int                          is no            float
Array<'a'>                   is a             Array<str>
Array<int>                   is no            Array<int, 2>
Array<int, 2>                is a             Array<int>
PK<Dataset<Domain<'D'>>>     is a             PK<Dataset>
PK<Dataset>                  is no            PK<Dataset<Domain<'D'>>>
PK<Dataset>                  is a             PK<NamedServerType>
Framework<'n', 'v'>          is a             Framework<'n', str>
Framework<'n', 'v'>          is no            Framework<'v', 'n'>
Framework<'n', 'v'>          is a             ServerResidentType
JobOutput<Model>             is a             JobOutput
JobOutput<Model>             is no            JobOutput<BLOB>
Name<Dataset>                is no            PK<Dataset>

# Where all values of a type are asked for.
Framework<'n', 'v'>          is               server-resident
JobOutput<int>               is               server-resident
ServerResidentType           is               server-resident
int                          is not           server-resident
PK<Dataset>                  is not           server-resident
Name<Dataset>                is not           server-resident
Nothing                      is not           server-resident
5                            is not           server-resident
ServerResidentType           is               abstract
NamedServerType              is               abstract
UFDLType                     is               abstract
UFDLJSONType                 is               abstract
FiniteJSONType               is               abstract
ValueType                    is               abstract
Hardware                     is not           abstract
JobOutput                    is not           abstract
5                            is not           abstract

# Job contracts: a name and the grammar of types; wrong name or count is an error.
TRAIN                        takes            dataset: PK<DATASET>
TRAIN                        gives            model: MODEL
PREDICT                      takes            model: JobOutput<MODEL>
PREDICT                      takes            dataset: PK<DATASET> or Name<DATASET>
PREDICT                      gives            predictions: PK<DATASET>
Export                       is the contract  Export
Train                        is the contract  Train<Domain<str>, Framework<str, str>>
Train<Domain>                is no contract   Train takes 2 arguments, not 1
Export<int>                  is no contract   Export takes 0 arguments, not 1
X                            is no contract   Bad name 'X': Unknown contract name
"""


def is_written(text: str, written: str) -> None:
    assert canonical(parse(text)) == written


def is_refused(text: str, told: str) -> None:
    with pytest.raises(BadType) as refusal:
        parse(text)
    assert told in refusal.value.detail


def is_a(below: str, above: str) -> None:
    assert is_subtype(parse(below), parse(above))


def is_no(below: str, above: str) -> None:
    assert not is_subtype(parse(below), parse(above))


QUESTIONS = {"abstract": is_abstract, "server-resident": is_server_resident}


def is_such(text: str, question: str) -> None:
    assert QUESTIONS[question](parse(text))


def is_not_such(text: str, question: str) -> None:
    assert not QUESTIONS[question](parse(text))


def is_the_contract(text: str, written: str) -> None:
    assert contract_text(parse_contract(text)) == written


def is_no_contract(text: str, told: str) -> None:
    with pytest.raises(BadContract) as refusal:
        parse_contract(text)
    assert told in refusal.value.detail


def takes(contract: str, told: str) -> None:
    name, _, texts = told.partition(": ")
    assert contract_inputs(parse_contract(contract))[name].types == texts.split(" or ")


def gives(contract: str, told: str) -> None:
    name, _, text = told.partition(": ")
    assert contract_outputs(parse_contract(contract))[name].type == text


def in_full(text: str) -> str:
    for short, long in ABBREVIATED.items():
        text = text.replace(short, long)
    return text


CHECKS: dict[str, Callable[[str, str], None]] = {
    "is written": is_written,
    "is refused": is_refused,
    "is a": is_a,
    "is no": is_no,
    "is": is_such,
    "is not": is_not_such,
    "is the contract": is_the_contract,
    "is no contract": is_no_contract,
    "takes": takes,
    "gives": gives,
}
ROWS = [
    tuple(re.split(r"\s{2,}", line.strip()))
    for line in EXAMPLES.splitlines()
    if line.strip() and not line.strip().startswith("#")
]


@pytest.mark.parametrize(("left", "relation", "right"), ROWS)
def test_an_example_of_the_contract_holds(left: str, relation: str, right: str) -> None:
    CHECKS[relation](in_full(left), in_full(right))
