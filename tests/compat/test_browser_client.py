"""The TypeScript client and the pages that are built on it."""

import pytest
from websockets.exceptions import InvalidStatus

from tests.compat import actions, shapes
from tests.compat.browser_client import (
    ALL_SOCKET,
    BrowserClient,
    FailedToFetch,
    Thrown,
    js_number,
    js_path,
)
from tests.compat.launcher import LOG_TYPE, Work, at_work, unzipped, zipped
from tests.compat.python_client import Json, PythonClient
from tests.compat.shapes import fits
from tests.compat.site import ORIGIN, Site, fresh, template_form
from tests.conformance import shapes as strict

DOMAIN = "Domain<'Image Classification'>"
FRAMEWORK = "Framework<'pytorch', '1.6'>"
DATASET = f"PK<Dataset<{DOMAIN}>>"
MODEL = f"Model<{DOMAIN}, {FRAMEWORK}>"
MEMBERS = {"transition", "description", "pk", "progress", "cancelled", "transition_data"}
LIMIT_S = 20.0


@pytest.fixture(scope="module")
def user(shared_site: Site) -> PythonClient:
    return shared_site.account()


@pytest.fixture
def tab(site: Site, user: PythonClient) -> BrowserClient:
    """A user's tab, whose page the hub itself gave."""
    return site.tab(of=user)


@pytest.fixture
def foreign_tab(site: Site, user: PythonClient) -> BrowserClient:
    """A user's tab, whose page came from elsewhere."""
    return site.tab(of=user, origin=ORIGIN)


def refused(tab: BrowserClient, method: str, url: str, said: Json = None) -> Thrown:
    """Return what a call throws."""
    with pytest.raises(Thrown) as thrown:
        {"GET": tab.get, "DELETE": tab.delete}.get(method, lambda at: tab.post(at, said))(url)
    return thrown.value


# --- What JavaScript writes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0, "0"),
        (0.0, "0"),
        (1.0, "1"),
        (0.5, "0.5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e-05, "0.00001"),
        (1e-06, "0.000001"),
        (1e-07, "1e-7"),
        (1.25e-07, "1.25e-7"),
        (5e-324, "5e-324"),
    ],
)
def test_numbers_are_printed_as_javascript_does(value: float, printed: str) -> None:
    assert js_number(value) == printed


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        ("v1/x/Compressed<JSON, 8>", "/v1/x/Compressed%3CJSON,%208%3E"),
        ("v1/x/BLOB<'txt'>/info", "/v1/x/BLOB%3C'txt'%3E/info"),
        ("v1/x?a=PK<B<'C D'>>&b=ü", "/v1/x?a=PK%3CB%3C%27C%20D%27%3E%3E&b=%C3%BC"),
    ],
)
def test_addresses_are_escaped_as_browsers_do(plain: str, written: str) -> None:
    assert js_path(plain) == written


# --- Signing in -----------------------------------------------------------------------------------


def test_the_login_page_finds_the_users_own_record(tab: BrowserClient, user: PythonClient) -> None:
    record = tab.record()

    fits(record, shapes.User)
    assert record["username"] == user.username
    assert tab.calls[0] == ("POST", "/v1/auth/obtain", 200)


def test_the_login_page_shows_why_it_was_refused(site: Site, user: PythonClient) -> None:
    wrong = BrowserClient(site.host, user.username, "wrong")

    with pytest.raises(Thrown) as thrown:
        wrong.record()
    wrong.close()

    assert thrown.value.status == 401
    assert "detail: " in thrown.value.shown()
    assert wrong.calls == [("POST", "/v1/auth/obtain", 401)]


def test_another_tab_uses_the_tokens_of_the_first(site: Site, user: PythonClient) -> None:
    storage: dict[str, Json] = {}
    first, second = (
        BrowserClient(site.host, user.username, user.password, storage) for _ in range(2)
    )

    first.post("v1/nodes/list")
    second.post("v1/nodes/list")
    first.close()
    second.close()

    assert [path for _, path, _ in second.calls] == ["/v1/nodes/list"]


# --- The pages ------------------------------------------------------------------------------------


def trained(site: Site) -> int:
    """Return a template that the pages offer for training."""
    parameters = {"epochs": {"types": ["int"], "help": "", "default": 5}}
    job_type = f"Train<{DOMAIN}, {FRAMEWORK}>"
    form = template_form(job_type=job_type, parameters=parameters)
    pk: int = actions.import_template(site.admin, form)["pk"]
    return pk


def test_the_pages_run_a_job_from_its_choice_to_its_log(
    site: Site, tab: BrowserClient, user: PythonClient
) -> None:
    template = trained(site)
    matching = f"v1/job-templates/get-all-matching-templates/Train?dataset={DATASET}"
    assert template in [row["pk"] for row in tab.get(matching)]
    parameters = tab.get(f"v1/job-templates/{template}/get-all-parameters")
    fits(parameters, dict[str, shapes.FormParameter])
    types = tab.get(f"v1/job-templates/{template}/get-types")
    assert types["FrameworkType"] == FRAMEWORK
    model_type = tab.get(f"v1/job-templates/{template}/get-outputs")["model"]
    following = f"v1/job-templates/get-all-matching-templates/Predict?model=JobOutput<{model_type}>"
    assert isinstance(tab.get(following), list)
    epochs = parameters["epochs"]["default"]
    spec = {
        "input_values": {"dataset": {"value": 1, "type": DATASET}},
        "parameter_values": {"epochs": {"value": epochs["value"], "type": epochs["type"]}},
        "description": "of the page",
        "notification_override": ALL_SOCKET,
    }
    job = tab.post(f"v1/job-templates/{template}/create-job", spec)["pk"]
    work = Work(outputs=(("model", model_type, b"weights"),))
    worker = site.launcher(site.account(), work, sees={job})
    with tab.watching(job) as view, at_work(worker):
        assert view.until_over()[-1] == "finish"

    log = tab.download(f"v1/jobs/{job}/outputs/log/{LOG_TYPE}")
    assert isinstance(unzipped(log), list)
    info = tab.get(f"v1/jobs/{job}/outputs/model/{model_type}/info")
    assert (info["name"], info["type"]) == ("model", model_type)
    assert tab.download(f"v1/job-outputs/{info['pk']}/download", {}) == b"weights"
    values = tab.get(f"v1/job-types/get-all-values/JobOutput<{model_type}>")
    assert info["pk"] in [value["pk"] for value in values]


def test_the_pages_cancel_a_job_and_the_socket_tells_it(
    site: Site, tab: BrowserClient, user: PythonClient, template: int
) -> None:
    job = site.job(template, by=user)
    node = site.node(site.account())
    actions.acquire(node, job)
    actions.start(node, job, "email")
    with tab.watching(job) as view:
        assert view.until("progress")["transition_data"] == {}

        shown = tab.delete(f"v1/jobs/{job}/cancel").json()

        assert view.until("cancel")["cancelled"] is True
    assert shown["is_cancelled"] is True
    # Again is no change.
    assert tab.delete(f"v1/jobs/{job}/cancel").json() == shown


def test_only_the_creator_and_administrators_cancel(
    site: Site, tab: BrowserClient, template: int
) -> None:
    job = site.job(template)

    assert refused(tab, "DELETE", f"v1/jobs/{job}/cancel").status == 403
    site.tab().delete(f"v1/jobs/{job}/cancel")


def test_the_ping_button_works_for_administrators_only(site: Site, tab: BrowserClient) -> None:
    assert site.tab().fetched("GET", "v1/nodes/ping").body == b""
    assert refused(tab, "GET", "v1/nodes/ping").status == 403


def test_a_page_may_do_what_a_worker_does(
    site: Site, tab: BrowserClient, user: PythonClient, template: int
) -> None:
    job = site.job(template)
    tab.node_id = tab.post("v1/nodes/create", {"ip": fresh("m"), "index": 0, "cpu_mem": 1})["pk"]

    tab.get(f"v1/jobs/{job}/acquire")
    tab.post(f"v1/jobs/{job}/start", {"send_notification": "email"})
    reported = [tab.progress(job, amount)["progress_amount"] for amount in (0, 1e-7, 0.5, 1)]
    output = tab.upload(f"v1/jobs/{job}/outputs/log/{LOG_TYPE}", "log", zipped([]))
    done = tab.post(f"v1/jobs/{job}/finish", {"success": True, "send_notification": "email"})

    assert reported == [0.0, 1e-7, 0.5, 1.0]
    fits(output, strict.Output)
    fits(done, strict.Job)
    assert done["status"] == "COMPLETED"


TABLES = ("hardware", "cuda", "docker", "frameworks", "domains", "licences", "job-types")


@pytest.mark.parametrize("table", [*TABLES, "nodes", "jobs", "job-templates", "job-outputs"])
def test_the_pages_list_and_retrieve(tab: BrowserClient, table: str) -> None:
    rows = tab.post(f"v1/{table}/list")

    assert [row["pk"] for row in tab.post(f"v1/{table}/list", {})] == [row["pk"] for row in rows]
    for row in rows[:3]:
        assert tab.get(f"v1/{table}/{row['pk']}").keys() == row.keys()


def test_the_pages_manage_users(site: Site) -> None:
    admin, name = site.tab(), fresh("user")
    said = {"username": name, "password": "a good one", "email": "a@x.example"}
    made = admin.post(
        "v1/users/create", {**said, "first_name": "", "last_name": "", "is_staff": True}
    )

    assert made["is_staff"] is True
    assert admin.patch(f"v1/users/{made['pk']}", {"first_name": "A"})["first_name"] == "A"
    assert admin.put(f"v1/users/{made['pk']}", {**said, "last_name": "B"})["last_name"] == "B"
    assert admin.delete(f"v1/users/{made['pk']}").status == 204


def test_the_pages_manage_jobs(site: Site, template: int) -> None:
    admin, job = site.tab(), site.job(template)
    url = f"v1/jobs/{job}"

    assert admin.put(url, {"description": "new"})["description"] == "new"
    assert admin.patch(url, {})["description"] == "new"
    assert admin.put(url, {})["description"] == "new"
    assert admin.delete(url).status == 204
    assert admin.delete(f"{url}/reinstate").json()["deletion_time"] is None
    assert admin.delete(f"{url}/hard").json()["pk"] == job


def test_the_pages_change_the_terms_of_a_licence(site: Site) -> None:
    admin = site.tab()
    terms: Json = {name: [] for name in ("permissions", "conditions", "limitations", "domains")}
    said = {"name": fresh("licence"), "url": "http://x.example/", **terms}
    pk = admin.post("v1/licences/create", said)["pk"]

    def change(method: str) -> Json:
        asked = {"method": method, "type": "domains", "names": ["Data"]}
        return admin.patch(f"v1/licences/{pk}/subdescriptors", asked)

    assert change("add")["domains"] == ["Data"]
    assert change("remove")["domains"] == []
    admin.delete(f"v1/licences/{pk}")


def test_what_the_client_sends_wrongly_is_said_by_member(site: Site) -> None:
    """It sends a job type without two of its members."""
    shown = refused(site.tab(), "POST", "v1/job-types/create", {"name": fresh("T")})

    assert shown.status == 400
    assert "pkg: This field is required." in shown.shown()


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "v1/nowhere", 404),
        ("GET", "nowhere", 404),
        ("GET", "v1/jobs/999999999", 404),
        ("GET", "v1/jobs/x", 404),
        ("GET", "v1/jobs/list", 405),
        ("POST", "v1/jobs/1", 405),
        ("DELETE", "v1/jobs/list", 405),
        ("GET", "v1/jobs/1/outputs/a/b/c/d", 404),
    ],
)
def test_every_error_is_a_json_object(
    tab: BrowserClient, method: str, url: str, status: int
) -> None:
    thrown = refused(tab, method, url)

    assert thrown.status == status
    assert thrown.answer.headers["content-type"] == "application/problem+json"
    assert "detail: " in thrown.shown()
    assert thrown.answer.json()["instance"] == js_path(url)


# --- From another origin --------------------------------------------------------------------------


def test_a_page_from_elsewhere_may_do_everything(
    site: Site, foreign_tab: BrowserClient, template: int
) -> None:
    tab, job = foreign_tab, site.job(template)
    node = tab.post("v1/nodes/create", {"ip": fresh("m"), "index": 0, "cpu_mem": 1})["pk"]
    tab.node_id = node

    tab.patch(f"v1/nodes/{node}", {"gpu_mem": 1})
    tab.put(f"v1/nodes/{node}", {"ip": fresh("m"), "index": 0, "cpu_mem": 1})
    tab.get(f"v1/jobs/{job}/acquire")
    tab.post(f"v1/jobs/{job}/start", {"send_notification": ""})
    tab.upload(f"v1/jobs/{job}/outputs/log/{LOG_TYPE}", "log", b"x")
    assert tab.download(f"v1/jobs/{job}/outputs/log/{LOG_TYPE}") == b"x"
    tab.post(f"v1/jobs/{job}/finish", {"success": False, "send_notification": "", "error": "x"})
    tab.delete(f"v1/jobs/{job}/reset")

    asked = [path for method, path, _ in tab.calls if method == "OPTIONS"]
    assert f"/v1/jobs/{job}/outputs/log/Compressed%3CJSON,%208%3E" in asked


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "v1/jobs/999999999", 404),
        ("GET", "v1/users/1", 403),
        ("GET", "v1/jobs/list", 405),
        ("GET", "v1/nowhere", 404),
        ("POST", "v1/jobs/list", 400),
    ],
)
def test_a_page_from_elsewhere_sees_errors_too(
    foreign_tab: BrowserClient, method: str, url: str, status: int
) -> None:
    assert refused(foreign_tab, method, url, {"more": 1}).status == status


def test_a_page_from_elsewhere_sees_that_its_token_is_bad(
    foreign_tab: BrowserClient, user: PythonClient
) -> None:
    tokens = foreign_tab.tokens
    foreign_tab.replace_access("expired")

    foreign_tab.post("v1/nodes/list")

    statuses = [status for method, _, status in foreign_tab.calls if method != "OPTIONS"]
    assert statuses == [200, 401, 200, 200]
    assert foreign_tab.tokens.refresh == tokens.refresh


def test_a_page_from_a_stranger_sees_nothing(site: Site, user: PythonClient) -> None:
    stranger = site.tab(of=user, origin="http://stranger.example")

    with pytest.raises(FailedToFetch):
        stranger.post("v1/nodes/list")


# --- Sockets --------------------------------------------------------------------------------------


def test_a_socket_tells_all_nine_transitions_in_order(
    site: Site, tab: BrowserClient, template: int
) -> None:
    job = site.job(template)
    node = site.node(site.account())
    with tab.watching(job) as view:
        actions.acquire(node, job)
        actions.release(node, job)
        actions.acquire(node, job)
        actions.start(node, job, "")
        actions.progress(node, job, 0.5, comment="half", node=7, progress=9)
        actions.finish(node, job, False, "", "it broke")
        actions.reset(node, job)
        actions.abort(site.admin, job)
        actions.cancel(site.admin, job)
        view.until("cancel")

    names = [
        "acquire",
        "release",
        "acquire",
        "start",
        "progress",
        "error",
        "reset",
        "abort",
        "cancel",
    ]
    assert view.names == names
    held = [message.get("node") for message in view.messages]
    mine = node.node_id
    assert held == [mine, None, mine, mine, mine, mine, mine, None, None]
    assert all(message.keys() >= MEMBERS for message in view.messages)
    assert {message["pk"] for message in view.messages} == {job}
    progress, error, reset = view.messages[4:7]
    assert progress["transition_data"] == {"comment": "half", "node": 7, "progress": 9}
    assert (progress["progress"], error["progress"], reset["progress"]) == (0.5, 0.5, 0.0)
    assert [m["transition"] for m in view.messages if "error" in m] == ["error"]
    assert error["error"] == "it broke"
    assert [m["cancelled"] for m in view.messages] == [False] * 8 + [True]


@pytest.mark.parametrize("ends", ["finish", "error", "cancel"])
def test_a_socket_that_is_opened_late_tells_at_once_how_it_ended(
    site: Site, tab: BrowserClient, template: int, ends: str
) -> None:
    node = site.node(site.account())
    job = site.started(template, node)
    if ends == "cancel":
        actions.cancel(site.admin, job)
    else:
        actions.finish(node, job, ends == "finish", "", None if ends == "finish" else "x")

    with tab.watching(job) as view:
        told = view.next()

    assert told["transition"] == ends
    assert told["transition_data"] == {}


def test_the_hub_does_not_close_a_socket_before_the_page_does(
    site: Site, tab: BrowserClient, template: int
) -> None:
    node = site.node(site.account())
    job = site.started(template, node)
    with tab.watching(job) as view:
        actions.finish(node, job, True, "")
        view.until("finish")

        view.connection.send("not JSON")
        with pytest.raises(TimeoutError):
            view.next(limit_s=1.0)
        assert view.connection.ping().wait(LIMIT_S)


def test_a_job_that_is_not_there_cannot_be_watched(tab: BrowserClient) -> None:
    with pytest.raises(InvalidStatus) as refusal, tab.watching(999_999_999):
        pass

    assert refusal.value.response.status_code in (403, 404)


def test_a_job_without_any_notification_can_be_watched(
    site: Site, tab: BrowserClient, template: int
) -> None:
    job = actions.create_job(site.admin, template, input_values={})["pk"]

    with tab.watching(job) as view:
        actions.cancel(site.admin, job)
        assert view.until_over() == ["cancel"]
