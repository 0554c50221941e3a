"""The executions of a job, newest first."""

from orm.engine import Engine
from orm.queries.batch import EXECUTION_COLUMNS
from orm.rows import ExecutionRow

LARGEST_NUMBER = 2**31 - 1
_OF_JOB = (
    f"SELECT {', '.join(EXECUTION_COLUMNS)} FROM executions WHERE job = ? AND number < ? "
    "ORDER BY number DESC LIMIT ?"
)


async def of_job(engine: Engine, job: int, before: int | None, limit: int) -> list[ExecutionRow]:
    """Return up to ``limit`` executions of ``job`` with a number less than ``before``."""
    last = LARGEST_NUMBER if before is None else min(before, LARGEST_NUMBER)
    return [ExecutionRow(*row) for row in await engine.fetch(_OF_JOB, (job, last, limit))]
