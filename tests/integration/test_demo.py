"""``hub demo`` as a user runs it: a process of its own, real files, real databases."""

import asyncio
import contextlib
import csv
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from hub.cli.demo.counting import Measured, Summary, Totals, counted, table_rows
from hub.cli.demo.screen import Lines
from hub.cli.demo.verifying import NotVerified, verified
from hub.cli.demo.watching import Message, Missed, proven
from hub.wire.events import EventOut
from orm.engine import make_engine
from tests.servers import PrivatePostgres, require

PROJECT = Path(__file__).parents[2]
LIMIT_S = 60.0
PASSWORD = "demo-password-1"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A small folder: three files to count, and three things that only look like it."""
    folder = tmp_path / "sources"
    (folder / "deep").mkdir(parents=True)
    (folder / "one.py").write_bytes(b"x = 1\ny = 2\n")
    (folder / "deep" / "no end, of line.py").write_bytes(b"z = 3")
    (folder / "deep" / "empty.py").write_bytes(b"")
    (folder / "text.txt").write_bytes(b"not counted\n")
    (folder / "gone.py").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.py")
    return folder


async def left_behind(url: str) -> tuple[int, int]:
    """Return how many templates there are, and how many tokens that are still good for programs."""
    engine = make_engine(url)
    await engine.start()
    try:
        ((templates,),) = await engine.fetch("SELECT count(*) FROM job_templates")
        ((tokens,),) = await engine.fetch(
            "SELECT count(*) FROM tokens WHERE kind = 'api' AND revoked_us IS NULL"
        )
    finally:
        await engine.stop()
    return templates, tokens


class Demo:
    """A running ``hub demo`` and what it has said so far."""

    def __init__(self, process: "subprocess.Popen[str]", data: Path) -> None:
        self.process = process
        self.data = data
        self.said = ""

    def hear(self, pattern: str) -> str:
        """Read on until a line has ``pattern``; return its group, or all of it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if found := re.search(pattern, line):
                return found[found.re.groups]
        raise AssertionError(f"never said {pattern!r}: {self.said}{self.end()[1]}")

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and what went to stderr."""
        out, err = self.process.communicate(timeout=LIMIT_S)
        self.said += out
        return self.process.returncode, err

    def processes(self) -> list[int]:
        """Return the ids of its hub and its node, as far as they are there."""
        return [pid for pid in processes_about(self.data.parent) if pid != self.process.pid]


def processes_about(folder: Path) -> Iterator[int]:
    """Yield the ids of the processes whose command line names ``folder``."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str(folder).encode() in (entry / "cmdline").read_bytes():
                yield int(entry.name)


@contextlib.contextmanager
def demo(tmp_path: Path, *arguments: str, **environment: str) -> Iterator[Demo]:
    """Run ``hub demo`` on ``tmp_path / "sources"``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    data = tmp_path / "data"
    command = ["hub", "demo", "--data", str(data), "--folder", str(tmp_path / "sources")]
    process = subprocess.Popen(
        [sys.executable, "-m", *command, *arguments],
        cwd=PROJECT,
        env=inherited | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    running = Demo(process, data)
    try:
        yield running
    finally:
        for pid in (process.pid, *running.processes()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def test_it_counts_every_file_and_leaves_outputs_but_no_process(
    tmp_path: Path, sources: Path
) -> None:
    with demo(tmp_path) as running:
        code, complaints = running.end()

        assert (code, complaints) == (0, ""), running.said
        assert running.processes() == []
    assert "none missing" in running.said
    assert "3 files, 17 bytes, 3 lines, 2 skipped" in running.said
    summary = json.loads((running.data / "demo" / "summary.json").read_text())
    assert {name: summary[name] for name in ("files", "skipped", "bytes", "lines")} == {
        "files": 3,
        "skipped": 2,
        "bytes": 17,
        "lines": 3,
    }
    with (running.data / "demo" / "files.csv").open(newline="") as table:
        rows = {row["path"]: row for row in csv.DictReader(table)}
    assert {path: row["sha256"] for path, row in rows.items()} == {
        path: hashlib.sha256((sources / path).read_bytes()).hexdigest()
        for path in ("one.py", "deep/no end, of line.py", "deep/empty.py")
    }


def test_it_reads_the_installed_packages_within_a_minute(tmp_path: Path, sources: Path) -> None:
    installed = str(Path(httpx.__file__).parents[1])
    with demo(tmp_path, "--folder", installed) as running:
        assert running.end()[0] == 0, running.said
    assert re.search(r"counted +[\d,]{4,} files", running.said)


def test_it_works_again_and_again_on_one_postgres_database(tmp_path: Path, sources: Path) -> None:
    require(PrivatePostgres)
    with PrivatePostgres(durable=False) as server:
        known = {
            "HUB_DATABASE_URL": server.create_database("demo"),
            "HUB_ADMIN_PASSWORD": PASSWORD,
        }
        for job in (1, 2):
            with demo(tmp_path, **known) as running:
                code, complaints = running.end()
                assert (code, complaints) == (0, ""), running.said
            assert "on PostgreSQL" in running.said
            assert f"job {job} " in running.said
        with demo(tmp_path, HUB_DATABASE_URL=known["HUB_DATABASE_URL"]) as running:
            code, complaints = running.end()
        left = asyncio.run(left_behind(known["HUB_DATABASE_URL"]))

    assert left == (1, 0)
    assert code == 1
    assert "set HUB_ADMIN_PASSWORD to it" in complaints


def test_it_fails_clearly_when_its_node_dies(tmp_path: Path, sources: Path) -> None:
    with demo(tmp_path) as running:
        os.kill(int(running.hear(r"node +process (\d+)")), signal.SIGKILL)
        code, complaints = running.end()

        assert code == 1
        assert complaints.count("\n") == 1
        assert "the node ended by SIGKILL" in complaints
        assert str(running.data / "demo" / "hub.log") in complaints
        assert running.processes() == []


def test_it_fails_clearly_when_its_hub_dies(tmp_path: Path, sources: Path) -> None:
    with demo(tmp_path) as running:
        running.hear("hub +http")
        (hub,) = running.processes()
        os.kill(hub, signal.SIGKILL)
        code, complaints = running.end()

        assert code == 1
        assert complaints.count("\n") == 1
        assert "the hub ended by SIGKILL" in complaints
        assert running.processes() == []


def test_it_says_what_the_job_failed_of(tmp_path: Path, sources: Path) -> None:
    with demo(tmp_path, HUB_MAX_OUTPUT_BYTES="5") as running:
        code, complaints = running.end()

    assert code == 1
    assert "the job did not finish: failed: The body is larger than 5 bytes" in complaints


def test_it_says_why_the_hub_refuses_to_run(tmp_path: Path, sources: Path) -> None:
    with demo(tmp_path, HUB_NONSENSE="1") as running:
        code, complaints = running.end()

    assert code == 1
    assert "unknown setting: HUB_NONSENSE" in complaints


def test_interrupted_it_leaves_no_process(tmp_path: Path, sources: Path) -> None:
    with demo(tmp_path) as running:
        running.hear("node +process")
        running.process.send_signal(signal.SIGINT)
        code, complaints = running.end()

        assert code == 1
        assert "interrupted" in complaints
        assert running.processes() == []


def test_kept_the_hub_answers_until_it_is_interrupted(tmp_path: Path, sources: Path) -> None:
    with demo(tmp_path, "--keep") as running:
        url = running.hear(r"runs on at (\S+)")
        password = running.hear(r"the password (\S+)")
        answer = httpx.post(
            f"{url}/v1/auth/obtain",
            json={"username": "admin", "password": password},
            trust_env=False,
        )
        running.process.send_signal(signal.SIGINT)
        code, complaints = running.end()

        assert answer.status_code == 200
        assert (code, complaints) == (0, "")
        assert running.processes() == []


@pytest.fixture
def fetched_folder(tmp_path: Path, sources: Path) -> Path:
    """A folder with both outputs of the work on ``sources``."""
    folder = tmp_path / "fetched"
    folder.mkdir()
    totals = Summary(folder=str(sources))
    with (folder / "files.csv").open("w", newline="") as table:
        steps = list(counted(sources, table, totals))
    assert steps[-1].share == 1.0
    (folder / "summary.json").write_bytes(msgspec.json.encode(totals))
    return folder


async def test_files_that_are_as_the_table_says_are_verified(fetched_folder: Path) -> None:
    check = await verified(fetched_folder, Lines())

    assert (check.summary.files, check.gone) == (3, 0)


async def test_a_file_that_is_gone_since_is_counted(fetched_folder: Path, sources: Path) -> None:
    (sources / "one.py").unlink()

    check = await verified(fetched_folder, Lines())

    assert (check.summary.files, check.gone) == (3, 1)


async def test_a_file_of_other_content_is_not_verified(fetched_folder: Path, sources: Path) -> None:
    (sources / "one.py").write_bytes(b"x = 1\ny = 3\n")

    with pytest.raises(NotVerified, match=r"one\.py"):
        await verified(fetched_folder, Lines())


@pytest.mark.parametrize("rows", ["", "path,sha256,bytes,lines\n", "no table", "path\nx\n"])
async def test_a_table_that_is_not_the_summarys_is_not_verified(
    fetched_folder: Path, rows: str
) -> None:
    (fetched_folder / "files.csv").write_text(rows)

    with pytest.raises(NotVerified):
        await verified(fetched_folder, Lines())


def test_a_file_whose_name_is_no_unicode_is_counted_all_the_same(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff,\n.py")
    (tmp_path / name).write_bytes(b"x\n")
    table = io.StringIO(newline="")

    list(counted(tmp_path, table, Totals()))

    table.seek(0)
    assert list(table_rows(table)) == [(name, Measured(hashlib.sha256(b"x\n").hexdigest(), 2, 1))]


def event(seq: int, transition: str) -> EventOut:
    """An event of a job's log."""
    return EventOut(
        g=seq,
        job=1,
        seq=seq,
        tseq=seq,
        type="job.progress" if transition == "progress" else "job.transition",
        transition=transition,
        from_status=None,
        to_status=None,
        time="",
        attempt=1,
        node=1,
        progress_amount=0.0,
        n=1,
        data={},
    )


LOG = [
    event(seq, transition)
    for seq, transition in enumerate(
        ("create", "acquire", "start", "progress", "output", "finish"), 1
    )
]
WHOLE = (2, 3, 4, 6)


def told(*numbers: int) -> list[Message]:
    """Messages of the socket with these numbers."""
    return [Message(transition="progress", progress=0.0, seq=number) for number in numbers]


def test_messages_that_are_all_of_the_log_are_proven() -> None:
    proof = proven(told(*WHOLE), LOG)

    assert (proof.messages, proof.events) == (4, 6)


@pytest.mark.parametrize("numbers", [(2, 3, 6), (2, 3, 3, 4, 6), (3, 2, 4, 6), (2, 3, 4, 5, 6)])
def test_a_message_missing_doubled_or_out_of_order_is_no_proof(numbers: tuple[int, ...]) -> None:
    with pytest.raises(Missed):
        proven(told(*numbers), LOG)


def test_a_log_with_a_gap_is_no_proof() -> None:
    with pytest.raises(Missed):
        proven(told(2, 3, 6), [entry for entry in LOG if entry.seq != 4])
