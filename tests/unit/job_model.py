"""What a job's life is, said once more and differently: the yardstick for the rules in use.

Written from the description of states and leases; nothing of ``hub`` is imported. A call returns
``""`` when it is granted, else the code of the refusal.
"""

from typing import NamedTuple

import msgspec

SECOND_US = 1_000_000
FINAL = ("COMPLETED", "CANCELED")


class Ask(NamedTuple):
    """Who asks for what: a worker has a ``node``; accounts are the admin's, creator's, others'."""

    what: str
    job: int = 0
    node: int | None = None
    is_admin: bool = False
    is_creator: bool = False
    value: float = 0.0
    name: str = ""
    run: tuple[int, int] = (0, 0)


class Job(msgspec.Struct):
    """A job as its story makes it; ``outputs`` are the visible ones of the present attempt."""

    status: str = "QUEUED"
    holder: int | None = None
    former: set[int] = set()
    attempt: int = 0
    tries: int = 0
    runs: int = 1
    progress: float = 0.0
    error: str | None = None
    outputs: dict[str, float] = {}
    events: int = 1
    heard_us: int = 0
    busy_until_us: int = 0
    canceled_us: int = 0
    is_deleted: bool = False

    def occupies(self, now_us: int) -> bool:
        """Whether its holder has its hands full with it."""
        held = self.holder is not None and self.status in ("ACQUIRED", "RUNNING")
        return held or (self.status == "CANCELED" and self.busy_until_us > now_us)

    def leave(self) -> None:
        """Have no holder any more, but a former one."""
        self.former |= set() if self.holder is None else {self.holder}
        self.holder = None

    def again(self) -> None:
        """Wait for another run, with nothing left of the one before."""
        self.leave()
        self.status, self.progress, self.error, self.outputs = "QUEUED", 0.0, None, {}
        self.runs += 1


class Model:
    """All jobs there are, and what may happen to them."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.made = 0
        self.now_us = 0

    def ask(self, ask: Ask) -> str:
        """Do it, or say why not."""
        if ask.what == "create":
            self.made += 1
            self.jobs[self.made] = Job()
            return ""
        job = self.jobs.get(ask.job)
        if job is None:
            return "not_found"
        refusal: str | None = getattr(self, f"_{ask.what}")(job, ask)
        if refusal is None:
            job.events += 1
        return refusal.replace("same", "") if refusal else ""

    def _acquire(self, job: Job, ask: Ask) -> str | None:
        assert ask.node is not None
        if job.is_deleted:
            return "not_found"
        if job.holder is not None and job.status not in FINAL:
            if job.holder != ask.node:
                return "job_held"
            job.heard_us = self.now_us
            return "same"
        if job.status not in ("QUEUED", "FAILED"):
            return "illegal_transition"
        self._drop_others(ask.node)
        job.holder, job.heard_us, job.outputs = ask.node, self.now_us, {}
        job.attempt += 1
        job.tries += 1
        job.status = "ACQUIRED" if job.status == "QUEUED" else "FAILED"
        return None

    def _drop_others(self, node: int) -> None:
        for other in self.jobs.values():
            if other.holder != node:
                continue
            if other.status == "ACQUIRED":
                other.leave()
                other.status = "QUEUED"
                other.tries -= 1
                other.events += 1
            elif other.status == "RUNNING" and self.now_us - other.heard_us >= 60 * SECOND_US:
                other.again()
                other.events += 1

    def _release(self, job: Job, ask: Ask) -> str | None:
        if job.holder != ask.node:
            return "same" if ask.node in job.former else "not_the_holder"
        if job.status not in ("ACQUIRED", "FAILED"):
            return "illegal_transition"
        job.leave()
        if job.status == "ACQUIRED":
            job.status = "QUEUED"
            job.tries -= 1
        return None

    def _start(self, job: Job, ask: Ask) -> str | None:
        if job.holder != ask.node:
            return "not_the_holder"
        if job.status == "RUNNING":
            job.heard_us = self.now_us
            return "same"
        for other in self.jobs.values():
            works = other.occupies(self.now_us) and other.status != "ACQUIRED"
            if other is not job and other.holder == ask.node and works:
                return "node_busy"
        if job.status != "ACQUIRED":
            return "illegal_transition"
        job.status, job.heard_us = "RUNNING", self.now_us
        return None

    def _progress(self, job: Job, ask: Ask) -> str | None:
        if job.holder != ask.node:
            return "not_the_holder"
        if job.status != "RUNNING":
            return "illegal_transition"
        job.progress, job.heard_us = max(job.progress, ask.value), self.now_us
        return None

    def _end(self, job: Job, ask: Ask, status: str) -> str | None:
        if job.holder != ask.node:
            return "same" if ask.node in job.former else "not_the_holder"
        if job.status == "CANCELED":
            job.busy_until_us = 0
        if job.status in ("CANCELED", status):
            return "same"
        if job.status != "RUNNING":
            return "illegal_transition"
        if ask.name and ask.name not in job.outputs:
            return "outputs_missing"
        job.status = status
        return None

    def _finish(self, job: Job, ask: Ask) -> str | None:
        return self._end(job, ask, "COMPLETED")

    def _fail(self, job: Job, ask: Ask) -> str | None:
        refusal = self._end(job, ask, "FAILED")
        job.error = "broken" if refusal is None else job.error
        return refusal

    def _reset(self, job: Job, ask: Ask) -> str | None:
        if job.holder != ask.node:
            return "not_the_holder"
        if job.is_deleted:
            return "job_deleted"
        if job.status != "FAILED":
            return "illegal_transition"
        holder = job.holder
        job.again()
        job.status, job.holder, job.heard_us = "ACQUIRED", holder, self.now_us
        return None

    def _abort(self, job: Job, _: Ask) -> str | None:
        if job.is_deleted:
            return "job_deleted"
        if job.status == "QUEUED":
            return "same"
        if job.status in FINAL:
            return "illegal_transition"
        job.again()
        return None

    def _cancel(self, job: Job, ask: Ask) -> str | None:
        if not (ask.is_admin or ask.is_creator):
            return "not_the_holder"
        if job.status in FINAL:
            return "same"
        runs = job.status == "RUNNING"
        job.busy_until_us = self.now_us + 30 * SECOND_US if runs else 0
        job.status, job.error, job.canceled_us = "CANCELED", "Cancelled", self.now_us
        return None

    def _requeue(self, job: Job, _: Ask) -> str | None:
        if job.is_deleted:
            return "job_deleted"
        if job.status not in ("FAILED", "CANCELED"):
            return "illegal_transition"
        job.again()
        return None

    def _destroy(self, job: Job, _: Ask) -> str | None:
        if job.is_deleted:
            return "same"
        if job.status in ("ACQUIRED", "RUNNING"):
            return "job_in_use"
        job.is_deleted = True
        return None

    def _reinstate(self, job: Job, _: Ask) -> str | None:
        if not job.is_deleted:
            return "same"
        job.is_deleted = False
        return None

    def _erase(self, job: Job, ask: Ask) -> str | None:
        if job.status in ("ACQUIRED", "RUNNING"):
            return "job_in_use"
        del self.jobs[ask.job]
        return None

    def _upload(self, job: Job, ask: Ask) -> str | None:
        if ask.node is not None and job.holder != ask.node:
            return "not_the_holder"
        lately = self.now_us - job.canceled_us <= 600 * SECOND_US
        late = ask.node is not None and job.status == "CANCELED" and lately
        if job.status not in ("RUNNING", "FAILED") and not late:
            return "illegal_transition"
        if ask.run != (job.attempt, job.runs):
            return "run_over"
        if ask.name in job.outputs:
            return "same" if job.outputs[ask.name] == ask.value else "output_exists"
        job.outputs[ask.name] = ask.value
        job.heard_us = job.heard_us if ask.node is None else self.now_us
        return None
