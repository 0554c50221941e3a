"""Types and values to try the rules of types on."""

from hypothesis import strategies as st

from hub.lifecycle.type_families import FAMILIES, is_subtype
from hub.lifecycle.types import Constant, Named, TypeExpr, parse

REGISTERED = frozenset({"Colour", "Größe", "_x9"})
"""Types that users registered."""

JSON_VALUE: TypeExpr = Named("UFDLJSONType")
ANY_TYPE: TypeExpr = Named("UFDLType")

words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=6).filter(
    lambda word: not word.endswith("\\")
)
_VALUES: dict[str, st.SearchStrategy[str | int | float | bool]] = {
    "str": words,
    "int": st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
}


ONE_VALUE = "'"
"""Before the name of a class: a type of one of its values."""


@st.composite
def subtypes_of(draw: st.DrawFn, above: TypeExpr, levels: int = 3) -> TypeExpr:
    """Draw a type that is ``above`` or below it, as the contract defines that."""
    if isinstance(above, Constant) or levels == 0:
        return above
    name = draw(st.sampled_from([*_families_below(above), *_constants_below(above)]))
    if name.startswith(ONE_VALUE):
        of = name.removeprefix(ONE_VALUE)
        return Constant(of, draw(_VALUES[of]))
    bounds = above.args if name == above.name else bounds_of(name)
    return Named(name, tuple(draw(subtypes_of(bound, levels - 1)) for bound in bounds))


def bounds_of(name: str) -> tuple[TypeExpr, ...]:
    """Return the bounds of a family's parameters."""
    whole = parse(name, REGISTERED)
    assert isinstance(whole, Named)
    return whole.args


def _families_below(above: Named) -> list[str]:
    names = sorted({*FAMILIES, *REGISTERED})
    return [name for name in names if is_subtype(Named(name), Named(above.name))]


def _constants_below(above: Named) -> list[str]:
    return [ONE_VALUE + of for of in _VALUES if is_subtype(Named(of), Named(above.name))]


types = subtypes_of(ANY_TYPE)
json_types = subtypes_of(JSON_VALUE)

POOL_TEXT = """
    UFDLType UFDLJSONType FiniteJSONType ServerResidentType NamedServerType ValueType
    str int float bool Nothing JSON Colour
    'a' '5' 5 5.0 1 1.0 @true @false BLOB BLOB<'a'>
    Array Array<int> Array<float> Array<5> Array<int,2> Array<5,2> Array<ValueType,2>
    Array<Array<int>> Array<Array,1> Map Map<int> Map<5> Map<Map<int>> Map<JSON> Map<Colour>
    Domain Domain<'a'> Framework Framework<'a','1'> Framework<str,'1'> Hardware Dataset
    Dataset<Domain<'a'>> Model Model<Domain<'a'>,Framework> PK PK<NamedServerType> PK<Dataset>
    PK<Framework> Name Name<Dataset> JobOutput JobOutput<Model> Compressed Compressed<JSON,8>
    DockerImage CUDAVersion PretrainedModel
"""
POOL = [parse(text, REGISTERED) for text in POOL_TEXT.split()]
VALUES: list[object] = [
    None, True, False, 0, 1, 5, 7, 1.0, 5.0, 2.5, "", "a", "5", "YQ==", "not base64",
    [], [5], [5, 5], [1, 2], ["a"], [[]], [[1]], [None], {}, {"k": 5}, {"k": "a"}, {"k": {"k": 5}},
]  # fmt: skip
