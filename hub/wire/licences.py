"""Licences on the wire."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from hub.wire.nodes import Whole

LICENCE_TEXTS = {"name": 100, "url": 200}
"""The most characters of each text of a licence."""

NAMES_MAX = 100

Term = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Terms = Annotated[list[Term], msgspec.Meta(max_length=NAMES_MAX)]


class LicenceIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be set of a licence; ``pk`` may stand there and is ignored."""

    pk: Whole | UnsetType = UNSET
    name: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    permissions: Terms | UnsetType = UNSET
    conditions: Terms | UnsetType = UNSET
    limitations: Terms | UnsetType = UNSET
    domains: Terms | UnsetType = UNSET


class TermsChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Terms that a licence shall have, or have no longer."""

    type: Literal["permissions", "conditions", "limitations", "domains"]
    method: Literal["add", "remove"]
    names: Annotated[list[Term], msgspec.Meta(min_length=1, max_length=NAMES_MAX)]


class LicenceOut(msgspec.Struct, frozen=True):
    """A licence: what it permits, on which conditions, what it excludes, and what it is for."""

    pk: int
    name: str
    url: str
    permissions: list[str]
    conditions: list[str]
    limitations: list[str]
    domains: list[str]
