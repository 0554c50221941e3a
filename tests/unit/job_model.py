"""What a job's life is, said once more and differently: the yardstick for the rules in use.

Written from the description of states and leases; nothing of ``hub`` is imported. A call returns
``""`` when it is granted, else the code of the refusal.
"""

from typing import NamedTuple

import msgspec

SECOND_US = 1_000_000
FINAL = ("COMPLETED", "CANCELED")
HELD = ("ACQUIRED", "RUNNING")
SILENCE_US = 3_600 * SECOND_US
DOUBT_US = SILENCE_US // 12
TIMEOUT_S = 5_000
"""Of every job here: silence that loses it, the part of it that raises doubts, longest run."""


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


class Run(NamedTuple):
    """What a node that lost a run finds again if it calls before anybody else got the job."""

    node: int
    start_us: int
    progress: float
    outputs: dict[str, float]


class Job(msgspec.Struct):
    """A job as its story makes it; ``outputs`` are the visible ones of the present attempt.

    ``look_us`` is when the hub looks at its holder next.
    """

    status: str = "QUEUED"
    holder: int | None = None
    former: set[int] = set()
    attempt: int = 0
    tries: int = 0
    max_tries: int = 3
    runs: int = 1
    progress: float = 0.0
    error: str | None = None
    outputs: dict[str, float] = {}
    events: int = 1
    heard_us: int = 0
    look_us: int = 0
    doubted_us: int | None = None
    start_us: int = 0
    lost: Run | None = None
    busy_until_us: int = 0
    canceled_us: int = 0
    is_deleted: bool = False

    def occupies(self, now_us: int) -> bool:
        """Whether its holder has its hands full with it."""
        held = self.holder is not None and self.status in HELD
        return held or (self.status in ("CANCELED", "FAILED") and self.busy_until_us > now_us)

    def leave(self) -> None:
        """Have no holder any more, but a former one."""
        self.former |= set() if self.holder is None else {self.holder}
        self.holder, self.doubted_us = None, None

    def again(self) -> None:
        """Wait for another run, with nothing left of the one before."""
        self.leave()
        self.status, self.progress, self.error, self.outputs = "QUEUED", 0.0, None, {}
        self.busy_until_us = 0
        self.runs += 1

    def settle(self) -> None:
        """Take from a node the run that it lost and might have come back to."""
        self.runs += self.lost is not None
        self.lost = None


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
        self._hear(job, ask)
        refusal: str | None = getattr(self, f"_{ask.what}")(job, ask)
        if refusal is None:
            job.events += 1
        return refusal.replace("same", "") if refusal else ""

    # Silence

    def _hear(self, job: Job, ask: Ask) -> None:
        """A call by the holder ends every doubt; one by who lost the run brings it back."""
        if ask.node is None or job.is_deleted:
            return
        if job.holder == ask.node and job.doubted_us is not None:
            job.doubted_us, job.look_us = None, self.now_us + DOUBT_US
            job.heard_us = self.now_us
            job.events += 1
        is_at_work = ask.what in ("start", "progress", "finish", "fail", "upload")
        if job.lost is None or job.lost.node != ask.node or not is_at_work:
            return
        if any(o.holder == ask.node and o.occupies(self.now_us) for o in self.jobs.values()):
            return
        job.status, job.holder, job.start_us = "RUNNING", ask.node, job.lost.start_us
        job.progress, job.outputs = job.lost.progress, job.lost.outputs
        job.heard_us, job.look_us = self.now_us, self.now_us + DOUBT_US
        job.lost = None
        job.events += 1

    def look(self) -> None:
        """What the hub does every other second about nodes that it hears nothing of."""
        for job in self.jobs.values():
            if job.status in HELD:
                self._look_at(job)

    def _look_at(self, job: Job) -> None:
        if self._takes_too_long(job):
            self._time_out(job)
        elif job.look_us > self.now_us:
            pass
        elif job.doubted_us is not None:
            self._lose(job)
        elif job.heard_us + DOUBT_US > self.now_us:
            job.look_us = job.heard_us + DOUBT_US
        else:
            job.doubted_us = self.now_us
            job.look_us = self.now_us + SILENCE_US - DOUBT_US
            job.events += 1

    def _takes_too_long(self, job: Job) -> bool:
        return job.status == "RUNNING" and job.start_us + TIMEOUT_S * SECOND_US <= self.now_us

    def _time_out(self, job: Job) -> None:
        job.status = "FAILED"
        job.error = f"timeout: the run took longer than {TIMEOUT_S} s"
        job.busy_until_us = self.now_us + 30 * SECOND_US
        job.doubted_us = None
        job.events += 1

    def poll(self, node: int) -> None:
        """``node`` asks for free jobs: it works on none of which it told nothing for a minute."""
        for job in self.jobs.values():
            is_silent = self.now_us - job.heard_us >= 60 * SECOND_US
            if job.holder == node and self._takes_too_long(job):
                self._time_out(job)
            elif job.holder == node and job.status in HELD and is_silent:
                self._lose(job)

    def _lose(self, job: Job) -> None:
        job.events += 1
        if job.tries >= job.max_tries:
            self._fail_for_good(job)
            return
        run = Run(job.holder or 0, job.start_us, job.progress, job.outputs)
        was_running = job.status == "RUNNING"
        job.leave()
        job.status, job.progress, job.outputs = "QUEUED", 0.0, {}
        job.lost = run if was_running else None

    def _fail_for_good(self, job: Job) -> None:
        job.status, job.outputs = "FAILED", {}
        job.error = f"node-lost: node {job.holder} was lost, and it was try {job.tries}"
        job.leave()

    # Calls

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
        job.settle()
        job.holder, job.heard_us, job.outputs = ask.node, self.now_us, {}
        job.look_us, job.busy_until_us = self.now_us + DOUBT_US, 0
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
                other.events += 1
                if other.tries >= other.max_tries:
                    self._fail_for_good(other)
                else:
                    other.again()

    def _release(self, job: Job, ask: Ask) -> str | None:
        if job.holder != ask.node:
            return "same" if ask.node in job.former else "not_the_holder"
        if job.status not in ("ACQUIRED", "FAILED"):
            return "illegal_transition"
        job.leave()
        job.busy_until_us = 0
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
        job.status, job.heard_us, job.start_us = "RUNNING", self.now_us, self.now_us
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
        was_too_long = job.status == "FAILED" and (job.error or "").startswith("timeout")
        if job.status == "CANCELED" or was_too_long:
            job.busy_until_us = 0
        if job.status in ("CANCELED", status) or was_too_long:
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
        job.tries += 1
        job.look_us = self.now_us + DOUBT_US
        return None

    def _abort(self, job: Job, _: Ask) -> str | None:
        if job.is_deleted:
            return "job_deleted"
        if job.status == "QUEUED" and job.lost is None:
            return "same"
        if job.status in FINAL:
            return "illegal_transition"
        if job.lost is None:
            job.again()
        job.settle()
        return None

    def _cancel(self, job: Job, ask: Ask) -> str | None:
        if not (ask.is_admin or ask.is_creator):
            return "not_the_holder"
        if job.status in FINAL:
            return "same"
        runs = job.status == "RUNNING"
        job.settle()
        job.doubted_us = None
        job.busy_until_us = self.now_us + 30 * SECOND_US if runs else 0
        job.status, job.error, job.canceled_us = "CANCELED", "Cancelled", self.now_us
        return None

    def _requeue(self, job: Job, _: Ask) -> str | None:
        if job.is_deleted:
            return "job_deleted"
        if job.status not in ("FAILED", "CANCELED"):
            return "illegal_transition"
        job.again()
        job.max_tries = job.tries + 1
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
