"""The eight ways in which workers once got stuck, each with a worker that does just that."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.compat import actions
from tests.compat.launcher import LOG_TYPE, Hooks, Launcher, Work, at_work, refusals, unzipped
from tests.compat.python_client import PythonClient, Refused
from tests.compat.site import Site, fresh

LIMIT_S = 20.0


@pytest.fixture(scope="module")
def account(shared_site: Site) -> PythonClient:
    """The account that all workers share: an administrator, as it usually is."""
    return shared_site.account("admin")


def lost_connection(_: Launcher) -> None:
    """Fail as a call does whose connection breaks."""
    raise ConnectionResetError


def status_of(call: "threading.Barrier | None", client: PythonClient, job: int) -> int:
    """Return what acquire is answered, asked when all are ready."""
    if call is not None:
        call.wait(LIMIT_S)
    try:
        actions.acquire(client, job)
    except Refused as refused:
        return refused.status
    return 200


# --- 1. Many take one job -------------------------------------------------------------------------


@pytest.mark.parametrize("rounds", [5, pytest.param(40, marks=pytest.mark.nightly)])
def test_of_eight_workers_that_acquire_at_once_one_wins(
    site: Site, account: PythonClient, template: int, rounds: int
) -> None:
    nodes = [site.node(account) for _ in range(8)]
    barrier = threading.Barrier(len(nodes))
    with ThreadPoolExecutor(len(nodes)) as pool:
        for job in [site.job(template) for _ in range(rounds)]:
            statuses = list(pool.map(lambda node, job=job: status_of(barrier, node, job), nodes))

            assert sorted(statuses) == [200, *[409] * 7]
            winner = nodes[statuses.index(200)]
            assert site.shown(job)["node"] == winner.node_id
            assert site.story(job) == ["create", "acquire"]


# --- 2. The loser spoils the winner's run ---------------------------------------------------------


def test_the_log_of_the_loser_is_refused_and_the_winner_finishes(
    site: Site, account: PythonClient, template: int
) -> None:
    job, polled, lost = site.job(template), threading.Barrier(2), threading.Event()

    def race(_: Launcher) -> None:
        polled.wait(LIMIT_S)

    def wait_for_the_loser(_: Launcher) -> None:
        lost.wait(LIMIT_S)

    hooks = Hooks(before={"acquire": race, "finish": wait_for_the_loser})
    both = [site.launcher(account, None, hooks, sees={job}) for _ in range(2)]
    for worker in both:
        worker.runs = both[0].runs
    with at_work(*both):
        missed = both[0].runs.get(timeout=LIMIT_S)
        lost.set()
        won = both[0].runs.get(timeout=LIMIT_S)

    assert (missed.began, missed.finished) == (False, False)
    assert refusals(missed) == [409, 403]
    assert won == (job, True, True, [])
    assert site.shown(job)["status"] == "COMPLETED"
    assert unzipped(actions.get_output(site.admin, job, "log", LOG_TYPE)) == []


# --- 3. The busy node eats jobs -------------------------------------------------------------------


def test_a_worker_that_lost_its_way_keeps_no_job_from_the_others(
    site: Site, account: PythonClient, template: int
) -> None:
    lost, following = site.job(template), [site.job(template) for _ in range(4)]
    astray = site.launcher(account, None, Hooks(before={"log": lost_connection}), sees={lost})
    astray.run(continuous=False)
    assert astray.runs.get_nowait()[:3] == (lost, True, False)
    assert site.current_job(astray.client.node_id) == lost

    astray.hooks.before.clear()
    astray.sees = set(following)
    taken = []
    for _ in range(3):
        astray.run_next()
        ran = astray.runs.get_nowait()
        taken.append(ran.job)
        assert (ran.began, ran.finished, refusals(ran)) == (False, False, [409, 409])
        # It holds what it took last, and all else is there for others.
        held = {pk for pk in following if site.shown(pk)["node"] == astray.client.node_id}
        assert held == {ran.job}

    assert len(set(taken)) > 1, "it came back to a job that it can never start"
    healthy = site.launcher(account, sees={*following} - {taken[-1]})
    for _ in range(3):
        healthy.run(continuous=False)
    assert [site.shown(pk)["status"] for pk in following].count("COMPLETED") == 3
    assert site.shown(lost)["status"] == "RUNNING"


# --- 4. The second run ----------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["reset", "abort"])
def test_the_second_run_of_a_job_stores_its_own_log(
    site: Site, account: PythonClient, template: int, ends: str
) -> None:
    job = site.job(template)
    first = site.launcher(account, Work(fails="the first run"), sees={job})
    if ends == "abort":
        first.hooks.before["finish"] = lambda _: actions.abort(site.admin, job)
    first.run(continuous=False)
    if ends == "reset":
        actions.reset(first.client, job)
        actions.release(first.client, job)
    assert site.shown(job)["outputs"] == []
    second = site.launcher(account, sees={job})

    second.run(continuous=False)

    assert second.runs.get_nowait() == (job, True, True, [])
    done = site.shown(job)
    assert (done["status"], done["attempt"]) == ("COMPLETED", 2)
    assert [output["name"] for output in done["outputs"]] == ["log"]
    assert unzipped(actions.get_output(site.admin, job, "log", LOG_TYPE)) == []


# --- 5. Canceled before the start -----------------------------------------------------------------


def test_a_job_that_was_canceled_before_its_start_is_over_at_once(
    site: Site, account: PythonClient, template: int
) -> None:
    job, worker = site.job(template), site.node(account)
    with site.tab().watching(job) as view:
        actions.cancel(site.admin, job)
        told = view.until("cancel")

    assert (told["cancelled"], "node" in told) == (True, False)
    assert site.launcher(site.account(), sees={job}).poll() == []
    assert status_of(None, worker, job) == 409
    assert actions.listed(site.admin, "nodes", pk_is(worker.node_id))[0]["current_job"] is None


def test_a_job_that_is_canceled_between_poll_and_acquire_costs_the_worker_nothing(
    site: Site, account: PythonClient, template: int
) -> None:
    gone, following = site.job(template), site.job(template)
    hooks = Hooks(before={"acquire": lambda _: actions.cancel(site.admin, gone)})
    worker = site.launcher(account, None, hooks, sees={gone, following})

    worker.run(continuous=False)
    assert worker.runs.get_nowait()[:3] == (gone, False, False)
    worker.run_next()

    assert worker.runs.get_nowait() == (following, True, True, [])
    assert site.story(gone) == ["create", "cancel"]


def test_a_job_that_is_canceled_between_acquire_and_start_is_not_started(
    site: Site, account: PythonClient, template: int
) -> None:
    gone, following = site.job(template), site.job(template)
    hooks = Hooks(before={"start": lambda _: actions.cancel(site.admin, gone)})
    worker = site.launcher(account, None, hooks, sees={gone, following})

    worker.run(continuous=False)
    worker.run_next()

    assert site.shown(gone)["status"] == "CANCELED"
    assert site.shown(following)["status"] == "COMPLETED"
    assert "start" not in site.story(gone)


# --- 6. A job is taken from a worker that is alive ------------------------------------------------


def test_a_worker_whose_job_was_aborted_spoils_nothing_and_goes_on(
    site: Site, account: PythonClient, template: int
) -> None:
    job, following = site.job(template), site.job(template)
    second = site.launcher(account, Work(reports=((0.5, {"by": "second"}),)), sees={job})

    def taken_away(first: Launcher) -> None:
        first.hooks.after.clear()
        actions.abort(site.admin, job)
        second.hooks.before["finish"] = lambda _: first_goes_on.wait(LIMIT_S)
        second_works.start()
        second_reported.wait(LIMIT_S)

    first_goes_on, second_reported = threading.Event(), threading.Event()
    second.hooks.after["log"] = lambda _: second_reported.set()
    second_works = threading.Thread(target=second.run, kwargs={"continuous": False})
    work = Work(outputs=(("model", "BLOB<'bin'>", b"of the first"),))
    first = site.launcher(account, work, Hooks(after={"progress": taken_away}), sees={job})

    first.run(continuous=False)
    first_goes_on.set()
    second_works.join(LIMIT_S)

    ran = first.runs.get_nowait()
    assert (ran.began, ran.finished) == (True, False)
    assert set(refusals(ran)) == {403}
    assert second.runs.get_nowait() == (job, True, True, [])
    done = site.shown(job)
    assert (done["node"], done["attempt"]) == (second.client.node_id, 2)
    assert [output["name"] for output in done["outputs"]] == ["log"]
    first.sees = {following}
    first.run_next()
    assert site.shown(following)["status"] == "COMPLETED"


# --- 7. Guards come before writes -----------------------------------------------------------------


def test_a_call_in_the_wrong_state_changes_nothing(
    site: Site, account: PythonClient, template: int
) -> None:
    node, other = site.node(account), site.node(account)
    running, queued = site.started(template, node), site.job(template)
    calls: list[Callable[[], object]] = [
        lambda: actions.start(node, queued, "email"),
        lambda: actions.progress(node, queued, 0.5),
        lambda: actions.finish(node, queued, success=True, send_notification=""),
        lambda: actions.release(node, running),
        lambda: actions.reset(node, running),
        lambda: actions.acquire(other, running),
        lambda: actions.progress(other, running, 0.5),
        lambda: actions.finish(other, running, success=True, send_notification=""),
        lambda: actions.start(other, running, "email"),
        lambda: actions.reset(other, running),
        lambda: actions.add_output(other, running, "log", LOG_TYPE, b"x"),
        lambda: actions.add_output(node, queued, "log", LOG_TYPE, b"x"),
    ]
    before = site.shown(running), site.shown(queued), site.current_job(node.node_id)

    for call in calls:
        with pytest.raises(Refused) as caught:
            call()
        assert caught.value.status in (403, 409), caught.value

    assert (site.shown(running), site.shown(queued), site.current_job(node.node_id)) == before
    actions.finish(node, running, success=True, send_notification="")


def test_finishing_what_is_not_ones_own_any_more_is_accepted_and_changes_nothing(
    site: Site, account: PythonClient, template: int
) -> None:
    node = site.node(account)
    for take_away in (actions.cancel, actions.abort):
        job = site.started(template, node)
        after = take_away(site.admin, job)

        assert actions.finish(node, job, True, "")["status"] == after["status"]
        assert actions.finish(node, job, False, "", "it broke")["status"] == after["status"]
        assert site.shown(job)["error_reason"] == after["error_reason"]
        assert site.current_job(node.node_id) is None


# --- Canceled while it runs -----------------------------------------------------------------------


def test_a_worker_whose_job_is_canceled_stops_stores_its_log_and_finishes(
    site: Site, account: PythonClient, template: int
) -> None:
    job, following = site.job(template), site.job(template)
    hooks = Hooks(after={"progress": lambda _: actions.cancel(site.admin, job)})
    work = Work(reports=((0.25, {}), (0.5, {}), (0.75, {})))
    worker = site.launcher(account, work, hooks, sees={job})
    with site.tab().watching(job) as view:
        worker.run(continuous=False)
        assert view.until_over() == ["acquire", "start", "progress", "cancel"]

    ran = worker.runs.get_nowait()
    assert (ran.began, ran.finished, refusals(ran)) == (True, True, [])
    shown = site.shown(job)
    assert (shown["status"], shown["is_cancelled"]) == ("CANCELED", True)
    assert (shown["error_reason"], shown["progress_amount"]) == ("Cancelled", 0.25)
    assert "Job was cancelled" in str(
        unzipped(actions.get_output(site.admin, job, "log", LOG_TYPE))
    )
    assert site.current_job(worker.client.node_id) is None
    worker.hooks.after.clear()
    worker.sees = {following}
    worker.run_next()
    assert site.shown(following)["status"] == "COMPLETED"


# --- One job that nobody can load -----------------------------------------------------------------


def test_a_job_that_a_worker_cannot_load_keeps_it_from_no_other(
    site: Site, account: PythonClient, template: int
) -> None:
    broken, whole = site.job(template), [site.job(template) for _ in range(3)]

    def load(launcher: Launcher) -> None:
        if launcher.job == broken:
            raise ModuleNotFoundError("some.package")

    worker = site.launcher(account, None, Hooks(before={"prepare": load}), sees={broken, *whole})
    with at_work(worker):
        done = [worker.runs.get(timeout=LIMIT_S).job for _ in whole]

    assert done == whole
    assert site.shown(broken)["status"] == "QUEUED"
    assert "some.package" in worker.complaints[0]
    # Another worker, which can load it, is offered it first.
    assert site.launcher(account, sees={broken, site.job(template)}).poll()[0]["pk"] == broken


# --- All together ---------------------------------------------------------------------------------


def test_three_workers_of_one_account_do_twelve_jobs_once_each(
    site: Site, account: PythonClient, template: int
) -> None:
    jobs = {site.job(template) for _ in range(12)}
    ip = fresh("m")
    workers = [site.launcher(account, sees=jobs, ip=ip, gpu=gpu) for gpu in range(3)]
    done: list[int] = []
    for worker in workers:
        worker.runs = workers[0].runs
    with at_work(*workers):
        while len(done) < len(jobs):
            ran = workers[0].runs.get(timeout=LIMIT_S)
            done += [ran.job] if ran.finished else []

    assert set(done) == jobs
    assert {site.shown(job)["status"] for job in jobs} == {"COMPLETED"}
    assert [site.story(job).count("finish") for job in jobs] == [1] * 12
    assert {site.current_job(worker.client.node_id) for worker in workers} == {None}


def pk_is(number: int | None) -> dict[str, object]:
    return {"expressions": [{"type": "exact", "field": "pk", "value": number}]}
