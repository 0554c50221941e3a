"""Every operation, called as nobody should: no fault, no half change, no wait, no secret told."""

import random
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from hub.auth.permissions import ADMINS, PERMISSIONS
from tests.conformance.foreign import good
from tests.conformance.hub_process import PASSWORD as ADMIN_PASSWORD
from tests.fuzz.calls import METHODS, Call, every_call
from tests.fuzz.filters import filters
from tests.fuzz.ground import PASSWORD, Ground
from tests.fuzz.hostile import SEED
from tests.fuzz.operations import Operation
from tests.fuzz.roles import DONE, callers, expected
from tests.fuzz.scenes import SCENES, Scene
from tests.fuzz.walk import Walker

UNDESCRIBED = frozenset(
    {
        *("home", "api_page", "api_schema", "api_live_schema", "api_style"),
        *("jobs_watch", "stream"),
        *("ui_page", "ui_sign_in", "ui_sign_out"),
    }
)
"""Pages for people, and the socket: OpenAPI has no words for it."""

SOME = 12
"""How many of an operation's hostile calls every run makes; the nightly one makes them all."""

Operations = dict[str, Operation]


def test_every_operation_has_a_scene(operations: Operations) -> None:
    assert set(SCENES) == set(operations) == set(PERMISSIONS) - UNDESCRIBED


# --- Hostile calls --------------------------------------------------------------------------------


def walked(ground: Ground, operation: Operation, calls: list[Call]) -> list[str]:
    walker = Walker(ground, operation)
    walker.walk(calls)
    ground.tidy()
    return walker.found


def hostile_calls(ground: Ground, operation: Operation) -> list[Call]:
    return list(every_call(operation, SCENES[operation.action](ground).body))


@pytest.mark.parametrize("action", SCENES)
def test_a_hostile_call_is_refused_and_changes_nothing(
    ground: Ground, operations: Operations, action: str
) -> None:
    calls = hostile_calls(ground, operations[action])
    chance = random.Random(f"{SEED} {action}")

    assert walked(ground, operations[action], chance.sample(calls, min(SOME, len(calls)))) == []


@pytest.mark.nightly
@pytest.mark.parametrize("action", SCENES)
def test_no_hostile_call_at_all_does_harm(
    ground: Ground, operations: Operations, action: str
) -> None:
    assert walked(ground, operations[action], hostile_calls(ground, operations[action])) == []


def test_a_method_that_a_path_does_not_have_is_refused(
    ground: Ground, operations: Operations
) -> None:
    places = {place for operation in operations.values() for place in operation.places}
    anywhere = Scene(ground.world.admin, dict.fromkeys(places, "1"))
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in operations.values():
        # An account is one place, by number or by name.
        by_path.setdefault(operation.path.replace("{who}", "{pk}"), {})[operation.method] = (
            operation
        )
    before = ground.state()
    for known in by_path.values():
        walker = Walker(ground, next(iter(known.values())))
        for method in METHODS:
            if method not in known:
                walker.make(anywhere, Call(method, method=method, statuses=(405,)))
        assert walker.found == []
    assert ground.state() == before


@pytest.mark.parametrize("order", ["-created", "created", "-modified", "modified", "priority"])
def test_a_cursor_that_was_tampered_with_does_no_harm(
    ground: Ground, operations: Operations, order: str
) -> None:
    for _ in range(3):
        ground.job()
    page = good(ground.world.viewer.get(f"/v1/jobs?limit=2&order={order}"))
    queries = [
        Call(text, query=f"?limit=2&order={order}&cursor={text}") for text in tampered(page["next"])
    ]
    assert walked(ground, operations["jobs_page"], queries) == []


def test_a_place_in_the_log_that_was_tampered_with_does_no_harm(
    ground: Ground, operations: Operations
) -> None:
    for action in ("events_list", "jobs_events"):
        calls = [Call(text, query=f"?after={text}") for text in tampered(ground.world.head())]
        assert walked(ground, operations[action], calls) == []


def tampered(cursor: str) -> Iterator[str]:
    chance = random.Random(SEED)
    yield from (cursor[:end] for end in range(len(cursor)))
    yield from (cursor + more for more in ("A", "=", "====", "%00", "."))
    for _ in range(40):
        letters = list(cursor)
        letters[chance.randrange(len(letters))] = chance.choice("ABCxyz0189-_+/=:. ~%\u0663")
        yield quote("".join(letters))


# --- Filters --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [140, pytest.param(5_000, marks=pytest.mark.nightly)])
def test_any_filter_is_answered_or_refused(
    ground: Ground, operations: Operations, count: int
) -> None:
    ground.output()
    ground.failed()
    for action, listed in filters(count):
        walker = Walker(ground, operations[action])
        scene = SCENES[action](ground)
        for number, said in enumerate(listed):
            walker.make(scene._replace(body=said), Call(f"filter {number} {said}"))
        assert walker.found == []
    ground.tidy()


# --- Who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [name for name in SCENES if PERMISSIONS[name].roles])
def test_every_caller_gets_what_the_table_of_permissions_says(
    ground: Ground, operations: Operations, action: str
) -> None:
    walker = Walker(ground, operations[action])
    scene = SCENES[action](ground)
    found = []
    ground.noted()
    for caller in (*callers(ground), None):
        client = scene.caller if caller is None else caller.client
        answer = walker.make(scene._replace(caller=client), Call(str(caller)))
        promised = expected(action, caller)
        got = DONE if 200 <= answer.status < 300 else answer.status
        if got != promised:
            found.append(f"{caller}: {answer.status}, not {promised}: {answer.body[:200]!r}")
        noted = ground.noted()
        if got == DONE:
            scene = SCENES[action](ground)
            ground.noted()
        if noted if got != DONE else is_privileged(operations[action]) and not noted:
            found.append(f"{caller}: {answer.status}, and the audit says {noted}")
    ground.tidy()

    assert found + walker.found == []


def is_privileged(operation: Operation) -> bool:
    """Whether it changes what only administrators may."""
    is_look = operation.method == "GET" or operation.action.endswith("_list")
    return operation.permission.roles == ADMINS and not is_look


# --- Secrets and the log --------------------------------------------------------------------------


def test_no_secret_is_told_by_the_log_the_audit_or_the_events(ground: Ground) -> None:
    world = ground.world
    made = good(world.creator.post("/v1/tokens", {"name": "canary", "expires_in_s": 60}), 201)
    account = ground.new("users")
    good(world.admin.patch(f"/v1/users/{account}", {"password": PASSWORD + " two"}))
    world.admin.patch(f"/v1/users/{account}", {"password": PASSWORD, "unknown": PASSWORD})
    world.nobody.post("/v1/auth/obtain", {"username": "viewer", "password": PASSWORD})
    world.nobody.post("/v1/auth/obtain", {"username": "viewer", "password": [PASSWORD]})
    ground.with_token(PASSWORD.replace(" ", "_")).get(f"/v1/jobs?token={quote(PASSWORD)}")
    clients = (world.admin, world.creator, world.worker, world.stranger, world.viewer)
    secrets = [
        *(PASSWORD, PASSWORD.replace(" ", "_"), quote(PASSWORD), ADMIN_PASSWORD, "$argon2"),
        *("viewer-password", "creator-password", made["token"], ground.refresh),
        *(client.token for client in clients if client.token),
    ]

    events = world.admin.get("/v1/events?limit=1000").text
    told = {"log": ground.said(), "audit": str(ground.audit()), "events": events}

    assert [(where, it) for where, text in told.items() for it in secrets if it in text] == []


def test_the_log_stays_as_it_was_set_whatever_is_looked_at(ground: Ground) -> None:
    for path in ("/schema", "/schema/openapi.json", "/schema?q=jobs", "/health/ready"):
        assert ground.world.nobody.get(path).status_code == 200
    ground.world.nobody.post("/v1/auth/obtain", {"username": "who?", "password": "x"})

    lines = [line for line in ground.said().splitlines() if "sign_in.refused" in line]
    end = " INFO hub.auth sign_in.refused address=127.0.0.1"
    assert lines
    assert [line for line in lines if not line.endswith(end)] == []
