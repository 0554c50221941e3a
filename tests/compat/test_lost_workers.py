"""Workers that die in the middle of a job, and are noticed."""

import pytest

from tests.compat import actions
from tests.compat.conftest import ONCE
from tests.compat.launcher import LOG_TYPE, Hooks, Launcher, at_work
from tests.compat.python_client import Refused
from tests.compat.silence import FIRST_LOG, Silent
from tests.compat.site import Site

LIMIT_S = 20.0
GIVEN_UP_S = 100.0


@pytest.fixture(scope="module")
def noticed(silent: Silent) -> Silent:
    """Nodes whose silence was noticed."""
    silent.is_noticed()
    return silent


@pytest.mark.parametrize("which", ["running", "acquired"])
def test_the_job_of_a_dead_worker_is_done_by_another(noticed: Silent, which: str) -> None:
    site, job = noticed.site, getattr(noticed, which).job
    assert site.shown(job)["outputs"] == []
    worker = site.launcher(site.account(), sees={job})

    worker.run(continuous=False)

    assert worker.runs.get_nowait() == (job, True, True, [])
    done = site.shown(job)
    assert (done["status"], done["attempt"]) == ("COMPLETED", 2)
    assert actions.get_output(site.admin, job, "log", LOG_TYPE) != FIRST_LOG


def test_a_worker_that_comes_back_before_anybody_took_its_job_goes_on(noticed: Silent) -> None:
    job, node = noticed.returning

    actions.progress(node, job, 0.75, step=2)
    done = actions.finish(node, job, success=True, send_notification="email")

    assert (done["status"], done["attempt"], done["progress_amount"]) == ("COMPLETED", 1, 0.75)
    assert actions.get_output(node, job, "log", LOG_TYPE) == FIRST_LOG


def test_a_worker_that_comes_back_too_late_changes_nothing(noticed: Silent) -> None:
    site, (job, node) = noticed.site, noticed.late
    other = site.node(site.account())
    actions.acquire(other, job)
    actions.start(other, job, "email")
    before = site.shown(job)

    with pytest.raises(Refused, match=r"^403 "):
        actions.progress(node, job, 0.9)
    with pytest.raises(Refused, match=r"^403 "):
        actions.add_output(node, job, "log", LOG_TYPE, b"too late")
    actions.finish(node, job, success=False, send_notification="", error="too late")

    assert site.shown(job) == before
    actions.finish(other, job, success=True, send_notification="")


def test_a_silent_run_of_a_worker_that_looks_whether_it_is_canceled_goes_on(
    noticed: Silent,
) -> None:
    site, (job, node) = noticed.site, noticed.working

    assert site.shown(job)["status"] == "RUNNING"
    assert "lost" not in site.story(job)
    done = actions.finish(node, job, success=True, send_notification="email")
    assert (done["status"], done["attempt"]) == ("COMPLETED", 1)


@ONCE
@pytest.mark.nightly
@pytest.mark.timeout(200)
def test_the_run_of_a_worker_that_asks_for_other_work_is_given_up(
    site: Site, template: int
) -> None:
    lost = site.job(template)

    def cut_off(launcher: Launcher) -> None:
        launcher.hooks.before.clear()
        raise ConnectionResetError

    hooks = Hooks(before={"log": cut_off})
    worker = site.launcher(site.account(), None, hooks, sees={lost})
    with site.tab().watching(lost) as view, at_work(worker):
        view.until("abort", limit_s=GIVEN_UP_S)
        view.until("finish", limit_s=LIMIT_S)

    assert site.shown(lost)["attempt"] == 2
    assert site.current_job(worker.client.node_id) is None
