"""The hub is stopped or killed in every phase of a job, and comes back; the workers just go on.

A worker that is cut off does what its script says: it may end a run as failed, or turn to the next
job and leave one behind. Nothing may be lost by that, and nothing done twice.
"""

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.compat.browser_client import ClosedByServer
from tests.compat.conftest import ONCE, FindHome
from tests.compat.launcher import PRE_RUN_FAILED, RUN_FAILED, Hooks, Launcher, Work, at_work
from tests.compat.patience import until
from tests.compat.python_client import PythonClient
from tests.compat.site import Site, fresh

LIMIT_S = 20.0
GIVEN_UP_S = 100.0
"""A worker that asks for other work has its silent run taken from it within this time."""

WORK = Work(reports=((0.5, {}),), outputs=(("model", "BLOB<'bin'>", b"weights"),))
HELD = "held by a worker that has turned to other jobs"

# In which call the hub was away, and how: the call came to nothing, its answer did, or neither.
# What the worker's own script makes of it: how the job stands, and what its error begins with.
OUTCOMES = {
    ("acquire", "between"): ("COMPLETED", None),
    ("acquire", "unsent"): ("COMPLETED", None),
    ("acquire", "unanswered"): ("ACQUIRED", HELD),
    ("start", "between"): ("COMPLETED", None),
    ("start", "unsent"): ("ACQUIRED", HELD),
    ("start", "unanswered"): ("FAILED", PRE_RUN_FAILED),
    ("ping", "unsent"): ("COMPLETED", None),
    ("cancel check", "unsent"): ("FAILED", RUN_FAILED),
    ("progress", "between"): ("COMPLETED", None),
    ("progress", "unsent"): ("COMPLETED", None),
    ("progress", "unanswered"): ("COMPLETED", None),
    ("output", "between"): ("COMPLETED", None),
    ("output", "unsent"): ("FAILED", RUN_FAILED),
    ("output", "unanswered"): ("FAILED", RUN_FAILED),
    ("log", "between"): ("COMPLETED", None),
    ("log", "unsent"): ("RUNNING", HELD),
    ("log", "unanswered"): ("RUNNING", HELD),
    ("finish", "between"): ("COMPLETED", None),
    ("finish", "unsent"): ("RUNNING", HELD),
    ("finish", "unanswered"): ("COMPLETED", None),
}


class Outage:
    """One time without the hub: many workers wait for it, each in another phase of its job."""

    def __init__(self, workers: int) -> None:
        self._all_in_place = threading.Barrier(workers + 1)
        self._is_over = threading.Event()

    def hooks(self, call: str, how: str) -> Hooks:
        """Return what stops a worker in its first such call until the hub is back."""
        hooks = Hooks()
        place = hooks.after if how == "unanswered" else hooks.before

        def wait(_: Launcher) -> None:
            del place[call]
            self._all_in_place.wait(LIMIT_S)
            assert self._is_over.wait(LIMIT_S)
            if how != "between":
                raise ConnectionResetError

        place[call] = wait
        return hooks

    def pass_over(self, site: Site, *, kindly: bool) -> None:
        """Wait for all workers, then let the hub end and begin again."""
        self._all_in_place.wait(LIMIT_S)
        site.restart(kindly=kindly)
        self._is_over.set()


@pytest.fixture(scope="module")
def frail(find_home: FindHome) -> Iterator[Site]:
    """A hub that does not live long."""
    with find_home("frail").running() as site:
        yield site


@pytest.fixture(scope="module")
def account(frail: Site) -> PythonClient:
    return frail.account()


Crew = dict[tuple[str, str], tuple[int, Launcher]]


def crew(site: Site, account: PythonClient, outage: Outage) -> Crew:
    """Return a job and a worker for each phase; the worker sees that job only."""
    template = site.template()
    made = {}
    for phase in OUTCOMES:
        job = site.job(template)
        made[phase] = job, site.launcher(account, WORK, outage.hooks(*phase), sees={job})
    return made


def outcome(site: Site, job: int, worker: Launcher) -> tuple[str, str | None]:
    """Return how a job stands, and the beginning of its error or who holds it."""
    shown = site.shown(job)
    if shown["status"] in ("ACQUIRED", "RUNNING"):
        assert shown["node"] == worker.client.node_id
        return shown["status"], HELD
    error = shown["error_reason"]
    known = [text for text in (PRE_RUN_FAILED, RUN_FAILED) if error and error.startswith(text)]
    return shown["status"], known[0] if known else error


@pytest.mark.parametrize("kindly", [True, False], ids=["stopped", "killed"])
def test_no_job_is_lost_or_done_twice_when_the_hub_restarts(
    frail: Site, account: PythonClient, kindly: bool
) -> None:
    outage = Outage(len(OUTCOMES))
    workers = crew(frail, account, outage)
    with at_work(*(worker for _, worker in workers.values())):
        outage.pass_over(frail, kindly=kindly)
        for job, worker in workers.values():
            assert worker.runs.get(timeout=LIMIT_S).job == job
        # This one came to nothing at all: it is tried again.
        assert workers["acquire", "unsent"][1].runs.get(timeout=LIMIT_S).finished

    assert {phase: outcome(frail, *workers[phase]) for phase in OUTCOMES} == OUTCOMES
    for phase, (job, worker) in workers.items():
        if OUTCOMES[phase][1] == HELD:
            restarted(frail, account, worker, job)
    for phase, (job, worker) in workers.items():
        ends = [name for name in frail.story(job) if name in ("finish", "error")]
        assert ends == expected_ends(phase), phase
        assert frail.current_job(worker.client.node_id) is None


def restarted(site: Site, account: PythonClient, worker: Launcher, job: int) -> None:
    """Let the next life of a worker do what it holds, and if need be another job before that."""
    other = site.job(site.shown(job)["template"]["pk"])
    ip, gpu = worker.machine
    again = site.launcher(account, WORK, sees={job, other}, ip=ip, gpu=gpu)
    again.run(continuous=False)
    again.run_next()
    assert site.shown(job)["status"] == "COMPLETED"
    assert site.shown(other)["status"] == "COMPLETED"


def expected_ends(phase: tuple[str, str]) -> list[str]:
    status, _ = OUTCOMES[phase]
    return {"FAILED": ["error"], "RUNNING": ["error", "finish"]}.get(status, ["finish"])


@ONCE
@pytest.mark.nightly
@pytest.mark.timeout(400)
@pytest.mark.parametrize("kindly", [True, False], ids=["stopped", "killed"])
def test_what_a_cut_off_worker_left_behind_is_done_without_anybodys_help(
    frail: Site, account: PythonClient, kindly: bool
) -> None:
    outage = Outage(len(OUTCOMES))
    workers = crew(frail, account, outage)
    with at_work(*(worker for _, worker in workers.values())):
        outage.pass_over(frail, kindly=kindly)
        for job, _ in workers.values():
            with frail.tab().watching(job) as view:
                view.until("finish", "error", limit_s=GIVEN_UP_S)

    for phase, (job, worker) in workers.items():
        ends = [name for name in frail.story(job) if name in ("finish", "error")]
        assert ends == (["error"] if OUTCOMES[phase][0] == "FAILED" else ["finish"]), phase
        assert frail.current_job(worker.client.node_id) is None


def test_a_worker_that_polls_while_the_hub_is_away_goes_on_polling(
    frail: Site, account: PythonClient
) -> None:
    seen: set[int] = set()
    worker = frail.launcher(account, sees=seen)
    has_polled, was_refused = threading.Event(), threading.Event()
    worker.hooks.after["poll"] = lambda _: has_polled.set()
    worker.hooks.before["poll"] = lambda one: was_refused.set() if one.complaints else None
    with at_work(worker):
        assert has_polled.wait(LIMIT_S)
        with frail.away(kindly=True):
            assert was_refused.wait(LIMIT_S)
        seen.add(job := frail.job(frail.template()))
        ran = worker.runs.get(timeout=LIMIT_S)

    assert (ran.job, ran.finished) == (job, True)


def test_a_worker_that_starts_before_the_hub_waits_for_it(
    frail: Site, account: PythonClient
) -> None:
    job = frail.job(frail.template())
    worker = frail.launcher(account, sees={job}, ip=fresh("m"))
    with ExitStack() as stack:
        with frail.away(kindly=False):
            stack.enter_context(at_work(worker))
            until(lambda: bool(worker.complaints), LIMIT_S)
        ran = worker.runs.get(timeout=LIMIT_S)

    assert (ran.job, ran.finished) == (job, True)


@pytest.mark.parametrize("kindly", [True, False], ids=["stopped", "killed"])
def test_a_page_learns_that_the_hub_has_gone(frail: Site, kindly: bool) -> None:
    job = frail.job(frail.template())
    with frail.tab().watching(job) as view:
        frail.restart(kindly=kindly)

        with pytest.raises(ClosedByServer, match="1012" if kindly else None):
            view.next(limit_s=LIMIT_S)
    with frail.tab().watching(job) as view:
        assert view.connection.ping().wait(LIMIT_S)


@ONCE
@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2))
def test_three_workers_do_twelve_jobs_on_a_hub_that_is_killed_again_and_again(
    frail: Site, account: PythonClient, seed: int
) -> None:
    dice = random.Random(seed)
    template = frail.template()
    jobs = {frail.job(template) for _ in range(12)}
    ip = fresh("m")
    workers = [frail.launcher(account, WORK, sees=jobs, ip=ip, gpu=gpu) for gpu in range(3)]
    with at_work(*workers):
        for is_kind in (False, True, False, False):
            threading.Event().wait(dice.uniform(0.02, 0.3))
            frail.restart(kindly=is_kind)
        for job in jobs:
            with frail.tab().watching(job) as view:
                view.until("finish", "error", limit_s=3 * GIVEN_UP_S)

    for job in jobs:
        assert [n for n in frail.story(job) if n in ("finish", "error")] in (["finish"], ["error"])
    assert {frail.current_job(worker.client.node_id) for worker in workers} == {None}
