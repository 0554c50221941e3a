"""Outputs against their limits: size, number, memory. Each test has a hub of its own."""

import asyncio
import hashlib
import random
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from hub.upkeep.leftovers import PAGE, Leftovers
from orm.engine import bind, make_engine
from orm.migrate import migrate
from tests.integration import JOB, NODE, insert
from tests.integration.outputs_world import HOST, pieces, running, seed

ROOT = Path(__file__).resolve().parents[2]
LARGE_BYTES = 64 * 2**20


async def test_a_limit_holds_whatever_the_client_says_of_the_length(tmp_path: Path) -> None:
    async with running("", tmp_path / "hub", max_output_bytes=1_000) as world:
        work = await world.work()
        for body in (bytes(1_001), pieces(bytes(1_001), 100), bytes(3_000_000)):
            answer = await work.upload(body)
            assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        assert world.files() == []
        assert (await work.stored(bytes(1_000)))["size"] == 1_000


async def test_the_sweep_reaches_everything_page_by_page(tmp_path: Path) -> None:
    async with running("", tmp_path / "hub") as world:
        await (await world.work()).stored(b"kept")
        for number in range(PAGE + 1):
            place = world.file_of(sha256_of(b"%d" % number))
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(b"%d" % number)

        sweep = Leftovers(world.hub.engine, world.hub.store, older_than_s=0.0).sweep
        assert (await sweep(), await sweep()) == (PAGE + 1, 0)

        assert world.files() == [world.file_of(sha256_of(b"kept"))]


async def test_64_mib_go_up_and_come_down_in_constant_memory(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'hub.sqlite3'}")
    bind(engine)
    await engine.start()
    await migrate(engine)
    await seed(engine)
    await insert(engine, "nodes", NODE, {"owner": 2, "ip": "10.0.0.1"})
    held = {"node": 1, "attempt": 1, "status": "RUNNING", "start_us": 1, "slot_until_us": 2**62}
    await insert(engine, "jobs", JOB, held)
    await insert(engine, "job_specs", {"inputs": "{}", "parameters": "{}"}, {})
    await engine.stop()
    command = [sys.executable, "-m", "hub", "serve", "--port", "0", "--data", str(tmp_path)]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=subprocess.PIPE, env={"HUB_ADMIN_PASSWORD": "some password"}
    )
    try:
        assert process.stdout is not None
        said = await asyncio.wait_for(process.stdout.readline(), 30)
        found = re.search(rb"http://[\d.]+:(\d+)", said)
        assert found, said
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{int(found[1])}") as client:
            await _there_and_back(client, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 20)


async def _there_and_back(client: httpx.AsyncClient, pid: int) -> None:
    url = "/v1/jobs/1/outputs/large/BLOB%3C'bin'%3E"
    headers = {"Authorization": "Bearer user", "Node-Id": "1"}
    block = random.Random(3).randbytes(2**20)
    expected = hashlib.sha256(block * (LARGE_BYTES // 2**20)).hexdigest()

    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(LARGE_BYTES // 2**20):
            yield block

    small = await client.post("/v1/jobs/1/outputs/small/t", content=block, headers=headers)
    assert small.status_code == 200, small.text
    assert (await client.get("/v1/jobs/1/outputs/small/t", headers=headers)).content == block
    before_kib = _peak_kib(pid)
    uploaded = await client.post(url, content=blocks(), headers=headers, timeout=60)
    assert (uploaded.json()["sha256"], uploaded.json()["size"]) == (expected, LARGE_BYTES)
    digest = hashlib.sha256()
    async with client.stream("GET", url, headers=headers, timeout=60) as answer:
        async for chunk in answer.aiter_raw():
            digest.update(chunk)
    assert digest.hexdigest() == expected
    assert _peak_kib(pid) - before_kib < 16 * 1_024


def _peak_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found
    return int(found[1])


def sha256_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
