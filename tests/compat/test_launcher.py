"""The worker program, from its registration to the end of its jobs."""

import pytest

from tests.compat import actions
from tests.compat.launcher import (
    LOG_TYPE,
    RUN_FAILED,
    Launcher,
    Ran,
    Work,
    at_work,
    unzipped,
)
from tests.compat.python_client import PythonClient
from tests.compat.site import Site, fresh

LIMIT_S = 20.0
MODEL = "Model<Domain<'Image Classification'>, Framework<'pytorch', '1.6'>>"
LOG_PATH = "log/Compressed%3CJSON,%208%3E"


@pytest.fixture(scope="module")
def account(shared_site: Site) -> PythonClient:
    """The account that all workers here share, an administrator as it usually is."""
    return shared_site.account("admin")


def one_run(worker: Launcher) -> Ran:
    """Let a worker program start, do one job and end; return how it went."""
    worker.run(continuous=False)
    return worker.runs.get_nowait()


# --- Call by call ---------------------------------------------------------------------------------


def test_a_worker_brings_a_job_to_its_end(site: Site, account: PythonClient, template: int) -> None:
    job = site.job(template)
    worker = site.launcher(account, sees={job})
    with site.tab().watching(job) as view, at_work(worker):
        ran = worker.runs.get(timeout=LIMIT_S)

        assert ran == (job, True, True, [])
        assert view.until_over() == ["acquire", "start", "progress", "progress", "finish"]
    done, node = site.shown(job), worker.client.node_id
    assert (done["status"], done["node"], done["error_reason"]) == ("COMPLETED", node, None)
    assert unzipped(actions.get_output(site.admin, job, "log", LOG_TYPE)) == []
    assert site.current_job(node) is None


def test_a_worker_makes_these_calls_and_no_others(
    site: Site, account: PythonClient, template: int
) -> None:
    job = site.job(template)
    work = Work(reports=((0.5, {}),), outputs=(("model", MODEL, b"weights"),))
    worker = site.launcher(account, work, sees={job})

    assert worker.registered()
    worker.run_next()

    at = f"/v1/jobs/{job}"
    model = "Model%3CDomain%3C'Image%20Classification'%3E,%20Framework%3C'pytorch',%20'1.6'%3E%3E"
    assert worker.client.calls == [
        ("POST", "/v1/nodes/list", 200),
        ("POST", "/v1/nodes/create", 201),
        ("POST", "/v1/jobs/list", 200),
        ("GET", f"/v1/job-templates/{template}", 200),
        ("POST", "/v1/job-types/list", 200),
        ("POST", "/v1/job-contracts/list", 200),
        ("GET", f"{at}/acquire", 200),
        ("POST", f"{at}/start", 200),
        ("GET", "/v1/nodes/ping", 200),
        ("GET", at, 200),
        ("POST", f"{at}/progress/0.5", 200),
        ("POST", f"{at}/outputs/model/{model}", 200),
        ("GET", at, 200),
        ("GET", "/v1/nodes/ping", 200),
        ("POST", f"{at}/outputs/{LOG_PATH}", 200),
        ("POST", f"{at}/finish", 200),
    ]
    assert actions.get_output(site.admin, job, "model", MODEL) == b"weights"


def test_a_worker_that_fails_says_why_and_is_free_again(
    site: Site, account: PythonClient, template: int
) -> None:
    broken, whole = site.job(template), site.job(template)
    worker = site.launcher(account, Work(fails="no space left"), sees={broken, whole})
    with site.tab().watching(broken) as view:
        assert one_run(worker).job == broken

        assert view.until_over()[-1] == "error"
        assert view.messages[-1]["error"].startswith(RUN_FAILED)

    failed = site.shown(broken)
    assert failed["status"] == "FAILED"
    assert failed["error_reason"].startswith(f"{RUN_FAILED}Traceback")
    assert "no space left" in failed["error_reason"]
    assert site.current_job(worker.client.node_id) is None
    worker.work = Work()
    assert one_run(worker).job == whole
    assert site.shown(whole)["status"] == "COMPLETED"


def test_jobs_are_tried_in_the_order_in_which_they_were_made(
    site: Site, account: PythonClient, template: int
) -> None:
    jobs = [site.job(template) for _ in range(5)]
    worker = site.launcher(account, sees=set(jobs))

    assert [row["pk"] for row in worker.poll()] == jobs


# --- Registration ---------------------------------------------------------------------------------


def test_a_worker_with_a_card_finds_its_generation(
    site: Site, account: PythonClient, template: int
) -> None:
    turing = actions.hardware_generation(account, 7.5)
    worker = site.launcher(account, sees={site.job(template)}, compute=7.5)

    one_run(worker)

    assert turing["generation"] == "Turing"
    assert worker.client.calls[0] == ("POST", "/v1/hardware/list", 200)
    me = actions.retrieve(account, "nodes", worker.client.node_id or 0)
    assert me["hardware_generation"] == turing["pk"]


def test_a_known_node_tells_again_what_it_is(site: Site, account: PythonClient) -> None:
    ip = fresh("m")
    first, second, other = (site.launcher(account, sees=(), ip=ip, gpu=gpu) for gpu in (0, 0, 1))

    assert all(worker.registered() for worker in (first, second, other))

    assert second.client.node_id == first.client.node_id != other.client.node_id
    assert second.client.calls[-1][:2] == ("PATCH", f"/v1/nodes/{first.client.node_id}")


# --- Images ---------------------------------------------------------------------------------------


def test_a_worker_finds_the_image_of_a_job(site: Site, account: PythonClient) -> None:
    image = actions.listed(account, "docker")[0]
    name, version = image["framework"]["name"], image["framework"]["version"]
    type_text = f"DockerImage<Domain<'{image['domain']}'>, Framework<'{name}', '{version}'>>"
    parameter = {"types": [f"PK<{type_text}>"], "help": "where it runs"}
    template = site.template(parameters={"docker_image": parameter})
    job = site.job(
        template,
        parameter_values={"docker_image": {"value": image["pk"], "type": f"PK<{type_text}>"}},
    )
    worker = site.launcher(account, sees={job})

    one_run(worker)

    assert site.shown(job)["status"] == "COMPLETED"
    assert ("POST", "/v1/docker/list", 200) in worker.client.calls
    assert image in actions.all_values(account, type_text)
