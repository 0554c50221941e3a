"""Meta-jobs: workers that know nothing of graphs run them, child by child."""

import pytest

from tests.compat import actions
from tests.compat.launcher import Launcher, Work
from tests.compat.python_client import PythonClient, Refused
from tests.compat.site import Site, template_form

DOMAIN = "Domain<'Image Classification'>"
FRAMEWORK = "Framework<'pytorch', '1.6'>"
DATASET = f"PK<Dataset<{DOMAIN}>>"
MODEL = f"Model<{DOMAIN}, {FRAMEWORK}>"


@pytest.fixture(scope="module")
def account(shared_site: Site) -> PythonClient:
    return shared_site.account()


@pytest.fixture(scope="module")
def chain(shared_site: Site) -> int:
    """A meta-template: a child trains a model, with which another one predicts."""
    names = {}
    for contract in ("Train", "Predict"):
        form = template_form(job_type=f"{contract}<{DOMAIN}, {FRAMEWORK}>")
        names[contract.lower()] = actions.import_template(shared_site.admin, form)["name"]
    wire = {"from_node": "train", "from_output": "model", "to_node": "predict", "to_input": "model"}
    nodes = {child: {"name": name} for child, name in names.items()}
    form = template_form() | {"specific": {"nodes": nodes, "dependencies": [wire]}}
    pk: int = actions.import_template(shared_site.admin, form)["pk"]
    return pk


def made(site: Site, chain: int) -> tuple[int, dict[str, int]]:
    """Return a new meta-job and its children by name."""
    dataset = {"value": 1, "type": DATASET}
    values = {"train:dataset": dataset, "predict:dataset": dataset}
    job = site.job(chain, input_values=values)
    spec = {"expressions": [{"type": "exact", "field": "parent", "value": job}]}
    children = {row["child"]: row["pk"] for row in actions.listed(site.admin, "jobs", spec)}
    return job, children


def worker(site: Site, account: PythonClient, children: dict[str, int], work: Work) -> Launcher:
    return site.launcher(account, work, sees=set(children.values()))


TRAINED = Work(reports=((0.5, {"epoch": 1}),), outputs=(("model", MODEL, b"weights"),))
PREDICTED = Work(outputs=(("predictions", DATASET, b"1"),))


def test_workers_run_a_graph_from_its_first_child_to_its_last(
    site: Site, account: PythonClient, chain: int
) -> None:
    job, children = made(site, chain)
    one = worker(site, account, children, TRAINED)
    with site.tab().watching(job) as view:
        assert [row["pk"] for row in one.poll()] == [children["train"]]
        one.run(continuous=False)
        assert [row["pk"] for row in one.poll()] == [children["predict"]]
        one.work = PREDICTED
        one.run_next()
        told = view.until_over()

    assert told == ["start", *["progress"] * (len(told) - 2), "finish"]
    assert view.messages[1]["progress"] == 0.25
    assert view.messages[1]["transition_data"] == {
        "triggered_by": children["train"],
        "progress": 0.5,
    }
    (model,) = [o for o in site.shown(children["train"])["outputs"] if o["name"] == "model"]
    handed_on = site.shown(children["predict"])["input_values"]["model"]
    assert handed_on == {"value": model["pk"], "type": f"JobOutput<{MODEL}>"}
    assert actions.download_output(one.client, model["pk"]) == b"weights"
    done = site.shown(job)
    assert done["status"] == "COMPLETED"
    assert {output["name"] for output in done["outputs"]} >= {"train:model", "predict:predictions"}


def test_a_meta_job_is_never_offered_and_cannot_be_taken(
    site: Site, account: PythonClient, chain: int
) -> None:
    job, children = made(site, chain)
    node = site.node(account)

    assert site.launcher(account, sees={job, children["predict"]}).poll() == []
    for refused in (job, children["predict"]):
        with pytest.raises(Refused) as caught:
            actions.acquire(node, refused)
        assert caught.value.status == 409


def test_an_error_of_a_child_is_told_above_and_a_reset_lifts_it(
    site: Site, account: PythonClient, chain: int
) -> None:
    job, children = made(site, chain)
    one = worker(site, account, children, Work(fails="no memory"))
    with site.tab().watching(job) as view:
        one.run(continuous=False)
        error = view.until("error")["error"]

        assert error.startswith("Error in child job 'train':\n")
        assert "no memory" in error
        actions.reset(one.client, children["train"])
        view.until("reset")
        actions.release(one.client, children["train"])
        one.work = TRAINED
        one.run_next()
        one.work = PREDICTED
        one.run_next()
        view.until("finish")

    assert site.shown(job)["status"] == "COMPLETED"


def test_cancel_of_a_meta_job_reaches_the_worker_of_a_child(
    site: Site, account: PythonClient, chain: int
) -> None:
    job, children = made(site, chain)
    one = worker(site, account, children, TRAINED)
    one.hooks.after["progress"] = lambda _: actions.cancel(site.admin, job)
    with pytest.raises(Refused) as caught:
        actions.cancel(site.admin, children["train"])
    assert caught.value.status == 409

    one.run(continuous=False)

    assert one.runs.get_nowait()[:3] == (children["train"], True, True)
    shown = [site.shown(pk) for pk in (job, *children.values())]
    assert {row["status"] for row in shown} == {"CANCELED"}
    assert one.poll() == []
