"""Jobs as they are shown: rows, outputs and the place in the log, all of one moment."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from orm.engine import Engine
from orm.queries import jobs, meta
from tests.integration import JOB, KINDS, OUTPUT, TEMPLATE, USER, databases, insert, migrated

PLAIN, RICH = 1, 2
SPEC = {"inputs": "{}", "parameters": "{}"}
NAMED = {"job": RICH, "attempt": 2, "type": "Plain"}


@pytest_asyncio.fixture(params=KINDS)
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    """Two jobs in their second attempt, of which one has outputs."""
    with databases(request.param, tmp_path) as new_url:
        async with migrated(new_url("snapshots")) as engine:
            await meta.ensure(engine, 1)
            await insert(engine, "users", USER, {"username": "ada"})
            await insert(engine, "job_templates", TEMPLATE, {"name": "resize"})
            await insert(engine, "jobs", JOB | {"attempt": 2}, {}, {"output_count": 2})
            await insert(engine, "job_specs", SPEC, {}, {})
            await insert(
                engine,
                "outputs",
                OUTPUT | NAMED,
                {"name": "former", "attempt": 1},
                {"name": "b"},
                {"name": "hidden", "deleted_us": 1},
                {"name": "a"},
            )
            yield engine


def shown(snapshot: jobs.Snapshot) -> list[tuple[int, list[str]]]:
    return [(job.row.pk, [output.name for output in job.outputs]) for job in snapshot.jobs]


@pytest.mark.parametrize("pks", [[PLAIN], [RICH], [RICH, PLAIN], [PLAIN, 9, RICH], [9], []])
async def test_jobs_are_shown_in_the_order_asked_for_with_their_outputs(
    engine: Engine, pks: list[int]
) -> None:
    outputs = {PLAIN: [], RICH: ["b", "a"]}
    snapshot = await jobs.snapshot(engine, pks)

    assert shown(snapshot) == [(pk, outputs[pk]) for pk in pks if pk in outputs]
    clock = await meta.clock(engine)
    assert (snapshot.epoch, snapshot.gseq) == (clock.epoch, clock.gseq)


async def test_jobs_that_go_while_they_are_looked_at_are_left_out(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = engine.fetch

    async def fetch_before_all_go(*args: Any) -> list[tuple[Any, ...]]:
        rows = await fetch(*args)
        async with engine.transaction() as transaction:
            for table in ("outputs", "job_specs", "jobs"):
                await transaction.fetch(f"DELETE FROM {table}")
        return rows

    monkeypatch.setattr(engine, "fetch", fetch_before_all_go)
    assert shown(await jobs.snapshot(engine, [RICH, PLAIN])) == []
