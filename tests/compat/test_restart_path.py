"""What a worker does with the job of a former life, wherever that life ended."""

import pytest

from tests.compat import actions
from tests.compat.launcher import LOG_TYPE, RESTARTED, Hooks, Killed, Launcher, Work
from tests.compat.python_client import PythonClient
from tests.compat.site import Site, fresh

WORK = Work(outputs=(("model", "BLOB<'bin'>", b"weights"),))

# Where the first life ends, whether the job was running then, and what its story is.
BEGUN = ["create", "acquire", "start", "progress", "progress"]
CLEANED = ["error", "reset", "release"]
AGAIN = ["acquire", "start", "progress", "progress", "output", "output", "finish"]
DEATHS = {
    ("before", "acquire"): ["create", *AGAIN],
    ("after", "start"): [*BEGUN[:3], *CLEANED, *AGAIN],
    ("before", "progress"): [*BEGUN[:3], *CLEANED, *AGAIN],
    ("after", "progress"): [*BEGUN[:4], *CLEANED, *AGAIN],
    ("before", "output"): [*BEGUN, *CLEANED, *AGAIN],
    ("after", "output"): [*BEGUN, "output", *CLEANED, *AGAIN],
    ("before", "log"): [*BEGUN, "output", *CLEANED, *AGAIN],
    ("after", "log"): [*BEGUN, "output", "output", *CLEANED, *AGAIN],
    ("before", "finish"): [*BEGUN, "output", "output", *CLEANED, *AGAIN],
    ("after", "finish"): [*BEGUN, "output", "output", "finish"],
}


@pytest.fixture(scope="module")
def account(shared_site: Site) -> PythonClient:
    return shared_site.account("admin")


def die(_: Launcher) -> None:
    """End the program here."""
    raise Killed


def dying(when: str, call: str) -> Hooks:
    """Return what ends a worker before or after one of its calls."""
    return Hooks(before={call: die}) if when == "before" else Hooks(after={call: die})


@pytest.mark.parametrize(("when", "call"), DEATHS)
def test_the_next_life_of_a_worker_brings_its_job_to_an_end(
    site: Site, account: PythonClient, template: int, when: str, call: str
) -> None:
    job, ip = site.job(template), fresh("m")
    with pytest.raises(Killed):
        site.launcher(account, WORK, dying(when, call), sees={job}, ip=ip).run(continuous=False)
    second = site.launcher(account, WORK, sees={job}, ip=ip)

    assert second.registered()
    if second.poll():
        second.run_next()

    assert site.story(job) == DEATHS[when, call]
    assert site.shown(job)["status"] == "COMPLETED"
    assert site.current_job(second.client.node_id) is None
    assert second.complaints == []


@pytest.mark.parametrize("where", [("after", "acquire"), ("before", "start")])
def test_a_job_that_was_taken_but_not_started_is_given_back_for_the_next(
    site: Site, account: PythonClient, template: int, where: tuple[str, str]
) -> None:
    left, ip = site.job(template), fresh("m")
    first = site.launcher(account, None, dying(*where), sees={left}, ip=ip)
    with pytest.raises(Killed):
        first.run(continuous=False)
    following = site.job(template)
    worker = site.launcher(account, sees={left, following}, ip=ip)

    worker.run(continuous=False)

    assert worker.runs.get_nowait().job == following
    assert site.story(left) == ["create", "acquire", "release"]
    worker.run_next()
    assert site.shown(left)["status"] == "COMPLETED"


def test_a_canceled_job_of_a_former_life_is_only_ended(
    site: Site, account: PythonClient, template: int
) -> None:
    job, ip = site.job(template), fresh("m")
    first = site.launcher(account, None, dying("after", "progress"), sees={job}, ip=ip)
    with pytest.raises(Killed):
        first.run(continuous=False)
    actions.cancel(site.admin, job)
    second = site.launcher(account, sees={job}, ip=ip)

    assert second.registered()

    assert (second.poll(), second.complaints) == ([], [])
    shown = site.shown(job)
    assert (shown["status"], shown["error_reason"]) == ("CANCELED", "Cancelled")
    assert site.current_job(second.client.node_id) is None
    following = site.job(template)
    site.launcher(account, sees={following}, ip=ip).run(continuous=False)
    assert site.shown(following)["status"] == "COMPLETED"


def test_a_job_that_was_taken_away_from_a_former_life_is_left_alone(
    site: Site, account: PythonClient, template: int
) -> None:
    job, ip = site.job(template), fresh("m")
    first = site.launcher(account, None, dying("after", "progress"), sees={job}, ip=ip)
    with pytest.raises(Killed):
        first.run(continuous=False)
    actions.abort(site.admin, job)

    assert site.current_job(first.client.node_id) is None
    second = site.launcher(account, sees={job}, ip=ip)
    second.run(continuous=False)

    assert site.story(job)[-7:] == [
        "abort",
        "acquire",
        "start",
        *["progress"] * 2,
        "output",
        "finish",
    ]
    assert RESTARTED not in str(site.shown(job))
    assert actions.get_output(site.admin, job, "log", LOG_TYPE)
