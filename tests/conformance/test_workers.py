"""How workers must not get stuck: each test is a way in which they once did."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx

from tests.conformance.foreign import FREE_JOBS, Client, Json, World, good, problem

RESTARTED = "Node restarted during job execution."


def acquired_at_once(nodes: list[Client], job: int) -> list[httpx.Response]:
    """Return the answers to nodes that acquire a job at the same moment."""
    barrier = Barrier(len(nodes))

    def acquire(node: Client) -> httpx.Response:
        barrier.wait(10.0)
        return node.acquire(job)

    with ThreadPoolExecutor(len(nodes)) as pool:
        return list(pool.map(acquire, nodes))


# --- Who gets a job -------------------------------------------------------------------------------


def test_of_eight_nodes_that_acquire_at_once_one_wins(world: World) -> None:
    nodes = [world.new_node() for _ in range(8)]
    for _ in range(10):
        job = world.new_job()

        answers = acquired_at_once(nodes, job)

        assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]
        winners = [answer.json()["node"] for answer in answers if answer.status_code == 200]
        assert [world.job(job)["node"]] == winners
        assert world.transitions(job) == ["create", "acquire"]


def test_the_holder_that_asks_again_gets_the_same_grant(world: World) -> None:
    job, node = world.new_job(), world.new_node()
    first = good(node.acquire(job))

    assert good(node.acquire(job)) == first
    good(node.start(job))
    assert good(node.acquire(job))["attempt"] == first["attempt"]
    assert world.transitions(job) == ["create", "acquire", "start"]


def test_the_loser_of_a_job_cannot_upload_its_log(world: World) -> None:
    winner, loser = world.new_node(world.admin), world.new_node(world.admin)
    job = world.new_job()
    good(winner.acquire(job))
    problem(loser.acquire(job), 409)
    good(winner.start(job))

    problem(loser.upload(job, "log", b"of the loser"), 403)

    good(winner.upload(job, "log", b"of the winner"))
    assert good(winner.finish(job))["status"] == "COMPLETED"


def test_a_node_that_takes_another_job_gives_back_the_one_it_did_not_start(world: World) -> None:
    left, taken, node = world.new_job(), world.new_job(), world.new_node()
    good(node.acquire(left))

    good(node.acquire(taken))

    assert (world.job(left)["status"], world.job(left)["node"]) == ("QUEUED", None)
    assert world.transitions(left) == ["create", "acquire", "release"]
    assert world.job(left)["tries"] == 0
    assert good(node.start(taken))["status"] == "RUNNING"
    good(world.new_node().acquire(left))


def test_a_node_cannot_start_a_job_while_it_runs_another(world: World) -> None:
    runs, node = world.running()
    waits = world.new_job()

    assert good(node.acquire(waits))["status"] == "ACQUIRED"
    problem(node.start(waits), 409, "node_busy")

    assert (world.job(runs)["status"], world.job(waits)["status"]) == ("RUNNING", "ACQUIRED")
    good(node.finish(runs))
    assert good(node.start(waits))["status"] == "RUNNING"


def test_a_deleted_job_cannot_be_acquired(world: World) -> None:
    job, node = world.new_job(), world.new_node()
    assert world.admin.delete(f"/v1/jobs/{job}").status_code == 204

    assert node.acquire(job).status_code in (404, 409)

    good(world.admin.delete(f"/v1/jobs/{job}/reinstate"))
    good(node.acquire(job))


# --- A second run ---------------------------------------------------------------------------------


def test_a_second_run_after_a_reset_can_upload_its_log(world: World) -> None:
    job, node = world.running()
    good(node.upload(job, "log", b"first run"))
    good(node.finish(job, "it broke"))
    good(node.reset(job))
    good(node.start(job))

    good(node.upload(job, "log", b"second run"))

    assert [output["name"] for output in good(node.finish(job))["outputs"]] == ["log"]


def test_a_second_run_after_an_abort_can_upload_its_log(world: World) -> None:
    job, first = world.running()
    good(first.upload(job, "log", b"first run"))
    assert good(world.admin.abort(job))["outputs"] == []
    second = world.new_node()
    good(second.acquire(job))
    good(second.start(job))

    good(second.upload(job, "log", b"second run"))

    assert good(second.finish(job))["status"] == "COMPLETED"


def test_the_same_upload_again_is_no_change_and_another_is_a_conflict(world: World) -> None:
    job, node = world.running()
    first = good(node.upload(job, "log", b"the log"))

    assert good(node.upload(job, "log", b"the log")) == first
    problem(node.upload(job, "log", b"another log"), 409, "output_exists")


# --- Cancel and abort -----------------------------------------------------------------------------


def test_cancel_before_the_start_is_final_at_once(world: World) -> None:
    job, node = world.new_job(), world.new_node()

    canceled = good(world.creator.cancel(job))

    assert (canceled["status"], canceled["is_cancelled"]) == ("CANCELED", True)
    problem(node.acquire(job), 409)
    assert job not in [item["pk"] for item in good(node.post("/v1/jobs/list", FREE_JOBS))]


def test_a_canceled_run_still_takes_the_log_and_the_finish(world: World) -> None:
    job, node = world.running()
    canceled = good(world.creator.cancel(job))

    problem(node.progress(job, 0.5), 409)
    good(node.upload(job, "log", b"late"))
    finished = good(node.finish(job, "canceled by the user"))

    assert finished["status"] == "CANCELED"
    assert finished["error_reason"] == canceled["error_reason"] == "Cancelled"


def test_a_canceled_run_keeps_the_node_until_its_finish(world: World) -> None:
    job, node = world.running()
    good(world.creator.cancel(job))
    following = world.new_job()
    good(node.acquire(following))

    problem(node.start(following), 409, "node_busy")

    good(node.finish(job))
    good(node.start(following))


def test_a_worker_whose_job_was_aborted_changes_nothing_any_more(world: World) -> None:
    job, node = world.running()
    good(node.progress(job, 0.5))
    aborted = good(world.admin.abort(job))
    assert (aborted["status"], aborted["node"]) == ("QUEUED", None)
    assert (aborted["progress_amount"], aborted["start_time"]) == (0.0, None)

    problem(node.progress(job, 0.6), 403)
    problem(node.upload(job), 403)
    assert good(node.finish(job)) == aborted
    assert good(node.release(job)) == aborted

    assert world.job(job) == aborted
    assert good(world.new_node().acquire(job))["attempt"] == 2


def test_a_late_worker_cannot_touch_the_next_ones_run(world: World) -> None:
    job, late = world.running()
    good(world.admin.abort(job))
    node = world.new_node()
    good(node.acquire(job))
    good(node.start(job))
    before = world.job(job)

    problem(late.progress(job, 0.9), 403)
    problem(late.upload(job), 403)
    problem(late.reset(job), 403)
    assert good(late.finish(job, "mine failed")) == before

    assert world.job(job) == before


def test_a_late_finish_leaves_a_line_in_the_audit(world: World) -> None:
    job, node = world.running()
    good(world.admin.abort(job))

    good(node.finish(job))

    assert any(
        row["object_pk"] == job and row["object_type"] == "job" and "finish" in row["action"]
        for row in audit(world)
    )


def audit(world: World) -> list[Json]:
    rows: list[Json] = []
    page = good(world.admin.get("/v1/audit?limit=1000"))
    while True:
        rows += page["items"]
        if page["next"] is None:
            return rows
        page = good(world.admin.get(f"/v1/audit?limit=1000&after={page['next']}"))


# --- Repeats --------------------------------------------------------------------------------------


def test_start_twice_answers_alike(world: World) -> None:
    job, node = world.new_job(), world.new_node()
    good(node.acquire(job))

    assert good(node.start(job)) == good(node.start(job))
    assert world.transitions(job) == ["create", "acquire", "start"]


def test_finish_twice_answers_alike(world: World) -> None:
    for error in (None, "it broke"):
        job, node = world.running()

        assert good(node.finish(job, error)) == good(node.finish(job, error))
        assert len(world.events(job)) == 4


def test_release_twice_is_fine(world: World) -> None:
    job, node = world.new_job(), world.new_node()
    good(node.acquire(job))

    assert good(node.release(job)) == good(node.release(job))
    assert world.transitions(job) == ["create", "acquire", "release"]


# --- Progress -------------------------------------------------------------------------------------


def test_a_lower_progress_is_taken_but_the_stored_value_keeps_the_most(world: World) -> None:
    job, node = world.running()
    good(node.progress(job, 0.75, {"step": 3}))

    seen = good(node.progress(job, 0.5, {"step": 2}))

    assert (seen["progress_amount"], seen["progress_data"]) == (0.75, {"step": 2})
    assert [event["data"] for event in world.events(job)[-2:]] == [{"step": 3}, {"step": 2}]


def test_progress_does_not_count_as_a_modification(world: World) -> None:
    job, node = world.running()
    before = world.job(job)["last_modified"]

    assert good(node.progress(job, 0.5, {"step": 1}))["last_modified"] == before
    assert world.job(job)["last_modified"] == before
    assert good(node.finish(job))["last_modified"] > before


def test_progress_takes_what_clients_write(world: World) -> None:
    job, node = world.running()
    written = {
        "0": 0.0,
        "1e-05": 1e-05,
        "0.0": 1e-05,
        "0.5": 0.5,
        "1E-3": 0.5,
        "1": 1.0,
        "1.0": 1.0,
    }

    for text, stored in written.items():
        assert good(node.progress(job, text))["progress_amount"] == stored


# --- The launcher, call by call -------------------------------------------------------------------


class Launcher:
    """The main loop of the real worker, over the same calls in the same order."""

    def __init__(self, account: Client, ip: str, index: int) -> None:
        self._account = account
        self._said: Json = {"ip": ip, "index": index, "driver_version": None}
        self._said |= {"hardware_generation": None, "gpu_mem": None, "cpu_mem": 2048}
        self.node = account

    def register(self) -> Json:
        """Return what the hub says of this node; it is registered unless it was before."""
        good(self._account.post("/v1/hardware/list"))
        parts = [
            {"type": "exact", "field": field, "value": self._said[field]}
            for field in ("ip", "index")
        ]
        spec = {"expressions": [{"type": "and", "sub_expressions": parts}]}
        known = good(self._account.post("/v1/nodes/list", spec))
        if known:
            self.node = self._account.as_node(known[0]["pk"])
            return good(self.node.patch(f"/v1/nodes/{self.node.node}", self._said))
        made = good(self._account.post("/v1/nodes/create", self._said), 201)
        self.node = self._account.as_node(made["pk"])
        return made

    def clear_up(self, me: Json) -> None:
        """End what this node ran when it was restarted, and give it back."""
        if (job := me["current_job"]) is None:
            return
        said = {"success": False, "send_notification": "", "error": RESTARTED}
        if good(self.node.post(f"/v1/jobs/{job}/finish", said))["error_reason"] == RESTARTED:
            good(self.node.reset(job))
            good(self.node.release(job))

    def poll(self) -> Json:
        """Return the jobs to try, after looking at what each needs."""
        jobs = good(self.node.post("/v1/jobs/list", FREE_JOBS))
        for job in jobs[:1]:
            template = good(self.node.get(f"/v1/job-templates/{job['template']['pk']}"))
            assert template.keys() >= {"executor_class", "required_packages", "type", "parameters"}
            good(self.node.post("/v1/job-types/list", {}))
        return jobs

    def work(self, job: int) -> bool:
        """Take a job and run it to its end; return whether it was this node that got it."""
        if self.node.acquire(job).status_code != 200:
            return False
        good(self.node.start(job))
        assert self.node.get("/v1/nodes/ping").status_code == 200
        for step in (0.25, 0.5, 1.0):
            assert good(self.node.get(f"/v1/jobs/{job}"))["is_cancelled"] is False
            good(self.node.progress(job, step, {"comment": "working"}))
        good(self.node.upload(job, "model", b"weights"))
        assert self.node.get("/v1/nodes/ping").status_code == 200
        good(self.node.upload(job, "log", b"zipped"))
        good(self.node.finish(job))
        return True


def test_the_launchers_calls_bring_a_job_to_its_end(world: World) -> None:
    launcher = Launcher(world.worker, "192.168.7.1", 0)
    launcher.clear_up(launcher.register())
    job = world.new_job(priority=0)

    assert launcher.poll()[0]["pk"] == job
    assert launcher.work(job)

    done = world.job(job)
    assert (done["status"], done["node"], done["progress_amount"]) == (
        *("COMPLETED", launcher.node.node),
        1.0,
    )
    assert [output["name"] for output in done["outputs"]] == ["model", "log"]
    assert launcher.register()["current_job"] is None


def test_a_restarted_launcher_puts_back_what_it_ran(world: World) -> None:
    launcher = Launcher(world.worker, "192.168.7.2", 0)
    launcher.register()
    job = world.new_job()
    good(launcher.node.acquire(job))
    good(launcher.node.start(job))
    restarted = Launcher(world.worker, "192.168.7.2", 0)
    me = restarted.register()
    assert (me["pk"], me["current_job"]) == (launcher.node.node, job)

    restarted.clear_up(me)

    assert world.job(job)["status"] == "QUEUED"
    assert good(restarted.node.acquire(job))["attempt"] == 2


def test_three_workers_of_one_account_get_twelve_jobs_done(world: World) -> None:
    jobs = {world.new_job(priority=1) for _ in range(12)}

    def serve(index: int) -> set[int]:
        launcher = Launcher(world.admin, "192.168.7.3", index)
        launcher.clear_up(launcher.register())
        done: set[int] = set()
        while waiting := [item["pk"] for item in launcher.poll() if item["pk"] in jobs]:
            # All three begin with the same job, as launchers do.
            done |= {pk for pk in waiting[:1] if launcher.work(pk)}
        return done

    with ThreadPoolExecutor(3) as pool:
        shares = list(pool.map(serve, range(3)))

    assert sum(len(share) for share in shares) == 12
    assert set().union(*shares) == jobs
    assert {world.job(job)["status"] for job in jobs} == {"COMPLETED"}
