"""Random filters, always the same: right ones, and such as almost are."""

import random
from collections.abc import Callable, Iterator
from typing import Any

from orm.filters import fields
from orm.filters.fields import Field, Kind, Resource
from tests.fuzz.hostile import SEED

Json = Any

RESOURCES: dict[str, Resource] = {
    "jobs_list": fields.JOBS,
    "job_outputs_list": fields.JOB_OUTPUTS,
    "job_types_list": fields.JOB_TYPES,
    "job_templates_list": fields.JOB_TEMPLATES,
    "nodes_list": fields.NODES,
    "hardware_list": fields.HARDWARE,
    "cuda_list": fields.CUDA,
    "frameworks_list": fields.FRAMEWORKS,
    "domains_list": fields.DOMAINS,
    "licences_list": fields.LICENCES,
    "docker_list": fields.DOCKER,
    "users_list": fields.USERS,
}

FITTING: dict[Kind, tuple[Json, ...]] = {
    Kind.TEXT: (
        *("x", "%", "_", "\\", "\u0130", "\xdf", "\u1e9e", "\u0391\u03a3", "\u03c2", "\ufb01"),
        *("\U0001f600", "\U00010400", "e\u0301", " ", "\n", "\ufffe", "QUEUED", "a" * 5_000),
    ),
    Kind.INT: (0, 1, -1, 5, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 1.0, 9.3e18, 1e300),
    Kind.NUMBER: (0, 1, 0.5, 1e300, -1e308, 5e-324, 2**63 - 1, 0.1),
    Kind.TIME: (
        *("2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "2026-01-01T00:00Z"),
        *("9999-12-31T23:59:59.999999-14:00", "2026-01-01T00:00:00.1234567Z"),
    ),
    Kind.BOOL: (True, False),
}
UNFITTING: tuple[Json, ...] = (
    *("", "\0", "a\0b", "x" * 10_000, 2**63, 2**64, -(2**64), 10**400, 1e19, None, [], {}, True),
    *("9999-12-31T23:59:60Z", "2026-01-01T00:00:00", "0000-00-00T00:00:00Z", {"value": 1}),
)
NO_FIELDS = (
    *("password_hash", "creator.password_hash", "", "x" * 101, "a.b.c", "pk;", '"pk"', "\0", "PK"),
    *("creator__username", "pk ", "jobs.pk", "*", "1"),
)


def filters(count: int) -> Iterator[tuple[str, list[Json]]]:
    """Yield for each list call its share of ``count`` filters."""
    for action, resource in RESOURCES.items():
        maker = _Maker(random.Random(f"{SEED} {action}"), resource)
        yield action, [maker.whole() for _ in range(count // len(RESOURCES))] + list(EXTREMES)


def _deep(levels: int) -> Json:
    condition: Json = {"type": "isnull", "field": "pk"}
    for _ in range(levels):
        condition = {"type": "or", "sub_expressions": [condition, condition]}
    return {"expressions": [condition]}


_ONE: Json = {"type": "compare", "field": "pk", "operator": "<", "value": 5}
EXTREMES: tuple[Json, ...] = (
    _deep(1),
    _deep(2),
    _deep(8),
    {"expressions": [_ONE] * 1_000},
    {"expressions": [_ONE] * 1_001},
    {"expressions": [{"type": "or", "sub_expressions": [_ONE] * 1_000}]},
    {"expressions": [{"type": "or", "sub_expressions": [_ONE]}]},
    {"order_by": [{"field": "pk"}] * 100},
    {"order_by": [{"field": "pk"}] * 101},
    {"expressions": [{**_ONE, "unknown": 1}]},
    {"expressions": [{**_ONE, "type": "COMPARE"}]},
    {"expressions": [{"field": "pk", "value": 1, "invert": True, "type": "exact"}]},
)


class _Maker:
    """Makes filters of one resource."""

    def __init__(self, chance: random.Random, resource: Resource) -> None:
        self._chance = chance
        self._fields = resource.fields

    def whole(self) -> Json:
        """Return a filter."""
        sizes = (0, 1, 1, 2, 5)
        return {
            "expressions": [self._expression() for _ in range(self._chance.choice(sizes))],
            "order_by": [self._order() for _ in range(self._chance.choice(sizes))],
            "include_inactive": self._chance.random() < 0.5,
        }

    def _order(self) -> Json:
        ways = {name: self._chance.random() < 0.5 for name in ("ascending", "nulls_first")}
        return {"field": self._field()[0], **ways}

    def _expression(self) -> Json:
        make = self._chance.choice((self._condition, self._condition, self._and, self._or))
        return make()

    def _and(self) -> Json:
        return self._joined("and", self._condition)

    def _or(self) -> Json:
        return self._joined("or", self._chance.choice((self._condition, self._and)))

    def _joined(self, kind: str, make: Callable[[], Json]) -> Json:
        parts = [make() for _ in range(self._chance.choice((2, 3, 20)))]
        return self._maybe_inverted({"type": kind, "sub_expressions": parts})

    def _condition(self) -> Json:
        name, field = self._field()
        kind = field.kind if field else Kind.TEXT
        value = self._chance.choice(FITTING[kind] if self._chance.random() < 0.95 else UNFITTING)
        choices: tuple[Json, ...] = (
            {"type": "isnull"},
            {"type": "exact", "value": value},
            {"type": "compare", "value": value, "operator": self._chance.choice("<>")},
            {"type": "contains", "sub_string": value, "case_insensitive": True},
        )
        return self._maybe_inverted({"field": name, **self._chance.choice(choices)})

    def _maybe_inverted(self, expression: Json) -> Json:
        return {**expression, "invert": True} if self._chance.random() < 0.3 else expression

    def _field(self) -> tuple[str, Field | None]:
        if self._chance.random() < 0.02:
            return self._chance.choice(NO_FIELDS), None
        return self._chance.choice(list(self._fields.items()))
