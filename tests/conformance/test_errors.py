"""Which error comes first, and that every one of them is a JSON object."""

import httpx
import pytest

from tests.conformance.foreign import Client, Json, World, problem

NO_JOB = 2**40
NO_NODE = 2**40
NO_START: Json = {"send_notification": 5}


def with_bad_node(client: Client) -> Client:
    return client.as_node(NO_NODE)


# --- The order ------------------------------------------------------------------------------------


def test_first_of_all_comes_the_token(world: World) -> None:
    calls = [
        with_bad_node(world.nobody).post(f"/v1/jobs/{NO_JOB}/start", NO_START),
        with_bad_node(world.nobody).get(f"/v1/jobs/{NO_JOB}/acquire"),
        world.nobody.post("/v1/jobs/list", {"unknown": 1}),
    ]

    for answer in calls:
        problem(answer, 401, "not_authenticated")
        assert answer.headers["www-authenticate"] == 'Bearer realm="api"'


def test_a_token_that_is_not_good_says_so(world: World) -> None:
    for token in ("x", "a.b.c", "hub_" + "x" * 40, "x" * 4_000):
        bad = {"Authorization": f"Bearer {token}"}
        answer = world.nobody.ask("GET", "/v1/jobs/1", headers=bad)
        problem(answer, 401, "token_not_valid")
        (tried,) = answer.json()["messages"]
        assert (tried["token_class"], tried["token_type"]) == ("AccessToken", "access")
        assert tried["message"] == answer.json()["detail"]


def test_another_scheme_is_no_token(world: World) -> None:
    basic = {"Authorization": "Basic YWRtaW46eA=="}

    problem(world.nobody.ask("GET", "/v1/jobs/1", headers=basic), 401, "not_authenticated")


def test_second_comes_the_node_where_one_is_asked_for(world: World) -> None:
    stray = with_bad_node(world.worker)

    problem(stray.post(f"/v1/jobs/{NO_JOB}/start", NO_START), 400, "bad_node_id")
    problem(stray.acquire(NO_JOB), 400, "bad_node_id")
    problem(stray.finish(NO_JOB), 400, "bad_node_id")


def test_third_comes_what_can_be_refused_without_the_job(world: World) -> None:
    problem(world.worker.post(f"/v1/jobs/{NO_JOB}/start", NO_START), 403)
    problem(world.admin.acquire(NO_JOB), 403)
    problem(world.creator.abort(NO_JOB), 403)
    problem(world.viewer.cancel(NO_JOB), 403)


def test_where_no_node_is_asked_for_the_right_comes_before_the_node(world: World) -> None:
    job = world.new_job()

    problem(with_bad_node(world.creator).abort(job), 403)
    problem(with_bad_node(world.admin).abort(job), 400, "bad_node_id")
    problem(with_bad_node(world.viewer).get(f"/v1/jobs/{job}"), 400, "bad_node_id")


def test_fourth_comes_the_job_that_is_not_there(world: World) -> None:
    node = world.new_node()

    for answer in (
        node.post(f"/v1/jobs/{NO_JOB}/start", NO_START),
        node.post(f"/v1/jobs/{NO_JOB}/finish", {}),
        node.progress(NO_JOB, "nan"),
        node.acquire(NO_JOB),
        node.upload(NO_JOB),
        world.admin.patch(f"/v1/jobs/{NO_JOB}", {"description": None}),
        world.creator.cancel(NO_JOB),
    ):
        problem(answer, 404, "not_found")


def test_fifth_comes_the_right_to_this_job(world: World) -> None:
    job, _ = world.running()
    other = world.new_node()

    problem(other.post(f"/v1/jobs/{job}/start", NO_START), 403)
    problem(other.post(f"/v1/jobs/{job}/finish", {}), 403)
    problem(other.progress(job, "nan"), 403)
    problem(other.progress(job, 0.5, [1]), 403)


def test_sixth_comes_the_body(world: World) -> None:
    job, node = world.new_job(), world.new_node()
    good_start = {"send_notification": ""}
    node.acquire(job)
    node.post(f"/v1/jobs/{job}/start", good_start)
    node.finish(job, "it broke")

    said = problem(node.post(f"/v1/jobs/{job}/start", {}), 400)
    assert said["send_notification"] == ["This field is required."]
    problem(node.post(f"/v1/jobs/{job}/start", NO_START), 400)
    problem(node.post(f"/v1/jobs/{job}/finish", {"success": True}), 400)
    problem(node.progress(job, "1.5"), 400)


def test_last_comes_the_state(world: World) -> None:
    job, node = world.running()
    node.finish(job, "it broke")

    problem(node.start(job), 409, "illegal_transition")
    problem(node.progress(job, 0.5), 409, "illegal_transition")


def test_finish_with_a_null_error_is_refused(world: World) -> None:
    job, node = world.running()
    said = {"success": True, "send_notification": "", "error": None}

    problem(node.post(f"/v1/jobs/{job}/finish", said), 400)

    assert world.job(job)["status"] == "RUNNING"


# --- The node -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "x", "1.0", "-1", "0", "0x1", "1 or 1=1", "9" * 19, "9" * 40])
def test_a_node_id_that_names_no_node_is_refused_everywhere(world: World, text: str) -> None:
    job = world.new_job()
    headers = {"Node-Id": text}

    for path in (f"/v1/jobs/{job}/acquire", f"/v1/jobs/{job}", "/v1/nodes/ping"):
        problem(world.worker.ask("GET", path, headers=headers), 400, "bad_node_id")
    assert world.job(job)["status"] == "QUEUED"


def test_the_node_of_another_account_is_refused(world: World) -> None:
    job, foreign = world.new_job(), world.new_node(world.stranger).node
    assert foreign is not None

    for client in (world.worker, world.admin, world.viewer):
        assert client.as_node(foreign).acquire(job).status_code == 403
        problem(client.as_node(foreign).get(f"/v1/jobs/{job}"), 403, "node_not_yours")
    assert world.job(job)["node"] is None


def test_two_node_ids_are_refused(world: World) -> None:
    job, node = world.new_job(), world.new_node()
    twice = [*node.headers.items(), ("Node-Id", str(node.node))]

    answer = httpx.get(f"{world.hub.url}/v1/jobs/{job}/acquire", headers=twice, trust_env=False)

    problem(answer, 400)
    assert world.job(job)["status"] == "QUEUED"


def test_a_node_cannot_be_claimed_without_a_token(world: World) -> None:
    job, node = world.new_job(), world.new_node().node
    assert node is not None

    problem(world.nobody.as_node(node).acquire(job), 401)
    problem(world.nobody.as_node(node).get("/v1/nodes/ping"), 401)


# --- The form -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *("/v1", "/v1/", "/v2/jobs/1", "/v1/nothing", "/v1/jobs/x", "/v1/jobs/1.5"),
        *("/v1/jobs/1/nothing", "/v1/jobs/1/outputs", "/v1/jobs/-1", "/v1/jobs/0"),
        *(f"/v1/jobs/{2**63}", f"/v1/jobs/{2**64}", "/v1/jobs/" + "9" * 300, "/v1/job-types/x"),
    ],
)
def test_what_is_not_there_is_a_404_in_json(world: World, path: str) -> None:
    problem(world.admin.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", "/v1/jobs/list"), ("PUT", "/v1/jobs/list"), ("POST", "/v1/jobs/1/acquire")),
        *(("GET", "/v1/jobs/1/start"), ("GET", "/v1/jobs/1/finish"), ("POST", "/v1/jobs/1/abort")),
        *(("POST", "/v1/jobs/1"), ("GET", "/v1/job-types/list"), ("GET", "/v1/auth/obtain")),
        *(("PATCH", "/v1/job-outputs/list"), ("DELETE", "/v1/nodes/list"), ("TRACE", "/v1/jobs/1")),
    ],
)
def test_another_method_is_a_405_in_json(world: World, method: str, path: str) -> None:
    problem(world.admin.ask(method, path), 405, "method_not_allowed")


def test_a_body_of_another_type_is_a_415(world: World) -> None:
    job, node = world.running()
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    for client, path in (
        (node, f"/v1/jobs/{job}/finish"),
        (node, f"/v1/jobs/{job}/progress/0.5"),
        (world.viewer, "/v1/jobs/list"),
        (world.creator, "/v1/jobs"),
    ):
        problem(client.ask("POST", path, content=b"{}", headers=form), 415)
        problem(
            client.ask("POST", path, content=b"{}", headers={"Content-Type": "text/plain"}), 415
        )
    assert world.job(job)["status"] == "RUNNING"


def test_json_may_name_its_charset(world: World) -> None:
    typed = {"Content-Type": "application/json; charset=utf-8"}

    answer = world.viewer.ask("POST", "/v1/jobs/list", content=b"{}", headers=typed)

    assert answer.status_code == 200


def test_broken_json_says_so(world: World) -> None:
    typed = {"Content-Type": "application/json"}

    answer = world.viewer.ask("POST", "/v1/jobs/list", content=b'{"expressions": [', headers=typed)

    assert problem(answer, 400)["detail"].startswith("JSON parse error")


def test_a_field_error_names_its_field(world: World) -> None:
    said = problem(world.admin.post("/v1/job-types/create", {"pkg": "x", "cls": "x.Y"}), 400)

    assert said["name"] == ["This field is required."]


def test_an_output_that_is_not_there_is_a_400_for_the_clients(world: World) -> None:
    job = world.new_job()

    said = problem(world.viewer.get(f"/v1/jobs/{job}/outputs/x/t"), 400)

    assert said["detail"] == "Bad name 'x': Job has no output by this name/type (x/t)"


def test_a_wrong_password_and_an_unknown_name_answer_alike(world: World) -> None:
    answers = [
        world.nobody.post("/v1/auth/obtain", {"username": name, "password": "wrong-password"})
        for name in ("admin", "nobody at all")
    ]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].content == answers[1].content


def test_a_refresh_token_that_is_none_is_always_a_401(world: World) -> None:
    for token in ("", "x", world.worker.token):
        problem(world.nobody.post("/v1/auth/refresh", {"refresh": token}), 401, "token_not_valid")
