"""Everything that the Python client can be asked for, as its users and the worker ask for it."""

import io

import msgspec
import pytest

from tests.compat import actions, shapes
from tests.compat.launcher import LOG_TYPE
from tests.compat.python_client import Data, Json, PythonClient, Refused, quoted
from tests.compat.shapes import fits
from tests.compat.site import Site, fresh, template_form
from tests.conformance import shapes as strict

CATALOGUE: dict[str, type[msgspec.Struct]] = {
    "hardware": strict.Hardware,
    "cuda": strict.Cuda,
    "frameworks": strict.Framework,
    "domains": strict.Domain,
    "licences": strict.Licence,
    "docker": strict.Docker,
    "job-types": strict.JobType,
    "job-contracts": strict.JobType,
}
"""Tables whose objects the worker's library reads strictly."""

DOMAIN = "Domain<'Image Classification'>"
FRAMEWORK = "Framework<'pytorch', '1.6'>"
DATASET = f"PK<Dataset<{DOMAIN}>>"
MODEL = f"Model<{DOMAIN}, {FRAMEWORK}>"
TYPES = ("Compressed<JSON, 8>", "BLOB<'txt'>", MODEL)


@pytest.fixture(scope="module")
def client(shared_site: Site) -> PythonClient:
    """A user, no administrator."""
    return shared_site.account()


def exactly(**fields: Json) -> actions.Spec:
    """Return the filter for rows with these values."""
    parts = [{"type": "exact", "field": name, "value": value} for name, value in fields.items()]
    return {"expressions": parts}


def status(call: object, *arguments: Json, **named: Json) -> int:
    """Return the status with which a call is refused."""
    assert callable(call)
    with pytest.raises(Refused) as caught:
        call(*arguments, **named)
    body = caught.value.answer.json()
    assert isinstance(body, dict)
    assert isinstance(body["detail"], str)
    return caught.value.status


# --- The wire -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        ("v1/jobs/1/outputs/log/Compressed<JSON, 8>", "log/Compressed%3CJSON,%208%3E"),
        ("v1/jobs/1/outputs/x/BLOB<'txt'>", "x/BLOB%3C'txt'%3E"),
        ("v1/x/a%20b", "a%20b"),
        ("v1/x/100%", "100%25"),
        ("v1/x/ü", "%C3%BC"),
    ],
)
def test_paths_are_quoted_as_the_library_does(plain: str, written: str) -> None:
    assert quoted(plain).endswith(written)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_slash_at_the_end_does_no_harm(site: Site, client: PythonClient, slash: str) -> None:
    job = site.job(site.template())

    assert client.get(f"v1/jobs/{job}{slash}").json()["pk"] == job
    assert len(client.post(f"v1/jobs/list{slash}", exactly(pk=job)).json()) == 1


@pytest.mark.parametrize("spec", [None, {}, {"expressions": [], "order_by": []}])
@pytest.mark.parametrize("table", ["nodes", "jobs", "job-templates", "job-outputs", *CATALOGUE])
def test_a_list_takes_no_body_an_empty_filter_and_none(
    client: PythonClient, table: str, spec: Json
) -> None:
    answer = client.post(f"v1/{table}/list", spec)

    assert answer.headers["content-type"].partition(";")[0] == "application/json"
    assert isinstance(answer.json(), list)


# --- Nodes and hardware ---------------------------------------------------------------------------


def test_the_life_of_a_node(site: Site, client: PythonClient) -> None:
    ip = fresh("m")
    made = actions.create(client, "nodes", ip=ip, index=2, cpu_mem=1024)
    fits(made, shapes.Node)
    node = site.as_node(client, made["pk"])
    whole = {"ip": ip, "index": 3, "driver_version": "470.1", "gpu_mem": 8, "cpu_mem": 2048}

    actions.ping(node)
    changed = actions.update(node, "nodes", made["pk"], hardware_generation=None, **whole)
    told = actions.partial_update(node, "nodes", made["pk"], gpu_mem=None)

    assert {name: changed[name] for name in whole} == whole
    assert told == {**changed, "gpu_mem": None, "last_seen": told["last_seen"]}
    assert actions.retrieve(client, "nodes", made["pk"])["last_seen"] is not None
    assert [row["pk"] for row in actions.listed(client, "nodes", exactly(ip=ip, index=3))] == [
        made["pk"]
    ]
    assert status(actions.create, client, "nodes", ip=ip, index=3, cpu_mem=1) == 400
    assert status(actions.update, client, "nodes", made["pk"], **whole) == 403
    assert actions.destroy(node, "nodes", made["pk"]) == 204
    assert status(actions.retrieve, client, "nodes", made["pk"]) == 404


def test_a_node_that_is_there_twice_is_said_by_the_members_that_clients_list(
    client: PythonClient,
) -> None:
    said = {"ip": fresh("m"), "index": 0, "cpu_mem": 1}
    actions.create(client, "nodes", **said)

    with pytest.raises(Refused) as caught:
        actions.create(client, "nodes", **said)

    text = "The fields ip, index must make a unique set."
    assert caught.value.answer.json()["non_field_errors"] == [text]


def test_a_node_to_which_jobs_refer_stays(site: Site, client: PythonClient, template: int) -> None:
    node = site.node(client)
    job = site.started(template, node)
    actions.finish(node, job, success=True, send_notification="")

    assert status(actions.destroy, node, "nodes", node.node_id) == 409


@pytest.mark.parametrize("node", ["x", "0", "-1", "999999999", "1.0", ""])
def test_a_node_that_is_none_is_said_so(site: Site, client: PythonClient, node: str) -> None:
    odd = site.same(client)
    headers = [("Authorization", f"Bearer {odd.signed_in().access}"), ("Node-Id", node)]

    assert status(odd.call, "GET", "v1/nodes/ping", None, headers) == 400
    assert status(odd.call, "POST", "v1/jobs/list", b"", headers) == 400


def test_nobody_calls_as_the_node_of_another_account(site: Site, client: PythonClient) -> None:
    node = site.node(client)
    other = site.as_node(site.account(), node.node_id or 0)

    assert status(actions.ping, other) == 403


@pytest.mark.parametrize(("compute", "name"), [(7.5, "Turing"), (7.4, "Volta"), (9.9, "Hopper")])
def test_a_generation_is_found_by_its_compute_capability(
    client: PythonClient, compute: float, name: str
) -> None:
    assert actions.hardware_generation(client, compute)["generation"] == name


@pytest.mark.parametrize("compute", [1.9, 10.0, 99, "x"])
def test_a_compute_capability_of_no_generation_is_refused(
    client: PythonClient, compute: Json
) -> None:
    assert status(actions.hardware_generation, client, compute) == 400


# --- Types, contracts, catalogue ------------------------------------------------------------------


@pytest.mark.parametrize("table", CATALOGUE)
def test_rows_of_the_catalogue_have_these_members_and_no_others(
    client: PythonClient, table: str
) -> None:
    rows = actions.listed(client, table, {})
    assert rows

    for row in rows:
        fits(row, CATALOGUE[table])
        assert actions.retrieve(client, table, row["pk"]) == row


@pytest.mark.parametrize(
    ("table", "fields"),
    [
        ("docker", ("name", "version", "pk")),
        ("hardware", ("generation",)),
        ("cuda", ("full_version",)),
        ("domains", ("description",)),
        ("frameworks", ("name", "version")),
        ("job-types", ("name", "cls")),
        ("licences", ("name",)),
    ],
)
def test_rows_are_found_as_the_workers_library_looks_for_them(
    client: PythonClient, table: str, fields: tuple[str, ...]
) -> None:
    row = actions.listed(client, table)[-1]

    found = actions.listed(client, table, exactly(**{name: row[name] for name in fields}))

    assert found == [row]


def test_images_are_found_by_domain_and_framework(client: PythonClient) -> None:
    image = actions.listed(client, "docker")[0]
    spec = exactly(
        **{
            "domain.description": image["domain"],
            "framework.name": image["framework"]["name"],
            "framework.version": image["framework"]["version"],
        }
    )

    assert image in actions.listed(client, "docker", spec)


def test_the_password_of_a_registry_is_for_nodes_and_administrators(
    site: Site, client: PythonClient
) -> None:
    spec = {"expressions": [{"type": "isnull", "field": "registry_password", "invert": True}]}
    (image, *_) = actions.listed(site.admin, "docker")

    assert image["registry_password"] is not None
    assert actions.listed(site.node(client), "docker")[0] == image
    assert actions.listed(client, "docker")[0]["registry_password"] is None
    assert status(actions.listed, client, "docker", spec) == 400


def test_licences_are_spelled_both_ways(client: PythonClient) -> None:
    assert actions.listed(client, "licenses") == actions.listed(client, "licences")


@pytest.mark.parametrize("table", ["hardware", "cuda", "frameworks", "licences", "docker"])
def test_the_life_of_a_row_of_the_catalogue(site: Site, client: PythonClient, table: str) -> None:
    said, change = rows_of(site, table)

    assert status(actions.create, client, table, **said) == 403
    made = actions.create(site.admin, table, **said)
    fits(made, CATALOGUE[table])
    assert status(actions.create, site.admin, table, **said) == 400
    changed = actions.partial_update(site.admin, table, made["pk"], **change)
    assert changed == {**made, **change}
    assert actions.update(site.admin, table, made["pk"], **said) == made
    assert actions.destroy(site.admin, table, made["pk"]) == 204
    assert status(actions.retrieve, client, table, made["pk"]) == 404


def rows_of(site: Site, table: str) -> tuple[Json, Json]:
    """Return a row that no hub has yet, and what may change about it."""
    short = fresh("v").split("-")[1]
    number = f"{20 + int(short, 16) % 80}.{int(short, 16) % 7}"
    torch = actions.listed(site.admin, "frameworks", exactly(name="pytorch", version="1.6"))[0]
    terms: Json = {name: [] for name in ("permissions", "conditions", "limitations", "domains")}
    image = {
        **{"name": short, "version": "1", "url": "a/b", "registry_url": "a", "domain": "ic"},
        **{"cuda_version": "11.1", "framework": torch["pk"], "tasks": ["Train"], "cpu": False},
        **{"registry_username": "u", "registry_password": "p", "licence": "MIT"},
        "min_hardware_generation": "Pascal",
    }
    capability = {"min_compute_capability": 50.0, "max_compute_capability": 51.0}
    return {
        "hardware": ({"generation": short, **capability}, {"max_compute_capability": 52.0}),
        "cuda": (
            {"version": number, "full_version": f"{number}.0", "min_driver_version": "1"},
            {"min_driver_version": "2"},
        ),
        "frameworks": ({"name": short, "version": "1"}, {"version": "2"}),
        "licences": ({"name": short, "url": "http://x.example/", **terms}, {"url": "http://y/"}),
        "docker": (image, {"url": "c/d"}),
    }[table]


def test_nobody_changes_domains(site: Site) -> None:
    (first, *_) = actions.listed(site.admin, "domains")

    assert status(actions.create, site.admin, "domains", name="zz", description="Z") == 403
    assert status(actions.update, site.admin, "domains", first["pk"], name="zz") == 403
    assert status(actions.destroy, site.admin, "domains", first["pk"]) == 403


@pytest.mark.parametrize("table", ["job-types", "job-contracts"])
def test_the_life_of_a_registered_name(site: Site, table: str) -> None:
    name = fresh("T").replace("-", "_")
    said = {"name": name, "pkg": "own.package", "cls": f"own.package.{name}"}

    made = actions.create(site.admin, table, **said)
    assert made == {"pk": made["pk"], **said}
    assert status(actions.create, site.admin, table, **said) == 400
    changed = actions.partial_update(site.admin, table, made["pk"], pkg="other")
    assert changed == {**made, "pkg": "other"}
    assert actions.update(site.admin, table, made["pk"], **said) == made
    assert actions.listed(site.admin, table, exactly(name=name)) == [made]
    assert actions.destroy(site.admin, table, made["pk"]) == 204
    assert status(actions.retrieve, site.admin, table, made["pk"]) == 404


def test_what_is_missing_is_said_by_member(site: Site) -> None:
    with pytest.raises(Refused) as caught:
        actions.create(site.admin, "job-types", name="")

    said = caught.value.answer.json()
    assert said["name"] == ["This field may not be blank."]
    assert said["pkg"] == said["cls"] == ["This field is required."]


def test_a_built_in_type_and_one_in_use_stay(site: Site) -> None:
    built_in = actions.listed(site.admin, "job-types", exactly(name="str"))[0]["pk"]
    name = fresh("Used").replace("-", "_")
    own = actions.create(site.admin, "job-types", name=name, pkg="own", cls=f"own.{name}")
    site.template(parameters={"p": {"types": [name], "help": ""}})

    assert status(actions.destroy, site.admin, "job-types", built_in) == 409
    assert status(actions.destroy, site.admin, "job-types", own["pk"]) == 409


@pytest.mark.parametrize(
    ("text", "table"),
    [
        (FRAMEWORK, "frameworks"),
        (f"DockerImage<{DOMAIN}, {FRAMEWORK}>", "docker"),
        ("Domain", "domains"),
        ("Hardware", "hardware"),
        ("CUDAVersion", "cuda"),
        ("JobOutput<Compressed<JSON, 8>>", "job-outputs"),
    ],
)
def test_the_values_of_a_type_are_rows_of_its_table(
    site: Site, client: PythonClient, text: str, table: str
) -> None:
    values = actions.all_values(client, text)

    rows = actions.listed(client, table)
    assert all(value in rows for value in values)
    assert values or table == "job-outputs"


@pytest.mark.parametrize("text", ["X", "int", "PK<Domain>", "Nothing", "ServerResidentType", "<"])
def test_a_type_without_values_on_the_server_is_refused(client: PythonClient, text: str) -> None:
    assert status(actions.all_values, client, text) == 400


# --- Users ----------------------------------------------------------------------------------------


def test_the_life_of_a_user(site: Site) -> None:
    name = fresh("user")
    said = {"username": name, "password": "a good one", "email": "", "first_name": "A"}
    made = actions.create(site.admin, "users", last_name="B", **said)
    fits(made, shapes.User)
    assert "password" not in made
    own = PythonClient(site.host, name, "a good one")

    assert actions.retrieve(own, "users", made["pk"])["pk"] == made["pk"]
    assert [row["pk"] for row in own.get(f"v1/users/{name}").json()] == [made["pk"]]
    assert site.admin.get(f"v1/users/{fresh('nobody')}").json() == []
    assert status(actions.retrieve, own, "users", 1) == 403
    changed = actions.partial_update(site.admin, "users", made["pk"], last_name="C")
    assert changed["last_name"] == "C"
    actions.update(site.admin, "users", made["pk"], last_name="D", **said)
    assert actions.destroy(site.admin, "users", made["pk"]) == 204
    everybody = actions.listed(site.admin, "users", {"include_inactive": True})
    assert [row["is_active"] for row in everybody if row["pk"] == made["pk"]] == [False]


# --- Templates ------------------------------------------------------------------------------------


def training(**specific: Json) -> Json:
    """Return the import form of a template that trains a model."""
    parameters = {
        "epochs": {"types": ["int"], "help": "rounds", **default(5, "int", is_const=False)},
        "names": {"types": ["Array<str>"], "help": "of the rounds"},
        "mode": {"types": ["str"], "help": "", **default("slow", "str", is_const=True)},
    }
    return template_form(
        job_type=f"Train<{DOMAIN}, {FRAMEWORK}>", parameters=parameters, **specific
    )


def default(value: Json, type_text: str, *, is_const: bool) -> Json:
    return {"default": value, "default_type": type_text, "const": is_const}


def test_an_imported_template_is_shown_exported_and_imported_again(site: Site) -> None:
    form = training()
    made = actions.import_template(site.admin, form)

    fits(made, shapes.Template)
    assert (made["type"], made["version"]) == (f"Train<{DOMAIN}, {FRAMEWORK}>", 1)
    assert made["parameters"]["epochs"]["default"] == 5
    assert "default" not in made["parameters"]["names"]
    assert actions.retrieve(site.admin, "job-templates", made["pk"]) == made
    assert actions.listed(site.admin, "job-templates", exactly(name=form["name"])) == [made]
    exported = actions.export_template(site.admin, made["pk"])
    assert exported == {**form, "version": 1}
    again = actions.import_template(site.admin, exported)
    assert again["version"] == 1
    assert actions.retrieve(site.admin, "job-templates", made["pk"])["deletion_time"] is not None
    assert actions.import_template(site.admin, form)["version"] == 2


def test_an_import_that_fails_loses_nothing(site: Site) -> None:
    form = {**training(), "version": 1}
    made = actions.import_template(site.admin, form)

    for wrong in ({"licence": "none"}, {"domain": "zz"}, {"scope": ""}, {"more": 1}, {"name": ""}):
        assert status(actions.import_template, site.admin, {**form, **wrong}) == 400

    assert actions.retrieve(site.admin, "job-templates", made["pk"])["deletion_time"] is None


def test_a_template_is_deleted_reinstated_and_removed(site: Site, client: PythonClient) -> None:
    form = {**training(), "version": 1}
    used, unused = (actions.import_template(site.admin, one)["pk"] for one in (form, training()))
    job = actions.create_job(client, used, **values())["pk"]

    assert actions.destroy(site.admin, "job-templates", used) == 204
    assert status(actions.create_job, client, used, **values()) == 409
    actions.import_template(site.admin, form)
    assert status(actions.reinstate, site.admin, "job-templates", used) == 409
    assert status(actions.hard_delete, site.admin, "job-templates", used) == 409
    assert actions.hard_delete(site.admin, "job-templates", unused)["pk"] == unused
    assert status(actions.retrieve, site.admin, "job-templates", unused) == 404
    actions.cancel(client, job)


def values(**parameters: Json) -> Json:
    """Return the values of a training job."""
    names = {"value": ["a"], "type": "Array<str>"}
    return {
        "input_values": {"dataset": {"value": 1, "type": DATASET}},
        "parameter_values": {"names": names, **parameters},
    }


def test_templates_are_found_by_what_they_take(site: Site, client: PythonClient) -> None:
    made = actions.import_template(site.admin, training())
    gone = actions.import_template(site.admin, training())
    actions.destroy(site.admin, "job-templates", gone["pk"])

    def found(contract: str, **types: str) -> list[int]:
        return [row["pk"] for row in actions.matching_templates(client, contract, **types)]

    assert made in actions.matching_templates(client, "Train", dataset=DATASET)
    assert made["pk"] in found("Train")
    assert gone["pk"] not in found("Train", dataset=DATASET)
    assert made["pk"] not in found("Train", dataset="PK<Dataset<Domain<'Speech'>>>")
    assert made["pk"] not in found("Export")
    assert status(found, "Nothing") == 400
    assert status(found, "Train", other=DATASET) == 400
    assert status(found, "Train", dataset="PK<") == 400


def test_a_form_is_made_from_what_a_template_says(site: Site, client: PythonClient) -> None:
    pk = actions.import_template(site.admin, training())["pk"]

    parameters = actions.about_template(client, pk, "get-all-parameters")

    for parameter in parameters.values():
        fits(parameter, shapes.FormParameter)
    integer = {"type": "integer"}
    assert parameters["epochs"] == {
        "types": {"int": integer},
        "help": "rounds",
        "default": {"value": 5, "type": "int", "schema": integer, "const": False},
    }
    assert parameters["mode"]["default"]["const"] is True
    assert "default" not in parameters["names"]
    assert parameters["names"]["types"] == {
        "Array<str>": {"type": "array", "items": {"type": "string"}}
    }
    assert actions.about_template(client, pk, "get-types") == {
        "DomainType": DOMAIN,
        "FrameworkType": FRAMEWORK,
    }
    assert actions.about_template(client, pk, "get-outputs") == {"model": MODEL}
    bare = site.template()
    assert actions.about_template(client, bare, "get-types") == {}
    assert actions.about_template(client, bare, "get-outputs") == {}


def test_a_job_keeps_canonical_types_and_drops_surplus_inputs(
    site: Site, client: PythonClient
) -> None:
    pk = actions.import_template(site.admin, training())["pk"]
    said = values(epochs={"value": 7, "type": "int"})
    said["input_values"]["more"] = {"value": 1, "type": "int"}

    job = actions.create_job(client, pk, description="mine", **said)

    fits(job, strict.Job)
    assert job["description"] == "mine"
    assert set(job["input_values"]) == {"dataset"}
    assert job["parameter_values"] == {
        "names": {"value": ["a"], "type": "Array<str, int>"},
        "epochs": {"value": 7, "type": "int"},
    }
    actions.cancel(client, job["pk"])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"input_values": {}}, 422),
        ({"input_values": {"dataset": {"value": 1, "type": "int"}}}, 422),
        ({"input_values": {"dataset": {"value": 1, "type": "Unknown"}}}, 400),
        ({"parameter_values": {}}, 400),
        ({"parameter_values": {"mode": {"value": "x", "type": "str"}}}, 400),
        ({"child_notification_overrides": {}}, 409),
        ({"description": 1}, 400),
        ({"more": 1}, 400),
    ],
)
def test_a_job_that_its_template_refuses(
    site: Site, client: PythonClient, change: Json, expected: int
) -> None:
    pk = actions.import_template(site.admin, training())["pk"]

    assert status(actions.create_job, client, pk, **{**values(), **change}) == expected


@pytest.mark.parametrize("said", [{}, {"parameter_values": None}, {"parameter_values": {}}])
def test_parameters_are_an_object_whatever_was_sent(
    client: PythonClient, template: int, said: Json
) -> None:
    job = actions.create_job(client, template, input_values={}, **said)

    assert job["parameter_values"] == {}
    actions.cancel(client, job["pk"])


# --- Notifications --------------------------------------------------------------------------------

MAIL = {"subject": "Job {pk}", "body": "{description}: {progress} {error}", "to": ["a@x.example"]}


@pytest.mark.parametrize(
    "override",
    [
        {"actions": {}},
        {"actions": {"on_start": [{}]}, "keep_default": True},
        {"actions": {"on_start": [{"suppress_for_parent": False}]}},
        {"actions": {"on_progress": [{"message": "at {progress}"}], "on_error": [MAIL, {}]}},
        {"actions": {"on_finish": [{"message": "{pk}"}, {"message": "{pk}"}]}},
        {"actions": {"on_finish": [MAIL, MAIL]}},
    ],
)
def test_what_a_job_is_asked_to_tell_never_touches_a_call(
    site: Site, client: PythonClient, template: int, override: Json
) -> None:
    job = site.job(template, notification_override=override)
    node = site.node(client)

    actions.acquire(node, job)
    actions.start(node, job, "email")
    actions.progress(node, job, 0.5)
    assert actions.finish(node, job, False, "email", "it broke")["error_reason"] == "it broke"


@pytest.mark.parametrize(
    "override",
    [
        [],
        {},
        {"actions": {"on_sleep": [{}]}},
        {"actions": {"on_start": {}}},
        {"actions": {"on_start": [{"more": 1}]}},
        {"actions": {"on_start": [{"message": 1}]}},
        {"actions": {"on_start": [{"message": "x", "subject": "x", "body": "x"}]}},
        {"actions": {"on_start": [{"subject": "x"}]}},
        {"actions": {"on_start": [{**MAIL, "to": []}]}},
        {"actions": {"on_start": [{**MAIL, "body": "{creator.password}"}]}},
        {"actions": {"on_start": [{**MAIL, "subject": "{transition_data}"}]}},
        {"actions": {}, "more": 1},
    ],
)
def test_what_a_job_cannot_tell_is_refused_when_it_is_made(
    client: PythonClient, template: int, override: Json
) -> None:
    said: Json = {"input_values": {}, "notification_override": override}

    assert status(actions.create_job, client, template, **said) == 400


# --- Jobs -----------------------------------------------------------------------------------------


def test_the_life_of_a_job(site: Site, client: PythonClient, template: int) -> None:
    job, node = site.job(template, by=client), site.node(client)
    fits(actions.retrieve(client, "jobs", job), strict.Job)

    assert actions.acquire(node, job)["node"] == node.node_id
    actions.release(node, job)
    actions.acquire(node, job)
    started = actions.start(node, job, "email")
    assert (started["start_time"], started["end_time"]) == (started["start_time"], None)
    assert site.current_job(node.node_id) == job
    for amount in (0.0, 0.25, 1e-05, 1, 1.0):
        fits(actions.progress(node, job, amount, node=1, progress=2, self="x"), strict.Job)
    failed = actions.finish(node, job, False, "email", "it broke")
    assert (failed["error_reason"], failed["node"]) == ("it broke", node.node_id)
    assert actions.reset(node, job)["error_reason"] is None
    actions.start(node, job, "")
    done = actions.finish(node, job, True, "")
    assert None not in (done["start_time"], done["end_time"])
    assert done["error_reason"] is None


def test_an_administrator_changes_deletes_and_reinstates_jobs(
    site: Site, client: PythonClient, template: int
) -> None:
    job = site.job(template)
    found = exactly(pk=job)

    assert actions.update(site.admin, "jobs", job, description="new")["description"] == "new"
    assert actions.partial_update(site.admin, "jobs", job)["description"] == "new"
    assert [actions.destroy(site.admin, "jobs", job) for _ in range(2)] == [204, 204]
    assert actions.listed(client, "jobs", found) == []
    assert len(actions.listed(client, "jobs", {**found, "include_inactive": True})) == 1
    assert actions.retrieve(client, "jobs", job)["deletion_time"] is not None
    for _ in range(2):
        assert actions.reinstate(site.admin, "jobs", job)["deletion_time"] is None
    assert actions.hard_delete(site.admin, "jobs", job)["pk"] == job
    assert status(actions.retrieve, client, "jobs", job) == 404


def test_a_job_at_which_a_node_works_is_not_removed(
    site: Site, client: PythonClient, template: int
) -> None:
    node = site.node(client)
    job = site.started(template, node)

    assert status(actions.hard_delete, site.admin, "jobs", job) == 409
    actions.abort(site.admin, job)
    assert actions.retrieve(client, "jobs", job)["node"] is None
    actions.hard_delete(site.admin, "jobs", job)


# --- Outputs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_text", TYPES)
@pytest.mark.parametrize("kind", ["bytes", "file", "iterator", "nothing"])
def test_outputs_come_back_as_they_were_sent(
    site: Site, client: PythonClient, template: int, type_text: str, kind: str
) -> None:
    node = site.node(client)
    job = site.started(template, node)
    content = b"" if kind == "nothing" else bytes(range(256)) * 300
    data: dict[str, Data] = {
        "bytes": content,
        "nothing": content,
        "file": io.BytesIO(content),
        "iterator": iter([content[:1000], content[1000:]]),
    }

    made = actions.add_output(node, job, "result", type_text, data[kind])

    fits(made, strict.Output)
    assert (made["job"], made["name"], made["type"]) == (job, "result", type_text)
    assert actions.output_info(client, job, "result", type_text) == made
    assert actions.get_output(client, job, "result", type_text) == content
    assert actions.listed(client, "job-outputs", exactly(type=type_text, pk=made["pk"])) == [made]
    assert actions.retrieve(client, "job-outputs", made["pk"]) == made
    assert actions.download_output(client, made["pk"]) == content
    ref = {"pk": made["pk"], "name": "result", "type": type_text}
    assert actions.finish(node, job, True, "")["outputs"] == [ref]


def test_an_output_is_deleted_brought_back_and_removed(
    site: Site, client: PythonClient, template: int
) -> None:
    node = site.node(client)
    job = site.started(template, node)
    made = actions.add_output(node, job, "log", LOG_TYPE, b"x")

    assert status(actions.delete_output, client, job, "log", LOG_TYPE) == 403
    assert actions.delete_output(site.admin, job, "log", LOG_TYPE)["deletion_time"] is not None
    assert status(actions.get_output, client, job, "log", LOG_TYPE) == 400
    assert actions.reinstate(site.admin, "job-outputs", made["pk"])["deletion_time"] is None
    assert actions.destroy(site.admin, "job-outputs", made["pk"]) == 204
    gone = actions.hard_delete(site.admin, "job-outputs", made["pk"])
    assert gone["pk"] == made["pk"]
    assert gone["deletion_time"] is not None
    assert status(actions.retrieve, client, "job-outputs", made["pk"]) == 404
    actions.finish(node, job, success=True, send_notification="")


def test_the_name_of_a_download_says_what_it_is(
    site: Site, client: PythonClient, template: int
) -> None:
    node = site.node(client)
    job = site.started(template, node)
    pk = actions.add_output(node, job, "log", LOG_TYPE, b"x")["pk"]
    url = f"v1/job-outputs/{pk}/download"

    named = client.post(url, {"filetype": "zip"}).headers["content-disposition"]
    unnamed = client.post(url, {}).headers["content-disposition"]

    assert 'filename="log.zip"' in named
    assert "log.Compressed" in unnamed
    assert client.get(f"v1/jobs/{job}/outputs/log/{LOG_TYPE}").headers["content-type"] == (
        "application/data"
    )
    assert status(client.post, url, {"filetype": 1}) == 400
    assert status(client.post, url, {"params": {"x": 1}}) == 400
    actions.finish(node, job, success=True, send_notification="")
