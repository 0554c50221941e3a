"""Pages of jobs on both databases."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from msgspec.structs import replace

from orm.engine import Engine
from orm.filters.spec import BadFilter
from orm.queries import job_page
from orm.queries.job_page import ORDERS, JobPageQuery, Keys, PageOrder
from tests.integration import (
    JOB,
    KINDS,
    TEMPLATE,
    US,
    USER,
    NewUrl,
    Row,
    databases,
    insert,
    migrated,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

ODD = 'a.b[0] "c" $?'
"""A key that would mean something in a path, or in a query."""


@pytest.fixture(scope="module", params=KINDS)
def new_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NewUrl]:
    with databases(request.param, tmp_path_factory.mktemp("databases")) as new_url:
        yield new_url


async def furnish(engine: Engine, *jobs: Row) -> None:
    await insert(engine, "users", USER, {"username": "ada"})
    await insert(
        engine,
        "job_templates",
        TEMPLATE,
        {"name": "resize"},
        {"name": "resize", "version": 2},
        {"name": "crop"},
    )
    await insert(engine, "jobs", JOB, *jobs)


async def page(engine: Engine, query: JobPageQuery) -> tuple[list[int], Keys | None]:
    """Return the pks of a page, and after which keys the next one starts, if there is one."""
    found = await job_page.page(engine, query)
    return [keys[-1] for keys in found.keys], found.keys[-1] if found.has_more else None


def labels(**pairs: str) -> str:
    return msgspec.json.encode(pairs).decode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(new_url: NewUrl) -> AsyncIterator[Engine]:
    async with migrated(new_url("jobs")) as engine:
        await furnish(
            engine,
            {"description": "Nightly ÄPFEL 100%", "creator": 1, "modified_us": 5 * US},
            {"template": 2, "status": "RUNNING", "node": 3, "created_us": 2 * US, "priority": 5},
            {"template": 3, "status": "FAILED", "parent": 1, "created_us": 3 * US},
            {"deleted_us": 1, "created_us": 4 * US, "modified_us": 9 * US},
            {"labels": labels(team="blue", run="7"), "created_us": 5 * US, "modified_us": 6 * US},
            {"labels": labels(team="red", **{ODD: "Ünal's"}), "created_us": 6 * US},
        )
        yield engine


@pytest.mark.parametrize(
    ("query", "pks"),
    [
        ({}, [6, 5, 3, 2, 1]),
        ({"include_deleted": True}, [6, 5, 4, 3, 2, 1]),
        ({"status": ("RUNNING",)}, [2]),
        ({"status": ("RUNNING", "FAILED", "unknown")}, [3, 2]),
        ({"template": 2}, [2]),
        ({"template": "resize"}, [6, 5, 2, 1]),
        ({"template": "2"}, []),
        ({"creator": 1}, [1]),
        ({"node": 3}, [2]),
        ({"parent": 1}, [3]),
        ({"text": "äPFEL"}, [1]),
        ({"text": "0%"}, [1]),
        ({"text": "n_ghtly"}, []),
        ({"label": (("team", "blue"),)}, [5]),
        ({"label": (("team", "blue"), ("run", "7"))}, [5]),
        ({"label": (("team", "blue"), ("team", "red"))}, []),
        ({"label": (("team", "Blue"),)}, []),
        ({"label": ((ODD, "Ünal's"),)}, [6]),
        ({"label": (("$.team", "red"),)}, []),
        ({"label": (("'; DROP TABLE jobs; --", ""),)}, []),
        ({"created_after_us": 3 * US}, [6, 5, 3]),
        ({"created_before_us": 3 * US}, [2, 1]),
        ({"created_after_us": 3 * US, "created_before_us": 6 * US}, [5, 3]),
        ({"modified_after_us": 5 * US}, [5, 1]),
        ({"modified_before_us": 5 * US}, [6, 3, 2]),
        ({"order": "created"}, [1, 2, 3, 5, 6]),
        ({"order": "modified"}, [2, 3, 6, 1, 5]),
        ({"order": "-modified"}, [5, 1, 6, 3, 2]),
        ({"order": "priority"}, [2, 1, 3, 5, 6]),
        ({"status": ("QUEUED",), "text": "nightly", "template": "resize", "creator": 1}, [1]),
    ],
    ids=str,
)
async def test_a_page_holds_what_was_asked_for(
    engine: Engine, query: dict[str, Any], pks: list[int]
) -> None:
    assert await page(engine, JobPageQuery(**query)) == (pks, None)


async def walk(engine: Engine, query: JobPageQuery) -> list[list[int]]:
    pages: list[list[int]] = []
    after: Keys | None = None
    while not pages or after:
        pks, after = await page(engine, replace(query, after=after))
        pages.append(pks)
    return pages


def flat(pages: list[list[int]]) -> list[int]:
    return [pk for pks in pages for pk in pks]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("limit", [1, 2, 4, 5, 6])
async def test_pages_together_are_the_whole(engine: Engine, order: PageOrder, limit: int) -> None:
    whole, _ = await page(engine, JobPageQuery(order=order))
    pages = await walk(engine, JobPageQuery(order=order, limit=limit))

    assert flat(pages) == whole
    assert [len(pks) for pks in pages[:-1]] == [limit] * (len(pages) - 1)
    assert pages[-1]


async def test_jobs_that_are_added_meanwhile_move_nothing(new_url: NewUrl) -> None:
    async with migrated(new_url("growing")) as engine:
        await furnish(engine, *({"priority": pk % 3} for pk in range(1, 7)))
        for order in ORDERS:
            query = JobPageQuery(order=order, limit=2)
            before = flat(await walk(engine, query))
            first, after = await page(engine, query)
            late = max(before) + 1
            await insert(engine, "jobs", JOB, {"pk": late, "priority": 1, "modified_us": 2 * US})
            rest = await walk_on(engine, query, after)

            seen = first + rest
            assert [pk for pk in seen if pk != late] == before
            assert len(seen) == len(set(seen))


async def walk_on(engine: Engine, query: JobPageQuery, after: Keys | None) -> list[int]:
    seen: list[int] = []
    while after is not None:
        pks, after = await page(engine, replace(query, after=after))
        seen += pks
    return seen


async def test_no_job_is_no_page_to_follow(engine: Engine) -> None:
    assert await page(engine, JobPageQuery(status=("CANCELED",), limit=1)) == ([], None)
    assert await page(engine, JobPageQuery(after=(1,))) == ([], None)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"after": ()}, "after"),
        ({"after": (1, 2)}, "after"),
        ({"after": (1,), "order": "priority"}, "after"),
        ({"after": ("1",)}, "after"),
        ({"after": (2**63,)}, "after"),
        ({"node": 2**63}, "node"),
        ({"template": 2**70}, "template"),
        ({"modified_before_us": -(2**63) - 1}, "modified_before_us"),
        ({"text": "a\0"}, "text"),
        ({"template": "\0"}, "template"),
        ({"status": ("\0",)}, "status"),
        ({"label": (("a", "\0"),)}, "label"),
    ],
    ids=str,
)
async def test_what_no_job_can_have_is_refused_by_name(
    engine: Engine, query: dict[str, Any], named: str
) -> None:
    with pytest.raises(BadFilter, match=named):
        await page(engine, JobPageQuery(**query))


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 1001}, {"order": "description"}, {"order": "pk"}]
)
async def test_limits_and_orders_are_from_a_list(query: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(query, JobPageQuery)
