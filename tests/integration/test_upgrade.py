"""A database of the first version becomes one of this version, with what it held."""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from piccolo.apps.migrations.commands.forwards import run_forwards
from piccolo.apps.migrations.tables import Migration

from orm.engine import Engine, bind, make_engine
from orm.migrate import migrate
from orm.queries import leases
from tests.integration import JOB as WAITING
from tests.integration import KINDS, NODE, TEMPLATE, US, USER, NewUrl, databases, insert

FIRST = "2026-11-21T23:40:00"
HOUR_US = 3_600 * US

HELD = WAITING | {"node": 1, "attempt": 2, "tries": 2, "num_exes": 2, "slot_until_us": 2**62}
JOBS = (
    WAITING,
    HELD | {"status": "ACQUIRED", "last_contact_us": 5 * US, "lease_granted_us": 4 * US},
    HELD | {"status": "RUNNING", "start_us": 6 * US},
    WAITING | {"status": "COMPLETED", "node": 1, "attempt": 1, "start_us": 2, "end_us": 3},
    WAITING | {"status": "FAILED", "error": "broken", "attempt": 1, "end_us": 3},
    WAITING | {"status": "CANCELED", "error": "Cancelled", "canceled_us": 4},
)


@pytest.fixture(params=KINDS)
def new_url(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[NewUrl]:
    with databases(request.param, tmp_path) as new_url:
        yield new_url


async def first_version(engine: Engine) -> None:
    """Bring an empty database to the schema of the first version."""
    conf: Any = importlib.import_module("piccolo_conf")
    conf.DB = engine
    bind(engine)
    Migration._meta.db = engine
    result = await run_forwards(app_name="hub", migration_id=FIRST)
    assert result.success, result.message


async def test_jobs_that_nodes_hold_get_leases_and_all_an_execution(new_url: NewUrl) -> None:
    engine = make_engine(new_url("old"))
    await engine.start()
    try:
        await first_version(engine)
        await insert(engine, "users", USER, {"username": "ada"})
        await insert(engine, "job_templates", TEMPLATE, {"name": "work"})
        await insert(engine, "nodes", NODE, {"ip": "::1"})
        await insert(engine, "jobs", WAITING, *JOBS)

        await migrate(engine)

        held = await engine.fetch("SELECT pk, lease_expires_us, silence_s FROM jobs ORDER BY pk")
        assert held == [
            (1, None, 3_600),
            (2, 5 * US + HOUR_US, 3_600),
            (3, 1 * US + HOUR_US, 3_600),
            *((pk, None, 3_600) for pk in (4, 5, 6)),
        ]
        sql = "SELECT job, number, outcome, end_us IS NOT NULL FROM executions ORDER BY job"
        found = [(*row[:3], bool(row[3])) for row in await engine.fetch(sql)]
        assert found == [
            (1, 1, None, False),
            (2, 2, None, False),
            (3, 2, None, False),
            (4, 1, "completed", True),
            (5, 1, "failed", True),
            (6, 1, "canceled", True),
        ]
        assert [due.job for due in await leases.due(engine, 2 * HOUR_US, 10)] == [3, 2]
    finally:
        await engine.stop()


async def test_tokens_stay_good_and_their_numbers_are_never_used_again(new_url: NewUrl) -> None:
    engine = make_engine(new_url("tokens"))
    await engine.start()
    try:
        await first_version(engine)
        await insert(engine, "users", USER, {"username": "ada"})
        add = """INSERT INTO tokens (kind, sha256, account, session, created_us)
            VALUES (?, ?, 1, 's', 1)"""
        async with engine.transaction() as transaction:
            for sha256 in "abc":
                await transaction.fetch(add, ("api", sha256))
            await transaction.fetch("DELETE FROM tokens WHERE sha256 = 'c'")

        await migrate(engine)

        async with engine.transaction() as transaction:
            await transaction.fetch(add, ("cookie", "d"))
        rows = await engine.fetch("SELECT pk, kind, sha256 FROM tokens ORDER BY pk")
        assert rows == [(1, "api", "a"), (2, "api", "b"), (4, "cookie", "d")]
    finally:
        await engine.stop()
