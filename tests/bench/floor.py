"""The least a durable hub can do: one changed row and one line of history in a transaction.

No accounts, no rules, no validation, no events. The URLs are the hub's, so one client drives both.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from litestar import Litestar, Request, get, post
from litestar.params import FromPath

from tests.bench.floor_store import Change, Row, open_store

URL_VARIABLE = "BENCH_DATABASE_URL"


async def _apply(request: Request[Any, Any, Any], kind: str, pk: int | None, value: Any) -> Row:
    body = (await request.body()).decode()
    row: Row = await request.app.state.store.apply(Change(kind, pk, value, body))
    return row


@post("/v1/jobs")
async def create(request: Request[Any, Any, Any]) -> Row:
    """Insert a job."""
    return await _apply(
        request, "create", None, msgspec.json.decode(await request.body())["template"]
    )


@get("/v1/jobs/{pk:int}/acquire")
async def acquire(request: Request[Any, Any, Any], pk: FromPath[int]) -> Row:
    """Give the job to the node that the header names."""
    return await _apply(request, "acquire", pk, int(request.headers["node-id"]))


@post("/v1/jobs/{pk:int}/start", status_code=200)
async def start(request: Request[Any, Any, Any], pk: FromPath[int]) -> Row:
    """Set the start time."""
    return await _apply(request, "start", pk, None)


@post("/v1/jobs/{pk:int}/progress/{value:float}", status_code=200)
async def progress(
    request: Request[Any, Any, Any], pk: FromPath[int], value: FromPath[float]
) -> Row:
    """Store the progress value; the body goes into the history."""
    return await _apply(request, "progress", pk, value)


@post("/v1/jobs/{pk:int}/finish", status_code=200)
async def finish(request: Request[Any, Any, Any], pk: FromPath[int]) -> Row:
    """Set the end time."""
    return await _apply(request, "finish", pk, None)


@asynccontextmanager
async def _storage(app: Litestar) -> AsyncIterator[None]:
    async with open_store(os.environ[URL_VARIABLE]) as store:
        app.state.store = store
        yield


app = Litestar([create, acquire, start, progress, finish], lifespan=[_storage], openapi_config=None)
