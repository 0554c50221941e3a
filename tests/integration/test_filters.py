"""The filter language against both databases: every test body runs on SQLite and on PostgreSQL."""

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from orm.engine import Engine
from orm.filters.fields import (
    CUDA,
    DOCKER,
    DOMAINS,
    FRAMEWORKS,
    HARDWARE,
    JOB_CONTRACTS,
    JOB_OUTPUTS,
    JOB_TEMPLATES,
    JOB_TYPES,
    JOBS,
    LICENCES,
    NODES,
    USERS,
    Kind,
    Resource,
)
from orm.filters.spec import MAX_CONDITIONS, BadFilter, parse
from orm.queries import listing
from tests.integration import (
    JOB,
    KINDS,
    NODE,
    OUTPUT,
    TEMPLATE,
    US,
    USER,
    NewUrl,
    databases,
    insert,
    migrated,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

RESOURCES = [JOBS, JOB_OUTPUTS, JOB_TYPES, JOB_CONTRACTS, JOB_TEMPLATES, NODES, USERS]
RESOURCES += [HARDWARE, CUDA, FRAMEWORKS, DOMAINS, LICENCES, DOCKER]
BY_NAME = {resource.name: resource for resource in RESOURCES}
Json = dict[str, Any]

REGISTRY = "public.aml-repo.cms.waikato.ac.nz:443"
AT_10_S = "1970-01-01T00:00:10+00:00"
POLL = {
    "expressions": [
        {
            "type": "and",
            "sub_expressions": [
                {"field": "start_time", "type": "isnull"},
                {"field": "error_reason", "type": "isnull"},
                {"field": "node", "type": "isnull"},
                {"field": "template.workabletemplate", "type": "isnull", "invert": True},
            ],
        }
    ]
}
"""What existing workers send."""


# --- A small world, beside the rows with which every hub begins -----------------------------------


async def fill(engine: Engine) -> None:
    held = {"node": 1, "attempt": 1}
    ended = held | {"start_us": 10 * US, "end_us": 20 * US}
    log = {"name": "log", "type": "Compressed<JSON, 8>"}
    await insert(
        engine,
        "users",
        USER,
        {"username": "ada", "role": "admin", "last_login_us": 10 * US, "first_name": "Ada"},
        {"username": "Björn", "email": "b@example.org", "last_name": "Ünal"},
        {"username": "cyd", "role": "viewer", "disabled_us": 9 * US, "joined_us": 10 * US},
    )
    await insert(
        engine,
        "nodes",
        NODE,
        {"ip": "10.0.0.1", "hardware_generation": 6, "gpu_mem": 2**40, "last_seen_us": 10 * US},
        {"ip": "10.0.0.2", "index": 1, "driver_version": "470.57"},
    )
    await insert(
        engine,
        "job_types",
        {},
        {"name": "str", "pkg": "types", "cls": "types.String"},
        {"name": "Int", "pkg": "types", "cls": "types.Integer"},
    )
    await insert(
        engine, "job_contracts", {}, {"name": "Train", "pkg": "contracts", "cls": "contracts.Train"}
    )
    await insert(
        engine,
        "job_templates",
        TEMPLATE,
        {"name": "resize", "domain": "ic", "creator": 1, "description": "half", "scope": "all"},
        {"name": "resize", "version": 2, "contract": "Train", "licence": 11},
        {"name": "meta", "executor_class": None, "required_packages": "x", "graph": "{}"},
        {"name": "old", "deleted_us": 10 * US},
    )
    await insert(
        engine,
        "jobs",
        JOB,
        {"description": "Nightly ÄPFEL", "creator": 2},
        {"description": "nightly äpfel", "creator": 1, "priority": 10, "template": 2},
        held | {"status": "ACQUIRED"},
        held
        | {"status": "RUNNING", "start_us": 10 * US, "progress": 0.5, "node": 2}
        | {"slot_until_us": 2**62},
        ended | {"status": "COMPLETED", "progress": 1.0, "attempt": 2},
        ended | {"status": "FAILED", "error": "Out of memory"},
        {"status": "CANCELED", "error": "Cancelled", "description": "100% _done_"},
        {"status": "PENDING", "parent": 4},
        {"status": "BLOCKED", "queued_us": 10 * US},
        {"template": 3, "priority": 5, "created_us": 10 * US},
        {"deleted_us": 10 * US},
        {"status": "FAILED", "error": "", "start_us": 10 * US, "end_us": 11 * US, "attempt": 1},
    )
    await insert(
        engine,
        "outputs",
        OUTPUT,
        log | {"job": 4, "creator": 2},
        {"job": 4, "name": "model", "type": "Model"},
        {"job": 4, "name": "model", "type": "BLOB<'x'>"},
        log | {"job": 5, "attempt": 1},
        {"job": 5, "attempt": 2, "name": "Straße", "type": "str", "created_us": 10 * US},
        log | {"job": 6, "deleted_us": 10 * US},
    )


@pytest.fixture(scope="module", params=KINDS)
def new_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NewUrl]:
    with databases(request.param, tmp_path_factory.mktemp("databases")) as new_url:
        yield new_url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(new_url: NewUrl) -> AsyncIterator[Engine]:
    async with migrated(new_url("filters")) as engine:
        await fill(engine)
        yield engine


async def found(
    engine: Engine, resource: Resource, filter_: Json, *, hide_waiting: bool = False
) -> list[int]:
    spec = parse(msgspec.json.encode(filter_))
    return await listing.matching(engine, resource, spec, limit=100, hide_waiting=hide_waiting)


def exact(field: str, value: object, **more: Any) -> Json:
    return {"type": "exact", "field": field, "value": value, **more}


def contains(field: str, part: str, **more: Any) -> Json:
    return {"type": "contains", "field": field, "sub_string": part, **more}


def null(field: str, **more: Any) -> Json:
    return {"type": "isnull", "field": field, **more}


def compare(field: str, operator: str, value: object, **more: Any) -> Json:
    return {"type": "compare", "field": field, "operator": operator, "value": value, **more}


def group(how: str, *parts: Json, **more: Any) -> Json:
    return {"type": how, "sub_expressions": list(parts), **more}


NO = {"invert": True}
ANY_CASE = {"case_insensitive": True}


# --- Which rows -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expressions", "pks"),
    [
        # No value meets an inverted condition, and no other.
        ([exact("node", 1)], [3, 5, 6]),
        ([exact("node", 1, **NO)], [10, 2, 1, 4, 7, 8, 9, 12]),
        ([null("node")], [10, 2, 1, 7, 12]),
        ([null("node", **NO)], [3, 4, 5, 6]),
        ([compare("start_time", ">", AT_10_S, **NO), null("node", **NO)], [3, 4, 5, 6]),
        ([compare("end_time", "<", "1970-01-01T02:00:11.000001+02:00")], [12]),
        ([exact("error_reason", "")], [12]),
        ([null("error_reason", **NO)], [6, 7, 12]),
        ([exact("node.ip", "10.0.0.1", **NO)], [10, 2, 1, 4, 7, 8, 9, 12]),
        ([null("node.ip"), null("start_time", **NO)], [12]),
        ([null("node.ip", **NO)], [3, 4, 5, 6]),
        ([null("creator.username", **NO)], [2, 1]),
        # Case.
        ([exact("description", "nightly äpfel")], [2]),
        ([exact("description", "NIGHTLY Äpfel", **ANY_CASE)], [2, 1]),
        ([exact("creator.username", "BJÖRN", **ANY_CASE)], [1]),
        ([contains("description", "äp")], [2]),
        ([contains("description", "Äp")], []),
        ([contains("description", "Äp", **ANY_CASE)], [2, 1]),
        ([contains("description", "NIGHT", **ANY_CASE, **NO), exact("status", "QUEUED")], [10]),
        # Nothing in a text is a pattern.
        ([contains("description", "%")], [7]),
        ([contains("description", "_")], [7]),
        ([contains("description", "N_ghtly")], []),
        # Outputs: those that the job shows, and each job once.
        ([exact("outputs.name", "model")], [4]),
        ([exact("outputs.name", "log")], [4]),
        ([exact("outputs.name", "log", **NO), null("node", **NO)], [3, 5, 6]),
        ([null("outputs.name", **NO)], [4, 5]),
        ([null("outputs.type"), null("node", **NO)], [3, 6]),
        ([contains("outputs.name", "STRAß", **ANY_CASE)], [5]),
        ([compare("outputs.name", ">=", "a")], [4]),
        # Conditions that stand together are about one output.
        ([exact("outputs.name", "model"), exact("outputs.type", "Model")], [4]),
        ([exact("outputs.name", "log"), exact("outputs.type", "Model")], []),
        ([group("or", exact("outputs.name", "log"), exact("outputs.type", "Model"))], [4]),
        (
            [group("and", exact("outputs.name", "log"), exact("outputs.type", "str"), **NO)],
            [10, 2, 1, 3, 4, 5, 6, 7, 8, 9, 12],
        ),
        # Templates.
        ([exact("template.name", "meta")], [10]),
        ([exact("template.name", "resize"), exact("template.version", 2)], [2]),
        ([exact("template.domain", "ic", **NO)], [10, 2]),
        ([null("template.workabletemplate")], [10]),
        ([exact("template.workabletemplate", 2)], [2]),
        ([null("template.metatemplate", **NO)], [10]),
        ([exact("template.metatemplate", 1)], []),
        # Groups.
        (
            [
                group(
                    "or",
                    group("and", exact("status", "FAILED"), null("node")),
                    exact("pk", 3),
                    exact("parent", 4.0),
                )
            ],
            [3, 8, 12],
        ),
        (
            [group("or", exact("node", 1), exact("creator", 1), **NO)],
            [10, 1, 4, 7, 8, 9, 12],
        ),
        ([group("and", exact("node", 1), exact("node", 2), **NO), exact("pk", 7)], [7]),
        ([exact("pk", 1), exact("pk", 2)], []),
        # Numbers.
        ([compare("pk", "<=", 2)], [2, 1]),
        ([compare("id", ">", 11)], [12]),
        ([compare("priority", "<", 2**63 - 1)], [10, 2, 1, 3, 4, 5, 6, 7, 8, 9, 12]),
        ([exact("priority", -(2**63))], []),
        ([exact("progress_amount", 0.5)], [4]),
        ([compare("progress_amount", ">=", 1)], [5]),
        ([compare("progress_amount", ">", 10**18)], []),
        ([exact("deletion_time", AT_10_S)], []),
    ],
    ids=lambda value: msgspec.json.encode(value).decode()[:70],
)
async def test_a_filter_lists_what_it_says(
    engine: Engine, expressions: list[Json], pks: list[int]
) -> None:
    if any(null("node") == expression for expression in expressions):
        assert not {8, 9} & set(pks)

    assert await found(engine, JOBS, {"expressions": expressions}) == pks


def span(first: int, last: int) -> list[int]:
    return list(range(first, last + 1))


@pytest.mark.parametrize(
    ("resource", "active", "all_rows"),
    [
        (JOBS, [10, 2, 1, 3, 4, 5, 6, 7, 8, 9, 12], [10, 2, 1, 3, 4, 5, 6, 7, 8, 9, 11, 12]),
        (JOB_OUTPUTS, [1, 2, 3, 5], [1, 2, 3, 4, 5, 6]),
        (JOB_TYPES, [1, 2], [1, 2]),
        (JOB_CONTRACTS, [1], [1]),
        (JOB_TEMPLATES, [1, 2, 3], [1, 2, 3, 4]),
        (NODES, [1, 2], [1, 2]),
        (HARDWARE, span(1, 9), span(1, 9)),
        (CUDA, span(1, 21), span(1, 21)),
        (FRAMEWORKS, span(1, 17), span(1, 17)),
        (DOMAINS, span(1, 5), span(1, 5)),
        (LICENCES, span(1, 14), span(1, 14)),
        (DOCKER, span(1, 25), span(1, 25)),
        (USERS, [1, 2], [1, 2, 3]),
    ],
    ids=lambda value: value.name if isinstance(value, Resource) else "",
)
async def test_inactive_rows_are_listed_only_when_they_are_asked_for(
    engine: Engine, resource: Resource, active: list[int], all_rows: list[int]
) -> None:
    assert await found(engine, resource, {}) == active
    assert await found(engine, resource, {"include_inactive": True}) == all_rows


VALUES: dict[str, dict[str, tuple[object, list[int]]]] = {
    "jobs": {
        "pk": (5, [5]),
        "id": (5, [5]),
        "description": ("nightly äpfel", [2]),
        "status": ("RUNNING", [4]),
        "priority": (5, [10]),
        "attempt": (2, [5]),
        "parent": (4, [8]),
        "progress_amount": (1, [5]),
        "error_reason": ("Out of memory", [6]),
        "creation_time": (AT_10_S, [10]),
        "queued_time": (AT_10_S, [9]),
        "start_time": ("1970-01-01T00:00:10Z", [4, 5, 6, 12]),
        "end_time": ("1970-01-01 00:00:20.0+00:00", [5, 6]),
        "deletion_time": (AT_10_S, [11]),
        "node": (2, [4]),
        "node.ip": ("10.0.0.2", [4]),
        "node.index": (1, [4]),
        "creator": (2, [1]),
        "creator.username": ("ada", [2]),
        "template": (2, [2]),
        "template.name": ("meta", [10]),
        "template.version": (2, [2]),
        "template.type": ("Train", [2]),
        "template.domain": ("ic", [1, 3, 4, 5, 6, 7, 8, 9, 11, 12]),
        "template.workabletemplate": (2, [2]),
        "template.metatemplate": (3, [10]),
        "outputs.name": ("Straße", [5]),
        "outputs.type": ("str", [5]),
    },
    "job outputs": {
        "pk": (4, [4]),
        "id": (4, [4]),
        "job": (5, [4, 5]),
        "name": ("model", [2, 3]),
        "type": ("BLOB<'x'>", [3]),
        "creator": (2, [1]),
        "creator.username": ("Björn", [1]),
        "creation_time": (AT_10_S, [5]),
        "deletion_time": (AT_10_S, [6]),
    },
    "job types": {
        "pk": (2, [2]),
        "id": (2, [2]),
        "name": ("Int", [2]),
        "pkg": ("types", [1, 2]),
        "cls": ("types.String", [1]),
    },
    "job contracts": {
        "pk": (1, [1]),
        "id": (1, [1]),
        "name": ("Train", [1]),
        "pkg": ("contracts", [1]),
        "cls": ("contracts.Train", [1]),
    },
    "job templates": {
        "pk": (2, [2]),
        "id": (2, [2]),
        "name": ("resize", [1, 2]),
        "version": (2, [2]),
        "description": ("half", [1]),
        "scope": ("all", [1]),
        "domain": ("ic", [1]),
        "licence": (11, [2]),
        "licence.name": ("MIT", [2]),
        "type": ("Train", [2]),
        "executor_class": ("some.Executor", [1, 2, 4]),
        "required_packages": ("x", [3]),
        "workabletemplate": (1, [1]),
        "metatemplate": (3, [3]),
        "creator": (1, [1]),
        "creator.username": ("ada", [1]),
        "creation_time": ("1970-01-01T00:00:01Z", [1, 2, 3, 4]),
        "deletion_time": (AT_10_S, [4]),
    },
    "nodes": {
        "pk": (2, [2]),
        "id": (2, [2]),
        "ip": ("10.0.0.1", [1]),
        "index": (1, [2]),
        "driver_version": ("470.57", [2]),
        "hardware_generation": (6, [1]),
        "hardware_generation.generation": ("Turing", [1]),
        "gpu_mem": (2**40, [1]),
        "cpu_mem": (1, [1, 2]),
        "last_seen": (AT_10_S, [1]),
        "current_job": (4, [2]),
    },
    "hardware": {
        "pk": (2, [2]),
        "id": (2, [2]),
        "generation": ("Pascal", [4]),
        "min_compute_capability": (7.5, [6]),
        "max_compute_capability": (7, [4]),
    },
    "CUDA versions": {
        "pk": (2, [2]),
        "id": (2, [2]),
        "version": ("11.1", [10]),
        "full_version": ("8.0.61 GA2", [18]),
        "min_driver_version": ("0.0", [21]),
    },
    "frameworks": {
        "pk": (2, [2]),
        "id": (2, [2]),
        "name": ("coqui_stt", [15, 16, 17]),
        "version": ("2020-02-11", [7]),
    },
    "domains": {
        "pk": (2, [2]),
        "id": (2, [2]),
        "name": ("od", [3]),
        "description": ("Speech", [5]),
    },
    "licences": {
        "pk": (2, [2]),
        "id": (2, [2]),
        "name": ("MIT", [11]),
        "url": ("https://unlicense.org/", [13]),
    },
    "docker images": {
        "pk": (2, [2]),
        "id": (2, [2]),
        "name": ("mmdetection", [10, 11, 12]),
        "version": ("1.6", [5, 6]),
        "url": (f"{REGISTRY}/fracpete/pww3:0.2.12_cpu", [22]),
        "registry_url": (REGISTRY, span(1, 25)),
        "cuda_version": (11, [24]),
        "cuda_version.version": ("11.6", [25]),
        "cuda_version.full_version": ("11.0.171", [24]),
        "framework": (2, [5, 6]),
        "framework.name": ("yolact", [14, 15]),
        "framework.version": ("1.14", [7, 8, 13]),
        "domain": (2, [9]),
        "domain.name": ("sp", [23, 24, 25]),
        "domain.description": ("Spectrum Classification", [22]),
        "min_hardware_generation": (6, [10, 15]),
        "min_hardware_generation.generation": ("Turing", [10, 15]),
        "cpu": (True, [3, 4, 6, 8, 19, 20, 21, 22, 23]),
        "licence": (11, [14, 15]),
        "licence.name": ("BSD 3-clause", [5, 6]),
    },
    "users": {
        "pk": (2, [2]),
        "id": (2, [2]),
        "username": ("Björn", [2]),
        "first_name": ("Ada", [1]),
        "last_name": ("Ünal", [2]),
        "email": ("b@example.org", [2]),
        "role": ("viewer", [3]),
        "is_staff": (True, [1]),
        "is_superuser": (False, [2, 3]),
        "is_active": (False, [3]),
        "last_login": (AT_10_S, [1]),
        "date_joined": (AT_10_S, [3]),
    },
}
"""Of every field a value, and which rows have it."""

FIELDS = [(name, field) for name, fields in VALUES.items() for field in fields]


@pytest.mark.parametrize(("name", "field"), FIELDS)
async def test_every_field_can_be_filtered_and_sorted_by(
    engine: Engine, name: str, field: str
) -> None:
    async def pks(*expressions: Json, order_by: list[Json] | None = None) -> list[int]:
        plain = {"expressions": list(expressions), "include_inactive": True}
        return await found(engine, BY_NAME[name], plain | {"order_by": order_by or [by_pk]})

    by_pk: Json = {"field": "pk"}
    value, having = VALUES[name][field]
    everything = await pks()

    assert await pks(exact(field, value)) == having
    assert await pks(exact(field, value, **NO)) == [pk for pk in everything if pk not in having]
    # In a group of its own, for who demands jobs without a node is not shown those that wait.
    absent = await pks(group("or", null(field), null(field)))
    present = await pks(null(field, **NO))
    assert sorted(absent + present) == everything
    assert set(having) <= set(present)
    assert sorted(await pks(order_by=[{"field": field}])) == everything
    last = await pks(order_by=[{"field": field, "ascending": False}])
    assert last[len(present) :] == absent
    if BY_NAME[name].fields[field].kind is not Kind.BOOL:
        low, high = await pks(compare(field, "<", value)), await pks(compare(field, ">", value))
        assert set(low) | set(high) | set(having) == set(present)
        assert set(await pks(compare(field, ">=", value))) == set(high) | set(having)
        assert set(await pks(compare(field, "<=", value))) == set(low) | set(having)


async def test_every_allowed_field_has_its_value_in_the_table() -> None:
    assert VALUES.keys() == BY_NAME.keys()
    for name, fields in VALUES.items():
        assert fields.keys() == BY_NAME[name].fields.keys()


# --- In which order -------------------------------------------------------------------------------


def by(field: str, **more: bool) -> Json:
    return {"field": field, **more}


DOWN, FIRST = {"ascending": False}, {"nulls_first": True}


@pytest.mark.parametrize(
    ("order_by", "pks"),
    [
        ([by("pk", **DOWN)], [12, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ([by("priority", **DOWN), by("id")], [1, 3, 4, 5, 6, 7, 8, 9, 12, 2, 10]),
        ([by("template.name")], [10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12]),
        ([by("template.name", **DOWN), by("template.version", **DOWN)], [2, 1, 3, 4, 5]),
        ([by("node.ip")], [3, 5, 6, 4, 1, 2, 7]),
        ([by("node.ip", **DOWN)], [4, 3, 5, 6, 1, 2, 7]),
        ([by("node.ip", **FIRST), by("pk", **DOWN)], [12, 10, 9, 8, 7, 2, 1, 6, 5, 3, 4]),
        ([by("node.ip", **DOWN, **FIRST)], [1, 2, 7, 8, 9, 10, 12, 4, 3, 5, 6]),
        # Small letters follow capitals and others follow both, whatever the locale of the database.
        ([by("creator.username", **DOWN)], [2, 1, 3]),
        ([by("description", **DOWN)], [2, 1, 7, 3]),
        ([by("outputs.name")], [5, 4, 1, 2, 3]),
        ([by("error_reason")], [12, 7, 6, 1]),
    ],
    ids=lambda value: msgspec.json.encode(value).decode()[:70],
)
async def test_rows_come_in_the_order_asked_for(
    engine: Engine, order_by: list[Json], pks: list[int]
) -> None:
    assert (await found(engine, JOBS, {"order_by": order_by}))[: len(pks)] == pks


async def test_one_row_more_than_the_limit_says_that_there_are_more(engine: Engine) -> None:
    spec = parse(b"")

    assert await listing.matching(engine, JOBS, spec, limit=2) == [10, 2, 1]
    assert len(await listing.matching(engine, JOBS, spec, limit=11)) == 11


# --- What nodes are offered -----------------------------------------------------------------------


async def test_jobs_that_wait_for_others_are_hidden_from_nodes(engine: Engine) -> None:
    nothing: Json = {"expressions": [null("start_time"), null("error_reason")]}

    assert await found(engine, JOBS, nothing) == [10, 2, 1, 3, 8, 9]
    assert await found(engine, JOBS, nothing, hide_waiting=True) == [10, 2, 1, 3]


@pytest.mark.parametrize(
    "expressions",
    [
        [null("node")],
        [group("and", null("node"), exact("attempt", 0))],
    ],
)
async def test_who_asks_for_jobs_without_a_node_means_those_that_can_be_taken(
    engine: Engine, expressions: list[Json]
) -> None:
    assert not {8, 9} & set(await found(engine, JOBS, {"expressions": expressions}))


@pytest.mark.parametrize(
    "expression",
    [
        group("or", null("node"), exact("pk", 3)),
        group("and", null("node", **NO), exact("attempt", 0), **NO),
        null("parent"),
    ],
)
async def test_who_asks_for_something_else_sees_jobs_that_wait(
    engine: Engine, expression: Json
) -> None:
    assert 9 in await found(engine, JOBS, {"expressions": [expression]})


async def test_a_poll_lists_the_queued_jobs_that_a_worker_can_run(engine: Engine) -> None:
    flat = {"expressions": POLL["expressions"][0]["sub_expressions"]}

    assert await found(engine, JOBS, POLL) == [2, 1]
    assert await found(engine, JOBS, flat) == [2, 1]
    assert await found(engine, JOBS, POLL | {"include_inactive": True}) == [2, 1, 11]


async def test_a_poll_says_no_more_than_its_conditions(engine: Engine) -> None:
    """The index's condition is added to a poll: it must follow from what the poll demands."""
    everything = await found(engine, JOBS, {"expressions": [exact("status", "QUEUED")]})
    free = [null("start_time"), null("error_reason"), null("node")]

    assert await found(engine, JOBS, {"expressions": free}) == everything == [10, 2, 1]


# --- What must not fail ---------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["pk", "outputs.name", "template.name"])
@pytest.mark.parametrize("how", ["and", "or"])
async def test_the_largest_filter_is_answered(engine: Engine, how: str, field: str) -> None:
    value = 1 if field == "pk" else "x"
    parts = [
        exact(field, value, case_insensitive=True, invert=n % 2 == 1) for n in range(MAX_CONDITIONS)
    ]

    pks = await found(engine, JOBS, {"expressions": [group(how, *parts)]})
    assert len(pks) == (11 if how == "or" else 0)


@pytest.mark.parametrize(
    "part", ["'", '"', "\\", "?", "$1", "{}", "{0}", "%s", ":a", "\u2028", "🎉", "\n"]
)
async def test_no_character_of_a_text_means_anything(engine: Engine, part: str) -> None:
    test = [contains("description", part), exact("outputs.name", part, **ANY_CASE)]

    assert await found(engine, JOBS, {"expressions": test}) == []


ANYTHING = st.one_of(
    st.text(max_size=5),
    st.integers(-(2**64), 2**64),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
)
FITTING: dict[Kind, st.SearchStrategy[object]] = {
    Kind.TEXT: st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
    Kind.INT: st.integers(-(2**63), 2**63 - 1) | st.integers(0, 12),
    Kind.NUMBER: st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 2),
    Kind.TIME: st.datetimes().map(lambda moment: f"{moment.isoformat()}+13:00"),
    Kind.BOOL: st.booleans(),
}
MEMBERS = st.fixed_dictionaries({"invert": st.booleans()})
CASED = st.fixed_dictionaries({"case_insensitive": st.booleans()})


def maybe(unlikely: st.SearchStrategy[Any], likely: st.SearchStrategy[Any]) -> Any:
    """Draw the unlikely in one case of sixteen."""
    return st.integers(0, 15).flatmap(lambda n: likely if n else unlikely)


@st.composite
def conditions(draw: st.DrawFn, resource: Resource) -> Json:
    names = maybe(st.sampled_from(["password", "x__y", ""]), st.sampled_from([*resource.fields]))
    name = draw(names)
    kind = resource.fields[name].kind if name in resource.fields else Kind.TEXT
    value = draw(maybe(ANYTHING, FITTING[kind]))
    match draw(st.sampled_from(["exact", "isnull", "compare", "contains"])):
        case "exact":
            return exact(name, value, **draw(MEMBERS), **draw(CASED))
        case "compare" if kind is not Kind.BOOL:
            return compare(name, draw(st.sampled_from(["<", ">="])), value, **draw(MEMBERS))
        case "contains" if kind is Kind.TEXT:
            return contains(name, str(value) or "a", **draw(MEMBERS), **draw(CASED))
        case _:
            return null(name, **draw(MEMBERS))


@st.composite
def filters(draw: st.DrawFn, resource: Resource) -> Json:
    leaf = conditions(resource)
    and_ = st.builds(lambda parts, more: group("and", *parts, **more), lists(leaf, 2), MEMBERS)
    or_ = st.builds(lambda parts, more: group("or", *parts, **more), lists(leaf | and_, 2), MEMBERS)
    names = st.sampled_from([*resource.fields])
    order = st.builds(by, names, ascending=st.booleans(), nulls_first=st.booleans())
    optional = {"order_by": lists(order), "include_inactive": st.booleans()}
    whole = st.fixed_dictionaries({"expressions": lists(leaf | and_ | or_)}, optional=optional)
    return draw(maybe(st.fixed_dictionaries({"expressions": ANYTHING}), whole))


def lists(item: st.SearchStrategy[Any], min_size: int = 0) -> st.SearchStrategy[list[Any]]:
    return st.lists(item, min_size=min_size, max_size=3)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), resource=st.sampled_from(RESOURCES), hide_waiting=st.booleans())
async def test_any_filter_is_answered_or_refused(
    engine: Engine, data: st.DataObject, resource: Resource, hide_waiting: bool
) -> None:
    filter_ = data.draw(filters(resource))
    try:
        pks = await found(engine, resource, filter_, hide_waiting=hide_waiting)
    except BadFilter:
        event("refused")
        return
    event("answered")
    assert len(pks) == len(set(pks))


# --- From an index --------------------------------------------------------------------------------

JOB_COUNT, QUEUED_COUNT = 100_000, 100
FINISHED = JOB | {"status": "COMPLETED", "node": 1, "start_us": US, "end_us": US, "attempt": 1}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crowd(new_url: NewUrl) -> AsyncIterator[Engine]:
    """100,000 jobs, of which every thousandth is queued."""
    columns = ", ".join(FINISHED)
    rows = (
        f"WITH RECURSIVE numbers (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers "
        f"WHERE n < {JOB_COUNT}) INSERT INTO jobs (pk, {columns}) "
        f"SELECT n, {columns} FROM numbers, jobs WHERE jobs.pk = 1"
    )
    step = JOB_COUNT // QUEUED_COUNT
    queue = (
        "UPDATE jobs SET status = 'QUEUED', node = NULL, start_us = NULL, end_us = NULL, "
        f"priority = pk % 7 WHERE pk % {step} = 0"
    )
    async with migrated(new_url("crowd")) as engine:
        await insert(engine, "users", USER, {"username": "ada"})
        await insert(engine, "job_templates", TEMPLATE, {"name": "resize"})
        await insert(engine, "jobs", FINISHED, {})
        async with engine.transaction() as transaction:
            await transaction.fetch(rows)
            await transaction.fetch(queue)
            if engine.kind == "postgres":
                # What autovacuum does by and by.
                await transaction.fetch("ANALYZE jobs")
        yield engine


async def plan_of_a_poll(engine: Engine, *settings: str) -> str:
    spec = parse(msgspec.json.encode(POLL))
    sql, values = listing.statement(engine.kind, JOBS, spec, limit=10_000, hide_waiting=True)
    explain = "EXPLAIN QUERY PLAN " if engine.kind == "sqlite" else "EXPLAIN "
    async with engine.transaction() as transaction:
        for setting in settings:
            await transaction.fetch(setting)
        return "\n".join(str(line[-1]) for line in await transaction.fetch(explain + sql, values))


async def test_a_poll_is_answered_from_the_index_of_the_queue(crowd: Engine) -> None:
    if crowd.kind == "sqlite":
        plan = await plan_of_a_poll(crowd)
        assert "SCAN jobs USING INDEX jobs_queue" in plan, plan
        assert "ORDER BY" not in plan, plan
        return
    # With few queued jobs PostgreSQL may as well read them by status and sort: the price decides.
    assert "Seq Scan on jobs" not in await plan_of_a_poll(crowd)
    unsorted = await plan_of_a_poll(crowd, "SET LOCAL enable_sort = off")
    assert "Index Scan using jobs_queue on jobs" in unsorted, unsorted
    assert "Sort" not in unsorted, unsorted


async def test_a_poll_among_many_finished_jobs_is_fast(crowd: Engine) -> None:
    async def poll() -> float:
        begun = time.perf_counter()
        assert len(await found(crowd, JOBS, POLL, hide_waiting=True)) == QUEUED_COUNT
        return time.perf_counter() - begun

    # The middle of many: one slow answer of a busy machine proves nothing.
    assert sorted([await poll() for _ in range(21)])[10] < 0.015
