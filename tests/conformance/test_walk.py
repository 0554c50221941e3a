"""A foreign client and node walk every action of the documents."""

from collections.abc import Callable
from typing import Any, TypeVar, get_args
from urllib.parse import quote

import httpx
import msgspec

from tests.conformance import shapes
from tests.conformance.foreign import FREE_JOBS, LOG_TYPE, World, good

T = TypeVar("T")

JOB_ACTIONS = {
    *("List", "Retrieve", "Update", "Partial Update", "Destroy", "Hard Delete", "Reinstate"),
    *("Add Output", "Delete Output", "Get Output", "Get Output Info"),
    *("Acquire", "Release", "Start", "Progress", "Finish", "Reset", "Abort", "Cancel"),
}


class Walk:
    """Calls actions by their name in the documents, and remembers which."""

    def __init__(self) -> None:
        self.walked: set[str] = set()

    def job(self, action: str, answer: httpx.Response, status: int = 200) -> shapes.Job:
        """Return the job that an action answers with."""
        self.walked.add(action)
        return of_shape(answer, shapes.Job, status)

    def output(self, action: str, answer: httpx.Response) -> shapes.Output:
        """Return the output that an action answers with."""
        self.walked.add(action)
        return of_shape(answer, shapes.Output)

    def nothing(self, action: str, answer: httpx.Response) -> None:
        """Check that an action answers without a body."""
        self.walked.add(action)
        assert (answer.status_code, answer.content) == (204, b"")

    def content(self, action: str, answer: httpx.Response) -> bytes:
        """Return the bytes that an action answers with."""
        self.walked.add(action)
        assert answer.status_code == 200, answer.text
        return answer.content


def of_shape(answer: httpx.Response, shape: type[T], status: int = 200) -> T:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    return msgspec.json.decode(answer.content, type=shape)


def test_all_nineteen_actions_of_jobs_can_be_walked(world: World) -> None:
    walk, admin, node = Walk(), world.admin, world.new_node()
    made = of_shape(
        world.creator.post(
            f"/v1/job-templates/{world.template}/create-job",
            {"input_values": {"picture": {"value": "ä.png", "type": "str"}}, "description": "new"},
        ),
        shapes.Job,
    )
    job = made.pk

    listed = of_shape(node.post("/v1/jobs/list", FREE_JOBS), list[shapes.Job])
    walk.walked.add("List")
    assert job in [item.pk for item in listed]
    seen = walk.job("Retrieve", node.get(f"/v1/jobs/{job}"))
    assert (seen.status, seen.node, seen.start_time, seen.parent) == ("QUEUED", None, None, None)
    assert seen.input_values == {"picture": shapes.Value("ä.png", "str")}
    assert seen.parameter_values == {}
    assert seen.template == shapes.TemplateRef(world.template, "resize", 1)

    seen = walk.job("Acquire", node.acquire(job))
    assert (seen.status, seen.node, seen.attempt) == ("ACQUIRED", node.node, 1)
    seen = walk.job("Release", node.release(job))
    assert (seen.status, seen.node) == ("QUEUED", None)
    good(node.acquire(job))
    seen = walk.job("Start", node.start(job))
    assert (seen.status, seen.attempt, seen.start_time is None) == ("RUNNING", 2, False)
    seen = walk.job("Progress", node.progress(job, 0.5, {"comment": "half"}))
    assert (seen.progress_amount, seen.progress_data) == (0.5, {"comment": "half"})
    added = walk.output("Add Output", node.upload(job, "log", b"first"))
    assert (added.job, added.name, added.type) == (job, "log", "Compressed<JSON, 8>")
    seen = walk.job("Finish", node.finish(job, "it broke"))
    assert (seen.status, seen.error_reason, seen.end_time is None) == ("FAILED", "it broke", False)
    assert seen.outputs == [shapes.OutputRef(added.pk, "log", "Compressed<JSON, 8>")]
    seen = walk.job("Reset", node.reset(job))
    assert (seen.status, seen.node, seen.error_reason) == ("ACQUIRED", node.node, None)
    assert (seen.start_time, seen.end_time, seen.progress_amount) == (None, None, 0.0)
    assert seen.outputs == []

    seen = walk.job("Abort", admin.abort(job))
    assert (seen.status, seen.node) == ("QUEUED", None)
    good(node.acquire(job))
    good(node.start(job))
    log = f"/v1/jobs/{job}/outputs/log/{LOG_TYPE}"
    again = walk.output("Add Output", node.upload(job, "log", b"second"))
    assert walk.content("Get Output", world.viewer.get(log)) == b"second"
    assert walk.output("Get Output Info", world.viewer.get(f"{log}/info")) == again
    gone = walk.output("Delete Output", admin.delete(log))
    assert gone.pk == again.pk
    assert gone.deletion_time is not None

    seen = walk.job("Update", admin.put(f"/v1/jobs/{job}", {"description": "put"}))
    assert seen.description == "put"
    seen = walk.job("Partial Update", admin.patch(f"/v1/jobs/{job}", {}))
    assert seen.description == "put"
    seen = walk.job("Partial Update", admin.patch(f"/v1/jobs/{job}", {"description": "patched"}))
    assert seen.description == "patched"

    seen = walk.job("Cancel", world.creator.cancel(job))
    assert (seen.status, seen.is_cancelled, seen.end_time) == ("CANCELED", True, None)
    assert seen.error_reason == "Cancelled"
    walk.nothing("Destroy", admin.delete(f"/v1/jobs/{job}"))
    walk.nothing("Destroy", admin.delete(f"/v1/jobs/{job}"))
    assert walk.job("Retrieve", admin.get(f"/v1/jobs/{job}")).deletion_time is not None
    seen = walk.job("Reinstate", admin.delete(f"/v1/jobs/{job}/reinstate"))
    assert seen.deletion_time is None
    assert walk.job("Hard Delete", admin.delete(f"/v1/jobs/{job}/hard")).pk == job
    assert admin.get(f"/v1/jobs/{job}").status_code == 404
    assert walk.walked == JOB_ACTIONS


def test_a_job_can_be_listed_without_any_body(world: World) -> None:
    job = world.new_job()

    listed = of_shape(world.viewer.post("/v1/jobs/list"), list[shapes.Job])

    assert job in [item.pk for item in listed]


def test_all_six_actions_of_job_outputs_can_be_walked(world: World) -> None:
    job, node = world.running()
    output = of_shape(node.upload(job, "model", b"\0weights"), shapes.Output)
    path = f"/v1/job-outputs/{output.pk}"
    mine = {"expressions": [{"type": "exact", "field": "job", "value": job}]}

    listed = of_shape(world.viewer.post("/v1/job-outputs/list", mine), list[shapes.Output])
    assert listed == [output]
    assert of_shape(world.viewer.get(path), shapes.Output) == output

    plain = world.viewer.post(f"{path}/download", {"params": {}})
    assert (plain.status_code, plain.content) == (200, b"\0weights")
    named = world.viewer.post(f"{path}/download", {"filetype": "h5"})
    assert named.headers["content-disposition"].startswith('attachment; filename="model.h5"')
    assert world.viewer.post(f"{path}/download").content == b"\0weights"

    destroyed = world.admin.delete(path)
    assert (destroyed.status_code, destroyed.content) == (204, b"")
    assert of_shape(world.viewer.get(path), shapes.Output).deletion_time is not None
    assert good(world.viewer.post("/v1/job-outputs/list", mine)) == []
    assert of_shape(world.admin.delete(f"{path}/reinstate"), shapes.Output) == output
    assert good(world.viewer.post("/v1/job-outputs/list", mine)) != []
    assert of_shape(world.admin.delete(f"{path}/hard"), shapes.Output).pk == output.pk
    assert world.viewer.get(path).status_code == 404


def test_nobody_creates_or_changes_outputs_by_their_number(world: World) -> None:
    job, node = world.running()
    path = f"/v1/job-outputs/{good(node.upload(job))['pk']}"
    calls: list[Callable[[], httpx.Response]] = [
        lambda: world.admin.post("/v1/job-outputs/create", {"name": "x"}),
        lambda: world.admin.put(path, {"name": "x"}),
        lambda: world.admin.patch(path, {"name": "x"}),
    ]

    assert [call().status_code for call in calls] == [403, 403, 403]


def test_all_six_actions_of_job_types_can_be_walked(world: World) -> None:
    def mask(name: str) -> dict[str, str]:
        return {"name": name, "pkg": "extra.types", "cls": f"extra.types.{name}"}

    made = of_shape(world.admin.post("/v1/job-types", mask("Mask")), shapes.JobType, 201)
    assert made == shapes.JobType(made.pk, **mask("Mask"))
    other = of_shape(world.admin.post("/v1/job-types/create", mask("Box")), shapes.JobType, 201)
    path = f"/v1/job-types/{made.pk}"
    listed = of_shape(world.viewer.post("/v1/job-types/list"), list[shapes.JobType])
    assert made in listed
    assert other in listed
    only = {"expressions": [{"type": "exact", "field": "name", "value": "Box"}]}
    assert of_shape(world.viewer.post("/v1/job-types/list", only), list[shapes.JobType]) == [other]
    assert of_shape(world.viewer.get(path), shapes.JobType) == made
    changed = of_shape(world.admin.put(path, mask("Masks")), shapes.JobType)
    assert changed == shapes.JobType(made.pk, **mask("Masks"))
    patched = of_shape(world.admin.patch(path, {"pkg": "other.types"}), shapes.JobType)
    assert (patched.name, patched.pkg) == ("Masks", "other.types")
    for pk in (made.pk, other.pk):
        destroyed = world.admin.delete(f"/v1/job-types/{pk}")
        assert (destroyed.status_code, destroyed.content) == (204, b"")
    assert world.viewer.get(path).status_code == 404


def test_a_new_hub_knows_the_job_types_that_workers_look_for(world: World) -> None:
    listed = of_shape(world.worker.post("/v1/job-types/list"), list[shapes.JobType])
    classes = {row.name: (row.pkg, row.cls) for row in listed}

    assert classes["str"] == ("ufdl.jobtypes", "ufdl.jobtypes.base.String")
    assert classes["PK"] == ("ufdl.jobtypes", "ufdl.jobtypes.standard.PK")
    assert classes["Array"] == ("ufdl.jobtypes", "ufdl.jobtypes.standard.container.Array")
    assert classes.keys() >= {
        *("UFDLType", "UFDLJSONType", "FiniteJSONType", "ServerResidentType", "NamedServerType"),
        *("ValueType", "str", "int", "float", "bool", "Array", "Map", "CUDAVersion", "Dataset"),
        *("DockerImage", "Domain", "Framework", "Hardware", "PretrainedModel", "BLOB"),
        *("Compressed", "JSON", "Nothing", "JobOutput", "Model", "Name", "PK"),
    }


CATALOGUE: dict[str, Any] = {
    "hardware": list[shapes.Hardware],
    "cuda": list[shapes.Cuda],
    "frameworks": list[shapes.Framework],
    "domains": list[shapes.Domain],
    "licences": list[shapes.Licence],
    "licenses": list[shapes.Licence],
    "docker": list[shapes.Docker],
}


def test_a_worker_reads_the_catalogue_and_finds_an_image(world: World) -> None:
    node = world.new_node()
    for path, kind in CATALOGUE.items():
        listed = of_shape(node.post(f"/v1/{path}/list"), kind)
        (shape,) = get_args(kind)
        assert of_shape(node.get(f"/v1/{path}/{listed[0].pk}"), shape) == listed[0]
    wanted = [
        {"type": "exact", "field": "domain.description", "value": "Image Classification"},
        {"type": "exact", "field": "framework.name", "value": "pytorch"},
        {"type": "exact", "field": "framework.version", "value": "1.6"},
    ]
    type_text = "DockerImage<Domain<'Image Classification'>, Framework<'pytorch', '1.6'>>"

    images = of_shape(node.post("/v1/docker/list", {"expressions": wanted}), list[shapes.Docker])

    assert [image.name for image in images] == ["pytorch_imageclass", "pytorch_imageclass_cpu"]
    assert {image.registry_password for image in images} == {"public"}
    answer = node.get(f"/v1/job-types/get-all-values/{quote(type_text)}")
    assert of_shape(answer, list[shapes.Docker]) == images


def test_a_position_in_the_log_stands_on_every_answer_about_one_job(world: World) -> None:
    job = world.new_job()
    seen = world.viewer.get(f"/v1/jobs/{job}").headers["x-hub-cursor"]

    changed = world.new_node().acquire(job).headers["x-hub-cursor"]

    assert int(changed.rpartition(":")[2]) > int(seen.rpartition(":")[2])
