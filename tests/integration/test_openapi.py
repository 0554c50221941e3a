"""The API's description is complete, true, and readable without a network."""

import copy
import re
import shlex
from collections.abc import AsyncIterator, Callable, Iterator
from html import escape, unescape
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
from litestar import Litestar

from channels.events import About, Event
from hub.api import problems
from hub.api.contract import (
    EMPTY,
    FILTER,
    ONLY_STREAMED,
    OTHER_FORMS,
    REQUESTS,
    STREAMED,
    TAGS,
)
from hub.api.examples import EXAMPLES, MESSAGE, STREAM_EXAMPLES
from hub.api.openapi import answer_kinds, document
from hub.api.schema_page import SchemaPage
from hub.app import create_app
from hub.auth.permissions import NOBODY_CREATES, PERMISSIONS
from hub.live.frames import payload_of
from hub.live.ufdl import Messages
from hub.settings import load
from orm.filters import fields
from tests.integration.conftest import HubClient, Json

OF_THE_PAGE = {"home", "api_page", "api_schema", "api_live_schema", "api_style"}
OF_SIGNING_IN = {"ui_page", "ui_sign_in", "ui_sign_out"}
SOCKETS = {"jobs_watch", "stream"}
LISTED = {
    "users_list": fields.USERS,
    "nodes_list": fields.NODES,
    "hardware_list": fields.HARDWARE,
    "cuda_list": fields.CUDA,
    "frameworks_list": fields.FRAMEWORKS,
    "domains_list": fields.DOMAINS,
    "licences_list": fields.LICENCES,
    "docker_list": fields.DOCKER,
    "job_types_list": fields.JOB_TYPES,
    "job_contracts_list": fields.JOB_CONTRACTS,
    "job_templates_list": fields.JOB_TEMPLATES,
    "jobs_list": fields.JOBS,
    "job_outputs_list": fields.JOB_OUTPUTS,
}
STORY = [
    "hardware_create",
    "hardware_list",
    "cuda_create",
    "cuda_list",
    "frameworks_create",
    "frameworks_list",
    "job_types_values",
    "domains_list",
    "domains_retrieve",
    "licences_create",
    "licences_list",
    "licences_subdescriptors",
    "docker_create",
    "docker_list",
    "docker_partial_update",
    "docker_retrieve",
    "job_types_create",
    "job_types_list",
    "job_contracts_create",
    "job_contracts_list",
    "users_create",
    "users_retrieve",
    "users_list",
    "tokens_create",
    "tokens_list",
    "tickets_create",
    "auth_session_end",
    "job_templates_declare",
    "job_templates_list",
    "job_templates_import",
    "job_templates_export",
    "job_templates_matching",
    "job_templates_parameters",
    "job_templates_types",
    "job_templates_outputs",
    "nodes_create",
    "nodes_partial_update",
    "nodes_list",
    "nodes_ping",
    "jobs_submit",
    "job_templates_create_job",
    "jobs_list",
    "jobs_page",
    "jobs_acquire",
    "jobs_start",
    "jobs_progress",
    "outputs_add",
    "outputs_head",
    "outputs_get",
    "outputs_info",
    "jobs_finish",
    "jobs_partial_update",
    "jobs_retrieve",
    "jobs_events",
    "jobs_executions",
    "jobs_quarantine",
    "events_list",
    "job_outputs_list",
    "job_outputs_retrieve",
    "job_outputs_download",
    "job_outputs_destroy",
    "job_templates_partial_update",
    "job_templates_update",
    "audit_list",
    "health_live",
    "health_ready",
]
"""Calls that can be made one after the other, each with its example."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    return create_app(load({}, data=str(tmp_path_factory.mktemp("data"))))


@pytest.fixture
async def anybody(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without a token, at a hub whose database is closed."""
    transport = httpx.ASGITransport(app=cast(Any, app))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        yield client


@pytest.fixture(scope="module")
def described(app: Litestar) -> Json:
    return document(frozenset(app.dependencies))


@pytest.fixture(scope="module")
def page(described: Json) -> str:
    return SchemaPage(described).html()


# --- What a complete description is ---------------------------------------------------------------


def operations(described: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in described["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def offences(described: Json) -> list[str]:
    """Return what is missing or wrong, each with the operation it belongs to."""
    found = [f"nothing is at {reference}" for reference in sorted(dangling(described))]
    seen: set[str] = set()
    for path, method, operation in operations(described):
        name = operation.get("operationId", f"{method} {path}")
        problems = [*wrong_with(described, path, method, operation)]
        problems += ["is named twice"] if name in seen else []
        seen.add(name)
        found += [f"{name}: {problem}" for problem in problems]
    return found


def dangling(described: Json) -> set[str]:
    """Return the references that lead nowhere."""
    return {target for target in references(described) if not leads_somewhere(described, target)}


def leads_somewhere(described: Json, target: str) -> bool:
    place: Any = described
    for step in target.removeprefix("#/").split("/"):
        if step not in place:
            return False
        place = place[step]
    return True


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        mapping = node.get("discriminator", {}).get("mapping", {})
        yield from mapping.values()
        for name, part in node.items():
            if name not in {"example", "default", "enum"}:
                yield from references(part)
    elif isinstance(node, list):
        for part in node:
            yield from references(part)


def wrong_with(described: Json, path: str, method: str, operation: Json) -> Iterator[str]:
    action = operation.get("operationId")
    if action not in PERMISSIONS:
        yield "has no operation id that the table of permissions knows"
        return
    permission = PERMISSIONS[action]
    if permission.sentence not in operation["description"]:
        yield "does not say who may"
    if bool(operation["security"]) != bool(permission.roles):
        yield "says wrongly whether it needs an account"
    if not operation["summary"] or set(operation["tags"]) - set(TAGS):
        yield "has no summary or a tag that is not introduced"
    if declared(described, operation, "path") != set(re.findall(r"{(\w+)}", path)):
        yield "does not declare exactly the parameters of its path"
    if ("Node-Id" in declared(described, operation, "header")) != bool(permission.roles):
        yield "says wrongly whether a node may call"
    yield from wrong_with_request(action, method, operation)
    yield from wrong_with_answers(described, action, method, operation)


def declared(described: Json, operation: Json, where: str) -> set[str]:
    named = described["components"]["parameters"]
    given = [
        named.get(one["$ref"].rpartition("/")[2], {}) if "$ref" in one else one
        for one in operation["parameters"]
    ]
    return {one["name"] for one in given if one.get("in") == where}


def wrong_with_request(action: str, method: str, operation: Json) -> Iterator[str]:
    takes_one = method in {"post", "put", "patch"}
    if takes_one and action not in REQUESTS:
        yield "has a method with a body, and no request type"
    if not takes_one and "requestBody" in operation:
        yield "has a body that its method does not have"
    if takes_one and PERMISSIONS[action] is not NOBODY_CREATES:
        yield from wrong_with_content("request", operation.get("requestBody", {}))


def wrong_with_answers(described: Json, action: str, method: str, operation: Json) -> Iterator[str]:
    answers = operation["responses"]
    for status in {"401", "403"} if PERMISSIONS[action].roles else ():
        if status not in answers:
            yield f"does not answer {status}"
    good = {status: answer for status, answer in answers.items() if status in {"200", "201", "204"}}
    if len(good) != (PERMISSIONS[action] is not NOBODY_CREATES):
        yield "does not have one good answer"
    for status, answer in good.items():
        has_body = status != "204" and method != "head" and action not in EMPTY
        if has_body:
            yield from wrong_with_content("answer", answer, forms_of(action))
        elif "content" in answer:
            yield f"has a body with {status}"


def forms_of(action: str) -> int:
    """Return how many forms an answer has."""
    streams = len(STREAM_EXAMPLES) if action in STREAMED else 0
    return 1 + (action in OTHER_FORMS) + streams - (action == ONLY_STREAMED)


def wrong_with_content(what: str, holder: Json, forms: int = 1) -> Iterator[str]:
    content = holder.get("content", {})
    if len(content) != forms:
        yield f"has no {what} type"
    for shown in content.values():
        if not shown.get("schema"):
            yield f"has no {what} type"
        if shown.get("example") is None:
            yield f"has no {what} example"


def test_the_description_is_complete(described: Json) -> None:
    assert offences(described) == []


def test_it_describes_every_route_but_sockets_and_its_own(described: Json) -> None:
    named = {operation["operationId"] for _, _, operation in operations(described)}
    assert named == set(PERMISSIONS) - OF_THE_PAGE - OF_SIGNING_IN - SOCKETS


Breakage = Callable[[Json], Any]
START = ("/v1/jobs/{pk}/start", "post")
BREAKAGES: dict[str, Breakage] = {
    "jobs_start: has no request type": lambda start: start.pop("requestBody"),
    "jobs_start: has no answer type": lambda start: start["responses"]["200"].pop("content"),
    "jobs_start: has no request example": lambda start: start["requestBody"]["content"][
        "application/json"
    ].pop("example"),
    "jobs_start: has no answer example": lambda start: start["responses"]["200"]["content"][
        "application/json"
    ].pop("example"),
    "post /v1/jobs/{pk}/start: has no operation id that the table of permissions knows": (
        lambda start: start.pop("operationId")
    ),
    "jobs_finish: is named twice": lambda start: start.update(operationId="jobs_finish"),
    "jobs_start: does not say who may": lambda start: start.update(description="Begin to work."),
    "jobs_start: says wrongly whether it needs an account": lambda start: start.update(security=[]),
    "jobs_start: does not declare exactly the parameters of its path": (
        lambda start: start["parameters"].pop(0)
    ),
    "jobs_start: says wrongly whether a node may call": lambda start: start["parameters"].pop(),
    "jobs_start: does not answer 401": lambda start: start["responses"].pop("401"),
    "nothing is at #/components/responses/Gone away": lambda start: start["responses"].update(
        {"410": {"$ref": "#/components/responses/Gone away"}}
    ),
}


@pytest.mark.parametrize("offence", BREAKAGES)
def test_what_is_missing_is_noticed(described: Json, offence: str) -> None:
    broken = copy.deepcopy(described)
    path, method = START
    BREAKAGES[offence](broken["paths"][path][method])

    assert offence in offences(broken)


def test_the_tables_hold_nothing_that_is_no_call(described: Json) -> None:
    named = {operation["operationId"] for _, _, operation in operations(described)}
    used = {tag for _, _, operation in operations(described) for tag in operation["tags"]}

    assert (set(REQUESTS) | set(EXAMPLES) | set(OTHER_FORMS)) - named == set()
    assert set(TAGS) == used


# --- What a true description is -------------------------------------------------------------------


@pytest.mark.parametrize("action", [name for name, body in REQUESTS.items() if body])
def test_an_example_of_a_request_is_one(action: str) -> None:
    body = REQUESTS[action]
    sent = EXAMPLES[action].request
    assert body is not None
    if body.kind is bytes:
        assert isinstance(sent, str)
        return
    assert msgspec.json.decode(msgspec.json.encode(sent), type=body.kind) is not None
    assert set(body.required) - set(sent) == set()


def test_an_example_of_an_answer_is_one(app: Litestar) -> None:
    for action, kind in answer_kinds(app).items():
        example = EXAMPLES.get(action)
        if example is None or example.response is None or kind is bytes:
            continue
        assert_is_one(example.answer(), kind)


def test_an_example_of_another_form_of_an_answer_is_one() -> None:
    for action, (_, kind) in OTHER_FORMS.items():
        assert_is_one(EXAMPLES[action].other, kind)


def assert_is_one(example: Any, kind: Any) -> None:
    on_the_wire = msgspec.json.encode(example)
    assert msgspec.json.encode(msgspec.json.decode(on_the_wire, type=kind)) == on_the_wire


def test_an_example_of_a_filter_names_fields_that_there_are() -> None:
    assert set(LISTED) == {action for action, body in REQUESTS.items() if body is FILTER}
    for action, resource in LISTED.items():
        spec = EXAMPLES[action].request
        named = [*spec.get("expressions", ()), *spec.get("order_by", ())]
        assert {one["field"] for one in named} - set(resource.fields) == set()


def test_every_code_that_has_a_status_of_its_own_is_known(described: Json) -> None:
    known = set(described["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])
    own = {*problems.STATUS_OF_CODE, *problems.CODE_OF_STATUS.values()}
    own |= {*problems.STORAGE_CODES.values(), "internal"}
    assert own - known == set()
    assert known & {"bad_settings", "folder_in_use", "weak_password"} == set()


def test_the_message_of_the_socket_is_the_one_that_is_sent(described: Json) -> None:
    event = Event(
        gseq=945,
        job=7,
        seq=4,
        tseq=3,
        kind="p",
        type="progress",
        time_us=0,
        from_status="RUNNING",
        to_status="RUNNING",
        attempt=1,
        node=3,
        progress=0.25,
        data=b'{"comment":"decoded"}',
        about=About("front page", 1, None, None, "{}"),
    )
    frame = Messages("k3p9").of_event(event)
    assert frame is not None
    sent = payload_of(frame)
    assert sent is not None
    text = described["info"]["description"]
    shown = re.findall(r"```json\n(.*?)\n```", text, re.DOTALL)

    assert "ws /v1/jobs/{pk}" in text
    assert msgspec.json.decode(sent) == MESSAGE == msgspec.json.decode(shown[0])


async def test_who_needs_an_account_and_has_none_gets_401(
    anybody: httpx.AsyncClient, described: Json
) -> None:
    for path, method, operation in operations(described):
        if operation["security"]:
            answer = await anybody.request(method, re.sub(r"{\w+}", "1", path))
            assert (operation["operationId"], answer.status_code) == (operation["operationId"], 401)


async def test_the_examples_work_and_are_answered_as_described(
    hub_client: HubClient, described: Json
) -> None:
    found = {one["operationId"]: (path, how, one) for path, how, one in operations(described)}
    kinds = answer_kinds(hub_client.app)
    for action in STORY:
        path, method, operation = found[action]
        answer = await send(hub_client, path, method, operation)

        good = next(status for status in operation["responses"] if status.startswith("2"))
        assert (action, answer.status_code) == (action, int(good)), answer.text
        check_answer(operation["responses"][good], kinds[action], answer)
        if action in OTHER_FORMS:
            media_type, kind = OTHER_FORMS[action]
            answer = await send(hub_client, path, method, operation, {"Accept": media_type})
            assert answer.headers["content-type"] == media_type
            check_answer(operation["responses"][good], kind, answer)


async def send(
    hub_client: HubClient,
    path: str,
    method: str,
    operation: Json,
    said: dict[str, str] | None = None,
) -> httpx.Response:
    """Make the example call as an administrator's node; all numbers are those of a new hub."""
    values = {
        one["name"]: str(one["example"]) for one in operation["parameters"] if "example" in one
    } | {"pk": "1"}
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", httpx.URL(path="/" + value).raw_path.decode()[1:])
    needs_node = PERMISSIONS[operation["operationId"]].needs_node
    headers = (said or {}) | ({"Node-Id": "1"} if needs_node else {})
    content = b""
    for media_type, shown in operation.get("requestBody", {}).get("content", {}).items():
        headers["Content-Type"] = media_type
        sent = shown["example"]
        content = sent.encode() if isinstance(sent, str) else msgspec.json.encode(sent)
    return await hub_client.admin.request(method.upper(), path, content=content, headers=headers)


def check_answer(described: Json, kind: Any, answer: httpx.Response) -> None:
    forms = [form for form in described.get("content", {}) if form not in STREAM_EXAMPLES]
    if forms:
        assert answer.headers["content-type"].partition(";")[0] in forms
    for name in described["headers"]:
        assert name in answer.headers or name == "X-Hub-Truncated"
    if kind is not None and kind is not bytes:
        msgspec.json.decode(answer.content, type=kind)
    elif kind is None:
        assert answer.content == b""


async def test_what_is_always_refused_is_described_so(
    hub_client: HubClient, described: Json
) -> None:
    refused = [
        (path, method, operation)
        for path, method, operation in operations(described)
        if PERMISSIONS[operation["operationId"]] is NOBODY_CREATES
    ]
    assert refused
    for path, method, operation in refused:
        answer = await hub_client.admin.request(method.upper(), path.replace("{pk}", "1"))
        assert answer.status_code == 403
        assert "403" in operation["responses"]


# --- What people can read -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/schema", "text/html; charset=utf-8"),
        ("/schema/", "text/html; charset=utf-8"),
        ("/schema/openapi.json", "application/json"),
        ("/schema/asyncapi.json", "application/json"),
        ("/schema/style.css", "text/css; charset=utf-8"),
    ],
)
async def test_the_description_can_be_had_without_an_account(
    anybody: httpx.AsyncClient, path: str, media_type: str
) -> None:
    got = await anybody.get(path)
    head = await anybody.head(path)

    assert (got.status_code, got.headers["content-type"]) == (200, media_type)
    assert (head.status_code, head.headers["content-type"]) == (200, media_type)
    assert head.headers["content-length"] == str(len(got.content))


async def test_the_document_is_what_is_served(anybody: httpx.AsyncClient, described: Json) -> None:
    served = (await anybody.get("/schema/openapi.json")).content
    assert served == msgspec.json.encode(described)


@pytest.mark.parametrize("path", ["/schema/openapi.json", "/schema/asyncapi.json"])
async def test_who_has_a_document_is_not_sent_it_again(
    anybody: httpx.AsyncClient, path: str
) -> None:
    first = await anybody.get(path)
    tag = first.headers["etag"]
    again = await anybody.get(path, headers={"If-None-Match": f'"other", {tag}'})
    other = await anybody.get(path, headers={"If-None-Match": '"other"'})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (other.status_code, other.content) == (200, first.content)


async def test_home_leads_to_the_page(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, "/schema")


async def test_behind_a_proxy_with_a_prefix_every_link_begins_with_it(tmp_path: Path) -> None:
    settings = {"HUB_PUBLIC_URL": "https://example.org/jobs/hub"}
    app = create_app(load(settings, data=str(tmp_path)))
    transport = httpx.ASGITransport(app=cast(Any, app))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        home, page = await client.get("/"), await client.get("/schema")

    assert home.headers["location"] == "/jobs/hub/schema"
    links = re.findall(r"(?:href|action)=\"(/[^\"]*)\"", page.text)
    assert links
    assert {link for link in links if not link.startswith("/jobs/hub/schema")} == set()


async def test_what_is_not_there_is_a_problem_below_schema_too(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.get("/schema/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_page_shows_every_call(page: str, described: Json) -> None:
    for path, method, operation in operations(described):
        assert f'<span class="method {method}">{method.upper()}</span> <code>{path}</code>' in page
        assert f'<div id="{operation["operationId"]}">' in page
        assert escape(PERMISSIONS[operation["operationId"]].sentence) in page


def test_the_page_needs_nothing_from_elsewhere(page: str) -> None:
    fetched = re.findall(r"(?:src|href|action)=\"([^\"]*)\"", page)
    assert {one for one in fetched if not one.startswith("#")} == {
        "data:,",
        "/schema",
        "/schema/style.css",
        "/schema/openapi.json",
        "/schema/asyncapi.json",
    }
    assert "://" not in page
    assert "<script" not in page
    assert "<style" not in page
    assert not re.search(r"<[^>]+\s(?:on\w+|style)=", page)


async def test_the_style_needs_nothing_from_elsewhere(anybody: httpx.AsyncClient) -> None:
    style = (await anybody.get("/schema/style.css")).text
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style


def test_every_link_inside_the_page_leads_somewhere(page: str) -> None:
    places = re.findall(r'\sid="([^"]+)"', page)
    assert len(places) == len(set(places))
    assert set(re.findall(r'href="#([^"]+)"', page)) - set(places) == set()


async def test_a_browser_is_told_to_run_nothing(anybody: httpx.AsyncClient) -> None:
    policy = (await anybody.get("/schema")).headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "unsafe" not in policy


async def test_a_search_shows_the_calls_that_have_all_its_words(
    anybody: httpx.AsyncClient,
) -> None:
    html = (await anybody.get("/schema", params={"q": "Acquire POST"})).text
    assert "0 of" in html

    html = (await anybody.get("/schema", params={"q": "Acquire job get"})).text
    assert '<details open><summary><h3><span class="method get">GET' in html
    assert "/v1/jobs/{pk}/acquire" in html
    assert "/v1/auth/obtain</code></h3>" not in html


async def test_a_search_cannot_put_anything_into_the_page(anybody: httpx.AsyncClient) -> None:
    html = (await anybody.get("/schema", params={"q": '"><script>{about}</script>'})).text
    assert "<script" not in html
    assert 'value="&quot;&gt;&lt;script&gt;{about}&lt;/script&gt;"' in html


async def test_a_search_for_a_novel_is_refused(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.get("/schema", params={"q": "x" * 201})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (
            "jobs_start",
            [
                *("curl", "-X", "POST", "-H", "Authorization: Bearer $TOKEN", "-H", "Node-Id: 3"),
                *("-H", "Content-Type: application/json", "--data", '{"send_notification": ""}'),
                "$HUB/v1/jobs/7/start",
            ],
        ),
        (
            "outputs_info",
            [
                *("curl", "-H", "Authorization: Bearer $TOKEN"),
                "$HUB/v1/jobs/7/outputs/thumbnail/BLOB%3C%27png%27%3E/info",
            ],
        ),
        ("health_live", ["curl", "$HUB/health/live"]),
    ],
)
def test_a_call_can_be_copied_into_a_shell(page: str, action: str, words: list[str]) -> None:
    after = page.partition(f'<div id="{action}">')[2]
    line = re.search(r'<pre class="call">(.*?)</pre>', after, re.DOTALL)
    assert line is not None
    assert shlex.split(unescape(line[1])) == words
