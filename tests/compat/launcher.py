"""The worker program, call by call: it registers, cleans up, polls, and runs one job at a time.

It is as stubborn and as careless as the real one: whatever fails while a job runs, it goes on with
the next line of its script; a log that cannot be stored means that finish is never sent; and what
it cannot do at all it tries again for ever. Before each report it looks whether the job was
canceled, where the real one leaves some seconds between two such looks. ``Hooks`` let a test
interfere before and after any call, or end it in the middle of one.
"""

import http.client
import io
import json
import queue
import threading
import traceback
import zipfile
from collections.abc import Callable, Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from tests.compat import actions
from tests.compat.python_client import Json, PythonClient, Refused
from tests.conformance.foreign import FREE_JOBS

LOG_TYPE = "Compressed<JSON, 8>"
RESTARTED = "Node restarted during job execution."
PRE_RUN_FAILED = "An error occurred during pre-run, check log!"
RUN_FAILED = "Failed to execute do-run code:\n"


class Killed(BaseException):
    """The worker process ended here and now; nothing in its script may catch that."""


class Stopped(Exception):
    """The child process was ended because the job was canceled."""


class Broken(Exception):
    """The work failed by itself."""


FAILURES = (Refused, OSError, http.client.HTTPException, LookupError, ImportError, Stopped, Broken)
"""What can go wrong in the worker; it catches all of it, wherever it is."""


Hook = Callable[["Launcher"], object]


@dataclass
class Hooks:
    """What happens before and after a call of the worker, by its name.

    The names are register, clean up, poll, prepare, acquire, start, ping, cancel check, progress,
    output, log, finish. A hook may raise ``Killed``, or an ``OSError`` as a network would.
    """

    before: dict[str, Hook] = field(default_factory=dict)
    after: dict[str, Hook] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """What the executor does with a job: reports, then outputs, then maybe an exception."""

    reports: tuple[tuple[float, Json], ...] = ((0.25, {"comment": "read"}), (1.0, {}))
    outputs: tuple[tuple[str, str, bytes], ...] = ()
    fails: str | None = None


class Ran(NamedTuple):
    """How one run went, as the worker itself sees it.

    ``finished`` is whether its finish was taken; ``failures`` is what its calls raised, in order.
    """

    job: int
    began: bool
    finished: bool
    failures: list[Exception]


class Launcher:
    """One worker program with one slot.

    Args:
        client: The account it signs in with.
        ip: The address of its machine.
        gpu: Its graphics card, which tells it from others on the machine.
        work: What it does with each job.
        hooks: Where a test interferes.
        sees: The jobs that are there for it at all, by number; ``None``: all.
        compute: The compute capability of its card; ``None``: it has none and skips that look.
        wait_s: The pause between two polls, and after an error.
    """

    def __init__(
        self,
        client: PythonClient,
        ip: str,
        gpu: int = 0,
        *,
        work: Work | None = None,
        hooks: Hooks | None = None,
        sees: Container[int] | None = None,
        compute: float | None = None,
        wait_s: float = 0.05,
    ) -> None:
        self.client = client
        self.hooks = hooks or Hooks()
        self.work = work or Work()
        self.job = 0
        self.runs: queue.Queue[Ran] = queue.Queue()
        self.complaints: list[str] = []
        self.stopping = threading.Event()
        self.machine = (ip, gpu)
        self.sees = sees
        self._compute = compute
        self._wait_s = wait_s
        self._log: list[Json] = []
        self._failures: list[Exception] = []
        self._is_cancelled = False

    # --- The main loop ----------------------------------------------------------------------------

    def run(self, *, continuous: bool = True) -> None:
        """Do what the program does from its start to its end; ``Killed`` ends it anywhere."""
        generation = self._generation()
        while not self.registered(generation):
            if self._paused():
                return
        while not self.stopping.is_set():
            try:
                self.run_next()
            except FAILURES:
                self.complaints.append(traceback.format_exc())
                self._paused()
            if not continuous:
                return

    def run_next(self) -> None:
        """Poll until there is a job that this worker can run, and run it."""
        while not self.stopping.is_set():
            for job in self.poll():
                self.job = job["pk"]
                self.prepare(job)
                self.run_job(job)
                return
            self._paused()

    def _paused(self) -> bool:
        """Wait a little; say whether the program was asked to end."""
        return self.stopping.wait(self._wait_s)

    @contextmanager
    def _call(self, name: str) -> Iterator[None]:
        if name in self.hooks.before:
            self.hooks.before[name](self)
        yield
        if name in self.hooks.after:
            self.hooks.after[name](self)

    # --- Registration -----------------------------------------------------------------------------

    def _generation(self) -> int | None:
        """Return the generation of this machine's card, found among all that the server knows."""
        if self._compute is None:
            return None
        for row in actions.listed(self.client, "hardware"):
            if row["min_compute_capability"] <= self._compute < row["max_compute_capability"]:
                return int(row["pk"])
        raise LookupError(f"no generation has compute capability {self._compute}")

    def registered(self, generation: int | None = None) -> bool:
        """Register this node, or tell again what it is; clean up after a former life."""
        ip, gpu = self.machine
        said: Json = {"ip": ip, "index": gpu, "driver_version": None}
        said |= {"hardware_generation": generation, "gpu_mem": None, "cpu_mem": 33_561_792_512}
        try:
            with self._call("register"):
                me = self._told(said)
            if me["current_job"] is not None:
                with self._call("clean up"):
                    self._clean_up(me["current_job"])
        except FAILURES:
            self.complaints.append(traceback.format_exc())
            return False
        return True

    def _told(self, said: Json) -> Json:
        parts = [{"type": "exact", "field": name, "value": said[name]} for name in ("ip", "index")]
        spec = {"expressions": [{"type": "and", "sub_expressions": parts}]}
        known = actions.listed(self.client, "nodes", spec)
        if known:
            self.client.set_node_id(known[0]["pk"])
            return actions.partial_update(self.client, "nodes", known[0]["pk"], **said)
        made = actions.create(self.client, "nodes", **said)
        self.client.set_node_id(made["pk"])
        return made

    def _clean_up(self, job: int) -> None:
        """End what a former life of this node ran, and give it back if that was accepted."""
        try:
            left = actions.finish(self.client, job, False, "", RESTARTED)
        except FAILURES:
            self.complaints.append(traceback.format_exc())
            return
        if left["error_reason"] != RESTARTED:
            return
        try:
            actions.reset(self.client, job)
            actions.release(self.client, job)
        except FAILURES:
            self.complaints.append(traceback.format_exc())

    # --- Looking for work -------------------------------------------------------------------------

    def poll(self) -> list[Json]:
        """Return the jobs that nobody holds, in the order in which they are tried."""
        with self._call("poll"):
            jobs = actions.listed(self.client, "jobs", FREE_JOBS)
        return [job for job in jobs if self.sees is None or job["pk"] in self.sees]

    def prepare(self, job: Json) -> None:
        """Build the executor of a job, which takes some calls; what goes wrong ends the poll."""
        with self._call("prepare"):
            template = actions.retrieve(self.client, "job-templates", job["template"]["pk"])
            _ = template["executor_class"], template["required_packages"], template["type"]
            types = {row["name"]: (row["cls"], row["pkg"]) for row in self._named("job-types")}
            contracts = {row["name"]: row["cls"] for row in self._named("job-contracts")}
            assert types["Compressed"][0].startswith("ufdl.")
            assert {"Train", "Predict", "Export"} <= contracts.keys()
            if "docker_image" in template["parameters"]:
                self._image(job, template)

    def _named(self, table: str) -> list[Json]:
        return actions.listed(self.client, table, {})

    def _image(self, job: Json, template: Json) -> Json:
        """Look up the image that a job runs in, by the value of its parameter."""
        spec = template["parameters"]["docker_image"]
        given = job["parameter_values"].get(
            "docker_image", {"value": spec.get("default"), "type": spec.get("default_type")}
        )
        expressions = [{"type": "exact", "field": "pk", "value": given["value"]}]
        (image,) = actions.listed(self.client, "docker", {"expressions": expressions})
        return image

    # --- One run ----------------------------------------------------------------------------------

    def run_job(self, job: Json) -> None:
        """Take a job, work, store the log, finish: whatever of it fails, the rest is tried."""
        self.job, self._is_cancelled = job["pk"], False
        self._log, self._failures = [], []
        began = self._began(job["pk"])
        error = self._worked() if began else None
        finished = False
        try:
            self._pinged()
            self._store_log()
            finished = self._finished(began, error)
        except FAILURES as failure:
            self._noted("Failed to execute post-run code:", failure)
        self.runs.put(Ran(self.job, began, finished, self._failures))

    def _began(self, job: int) -> bool:
        try:
            with self._call("acquire"):
                actions.acquire(self.client, job)
            with self._call("start"):
                actions.start(self.client, job, "email")
        except FAILURES as failure:
            self._noted(f"Failed to begin job {job}!", failure)
            return False
        return True

    def _worked(self) -> str | None:
        """Run the executor; return what it failed of."""
        try:
            self._pinged()
            self._execute()
        except FAILURES as failure:
            error = f"{RUN_FAILED}{traceback.format_exc()}"
            self._noted(error, failure)
            return error
        return None

    def _execute(self) -> None:
        for amount, remarks in self.work.reports:
            self._report(amount, remarks)
        for name, type_text, data in self.work.outputs:
            with self._call("output"):
                actions.add_output(self.client, self.job, name, type_text, io.BytesIO(data))
        if self.is_cancelled():
            raise Stopped("Job was cancelled")
        if self.work.fails is not None:
            raise Broken(self.work.fails)

    def _report(self, amount: float, remarks: Json) -> None:
        if self.is_cancelled():
            return
        try:
            with self._call("progress"):
                actions.progress(self.client, self.job, amount, **remarks)
        except FAILURES as failure:
            self._noted("Failed to update backend on progress:", failure)
            self.is_cancelled()

    def is_cancelled(self) -> bool:
        """Look whether the job was canceled; once it was, no more is asked."""
        if not self._is_cancelled:
            with self._call("cancel check"):
                shown = actions.retrieve(self.client, "jobs", self.job)
            self._is_cancelled = shown["is_cancelled"]
        return self._is_cancelled

    def _pinged(self) -> None:
        try:
            with self._call("ping"):
                actions.ping(self.client)
        except FAILURES as failure:
            self._noted("Failed to ping backend:", failure)

    def _store_log(self) -> None:
        with self._call("log"):
            data = io.BytesIO(zipped(self._log))
            actions.add_output(self.client, self.job, "log", LOG_TYPE, data)

    def _finished(self, began: bool, error: str | None) -> bool:
        if error is None and not began:
            error = PRE_RUN_FAILED
        try:
            with self._call("finish"):
                actions.finish(self.client, self.job, error is None, "email", error)
        except FAILURES as failure:
            self._noted(f"Failed to finish job {self.job}!", failure)
            return False
        return True

    def _noted(self, text: str, failure: Exception) -> None:
        self._failures.append(failure)
        entry = {"msg": [text, *traceback.format_exc().splitlines()]}
        self._log.append({str(datetime.now(UTC)): entry})


def zipped(log: list[Json]) -> bytes:
    """Return a log as workers store it: a zip with one member, `data`, that is JSON."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data", json.dumps(log))
    return buffer.getvalue()


def unzipped(data: bytes) -> list[Json]:
    """Return a log as the pages read it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["data"]
        return list(json.loads(archive.read("data")))


def refusals(ran: Ran) -> list[int]:
    """Return the statuses with which calls of a run were refused."""
    return [failure.status for failure in ran.failures if isinstance(failure, Refused)]


@contextmanager
def at_work(*launchers: Launcher) -> Iterator[None]:
    """Run worker programs beside the test; asked to end, they end after their present job."""
    with ThreadPoolExecutor(len(launchers)) as pool:
        running = [pool.submit(launcher.run) for launcher in launchers]
        try:
            yield
        finally:
            for launcher in launchers:
                launcher.stopping.set()
    for one in running:
        with suppress(Killed):
            one.result()
