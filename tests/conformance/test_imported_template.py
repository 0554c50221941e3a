"""A template that was made for another server, as its users and workers use it here."""

import json
from urllib.parse import quote

import pytest

from tests.conformance.foreign import FREE_JOBS, Json, World, good
from tests.conformance.plain_socket import head, sent

DOMAIN = "Domain<'Image Classification'>"
DATASET = f"PK<Dataset<{DOMAIN}>>"
MATCHING = "/v1/job-templates/get-all-matching-templates/Train"

FORM: Json = {
    "name": "tell pictures apart",
    "version": 1,
    "scope": "all",
    "licence": "Apache 2.0",
    "domain": "ic",
    "specific": {
        "job_type": f"Train<{DOMAIN}, Framework<'pytorch', '1.6'>>",
        "executor_class": "kennel.work.Train",
        "required_packages": "kennel",
        "parameters": {"epochs": {"types": ["int"], "help": "rounds", "default": 5}},
    },
}


@pytest.fixture(scope="module")
def template(world: World) -> Json:
    return good(world.admin.post("/v1/job-templates/import", FORM))


@pytest.mark.parametrize(
    "text",
    [
        DATASET.replace(" ", "%20"),
        quote(DATASET, safe="'"),
        quote(DATASET, safe=""),
        DATASET.replace(" ", "+"),
    ],
)
def test_a_type_in_a_query_may_be_raw_or_escaped(world: World, template: Json, text: str) -> None:
    request = head("GET", f"{MATCHING}?dataset={text}", world.viewer) + b"\r\n"

    answer = sent(world, request)

    assert (answer.status, answer.content_type) == (200, "application/json")
    assert [row["pk"] for row in json.loads(answer.body)] == [template["pk"]]


@pytest.mark.parametrize("name", ["Train<int>", "Train%3Cint%3E", "'Train'"])
def test_a_contract_in_a_path_may_be_raw_or_escaped(world: World, name: str) -> None:
    path = MATCHING.replace("Train", name)

    answer = sent(world, head("GET", path, world.viewer) + b"\r\n")

    assert answer.status == 400
    assert json.loads(answer.body)["code"] == "bad_contract"


def test_a_worker_runs_a_job_of_an_imported_template(world: World, template: Json) -> None:
    pk = template["pk"]
    said = {"input_values": {"dataset": {"value": 1, "type": DATASET}}}
    job = good(world.creator.post(f"/v1/job-templates/{pk}/create-job", said))["pk"]
    node = world.new_node()

    offered = [row["pk"] for row in good(node.post("/v1/jobs/list", FREE_JOBS))]
    shown = good(node.get(f"/v1/job-templates/{pk}"))
    types = {row["name"] for row in good(node.post("/v1/job-types/list", {}))}
    contracts = {row["name"] for row in good(node.post("/v1/job-contracts/list", {}))}
    for answer in (node.acquire(job), node.start(job), node.upload(job), node.finish(job)):
        good(answer)

    assert job in offered
    assert shown == template
    assert {"PK", "Dataset", "Domain", "int"} <= types
    assert contracts == {"Train", "Predict", "Export"}
    assert good(world.viewer.get(f"/v1/jobs/{job}"))["parameter_values"] == {}
