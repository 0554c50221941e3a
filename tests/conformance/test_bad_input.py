"""Bad input, from a generator with a fixed seed: it makes no fault, and it changes no job."""

import json
import random
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

import pytest

from tests.conformance.foreign import Client, Json
from tests.conformance.plain_socket import Stage, complaints, head, sent, with_body

SEED = 20_261_122


# --- JSON bodies ----------------------------------------------------------------------------------


Values = tuple[Json, ...]


class Route(NamedTuple):
    """A route that takes a JSON object.

    Attributes:
        fields: Its members, each with values of a kind that it cannot take.
        is_strict: Whether a member that it does not know is an error.
        takes_all: Whether any JSON object is right, an absent body too.
    """

    method: str
    path: str
    caller: str
    body: Json
    fields: dict[str, Values]
    is_strict: bool = False
    takes_all: bool = False


NO_TEXT: Values = (None, True, 0, -1.5, [], {}, ["x"], 2**64)
NO_FLAG: Values = (None, 0, 1, "true", [], {})
NO_NUMBER: Values = (None, True, "1", 1.5, -1, [], {}, 2**63, 2**64, 10**400)
NO_OBJECT: Values = (None, True, 0, "x", [], ["x"])
NO_LIST: Values = (None, True, 0, "x", {})

ROUTES = {
    "start": Route(
        *("POST", "/v1/jobs/{acquired}/start", "idle", {"send_notification": "email"}),
        {"send_notification": NO_TEXT},
    ),
    "finish": Route(
        *("POST", "/v1/jobs/{job}/finish", "node"),
        {"success": False, "send_notification": "email", "error": "it broke"},
        {"success": NO_FLAG, "send_notification": NO_TEXT, "error": (*NO_TEXT, "\0")},
    ),
    "progress": Route(*("POST", "/v1/jobs/{job}/progress/0.5", "node"), {}, {}, takes_all=True),
    "update": Route(
        *("PATCH", "/v1/jobs/{job}", "admin", {"description": "changed"}),
        {"description": (None, True, [], {}, "\0", "x" * 10_001)},
    ),
    "submit": Route(
        *("POST", "/v1/jobs", "creator"),
        {"template": "resize", "inputs": {"picture": "a"}, "description": "x", "priority": 5},
        {
            "template": (None, True, -1, 0, 1.5, [], {}, 2**63, 2**64, "", "\0"),
            "inputs": (*NO_OBJECT, {}, {"picture": 5}, {"picture": None}),
            "description": (*NO_TEXT, "\0"),
            "priority": (True, "1", 1.5, -1, [], {}, 2**63, 10**400),
        },
        is_strict=True,
    ),
    "create-job": Route(
        *("POST", "/v1/job-templates/{template}/create-job", "creator"),
        {"input_values": {"picture": {"value": "a", "type": "str"}}, "description": "x"},
        {
            "input_values": (
                *(*NO_OBJECT, {}, {"picture": "a"}, {"picture": {"value": "a"}}),
                *(
                    {"picture": {"value": 5, "type": "str"}},
                    {"picture": {"value": "a", "type": "?"}},
                ),
            ),
            "description": (*NO_TEXT, "\0"),
        },
        is_strict=True,
    ),
    "node": Route(
        *("POST", "/v1/nodes/create", "creator", {"ip": "10.9.9.9", "index": 7, "cpu_mem": 1}),
        {"ip": (*NO_TEXT, "", "\0", "1" * 40), "index": NO_NUMBER, "cpu_mem": NO_NUMBER},
    ),
    "job type": Route(
        *("POST", "/v1/job-types/create", "admin", {"name": "New", "pkg": "p", "cls": "p.New"}),
        {
            "name": (*NO_TEXT, "", " ", "\0", "x" * 65, "not a name", "str"),
            "pkg": (*NO_TEXT, "", "\0", "x" * 65),
            "cls": (*NO_TEXT, "", "\0", "x" * 257),
        },
    ),
    "framework": Route(
        *("POST", "/v1/frameworks/create", "admin", {"name": "new", "version": "1"}),
        {
            "name": (*NO_TEXT, "", " ", "\0", "x" * 33),
            "version": (*NO_TEXT, "", "\0", "x" * 33),
        },
        is_strict=True,
    ),
    "licence": Route(
        *("POST", "/v1/licences/create", "admin", {"name": "new", "url": "x", "domains": []}),
        {
            "name": (*NO_TEXT, "", "\0", "x" * 101, "MIT"),
            "url": (*NO_TEXT, "", "\0", "x" * 201),
            "domains": (*NO_LIST, [""], ["\0"], [5], [None], ["x" * 101], ["x"] * 101),
        },
        is_strict=True,
    ),
    "docker image": Route(
        *("PATCH", "/v1/docker/1", "admin", {"version": "new", "cpu": False}),
        {
            "version": (*NO_TEXT, "", "\0", "x" * 33, "0.25.0"),
            "registry_password": (*NO_TEXT[1:], "", "\0", "x" * 65),
            "cuda_version": (*NO_TEXT, "", "\0", "99.9", "11.1.0"),
            "framework": (*NO_NUMBER, 99, "pytorch"),
            "domain": (*NO_TEXT, "", "\0", "xx", "Speech"),
            "min_hardware_generation": (*NO_TEXT, "", "\0", "Pentium"),
            "tasks": (*NO_LIST, [""], ["a b"], ["\0"], [5]),
            "cpu": NO_FLAG,
            "licence": (*NO_TEXT, "", "\0", "none"),
        },
        is_strict=True,
    ),
    "template": Route(
        *("POST", "/v1/job-templates", "admin", {"name": "new", "version": 1, "inputs": {}}),
        {
            "name": (*NO_TEXT, "", "\0", "x" * 201),
            "version": (True, "1", 1.5, 0, -1, [], {}, 2**63, 10**400),
            "inputs": (*NO_OBJECT, {"x": "?"}, {"x": 5}, {"": "str"}),
        },
        is_strict=True,
    ),
    "account": Route(
        *("POST", "/v1/users/create", "admin"),
        {"username": "new", "password": "long-enough-1", "role": "user"},
        {
            "username": (*NO_TEXT, "", "\0", "x" * 151),
            "password": (*NO_TEXT, "", "x" * 129),
            "role": (*NO_TEXT, "", "root"),
        },
        is_strict=True,
    ),
    "sign-in": Route(
        *("POST", "/v1/auth/obtain", "nobody", {"username": "admin", "password": "x"}),
        {"username": NO_TEXT, "password": NO_TEXT},
    ),
    "list": Route(
        *("POST", "/v1/jobs/list", "viewer", {"expressions": [], "include_inactive": False}),
        {
            "expressions": (
                *(*NO_LIST, [{}], [[]], [{"type": "exact"}], [{"type": "isnull", "field": ""}]),
                [{"type": "exact", "field": "creator.password_hash", "value": "x"}],
                [{"type": "exact", "field": "pk", "value": 2**70}],
                [{"type": "compare", "field": "pk", "operator": "=", "value": 1}],
            ),
            "order_by": (*NO_LIST, [{}], [{"field": "nothing"}], [{"field": "creator__password"}]),
            "include_inactive": NO_FLAG,
        },
        is_strict=True,
    ),
}


def not_json(valid: bytes, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield bodies that no reader may take for a JSON object."""
    for cut in sorted(chance.sample(range(1, len(valid)), min(12, len(valid) - 1))):
        yield f"cut at {cut}", valid[:cut]
    for text in ("NaN", "Infinity", "-Infinity", "1e400", "null", "true", "5", '"x"', "[]", "[{}]"):
        yield text, text.encode()
    yield "a number that is none", b'{"x": NaN}'
    yield "an endless number", b'{"x": -Infinity}'
    yield "half a pair", b'{"x": "' + b"\\" + b'ud800"}'
    yield "a broken byte", b'{"x": "\xff"}'
    yield "an overlong NUL", b'{"x": "\xc0\x80"}'
    yield "a bare control character", b'{"x": "\x01"}'
    yield "two objects", b"{}{}"
    yield "a comma too much", b'{"x": 1,}'
    yield "single quotes", b"{'x': 1}"
    yield "a comment", b"{/* */}"
    yield "UTF-16", valid.decode().encode("utf-16")
    yield "UTF-32", valid.decode().encode("utf-32")
    yield "a mark of byte order", b"\xef\xbb\xbf" + valid
    yield "random bytes", chance.randbytes(200)
    yield "deep lists", b'{"x":' + b"[" * 1_000 + b"]" * 1_000 + b"}"
    yield "very deep lists", b"[" * 100_000
    yield "very deep objects", b'{"x":' * 50_000
    yield "too large", b'{"x": "' + b"x" * 2**20 + b'"}'


def odd_objects() -> Iterator[tuple[str, bytes]]:
    """Yield JSON objects that a strict route refuses, and that others must survive."""
    yield "an unknown member", b'{"__proto__": {"admin": true}}'
    yield "members twice", b'{"x": 1, "x": 2}'
    yield "an empty name", b'{"": 0}'
    yield "a NUL in a name", b'{"a\\u0000b": 0}'
    yield "a NUL in a text", b'{"x": "a\\u0000b"}'
    yield "a long number", b'{"x": ' + b"9" * 4_300 + b"}"
    yield "a longer number", b'{"x": ' + b"9" * 10_000 + b"}"
    yield "a number too large", b'{"x": 1e400}'
    yield "large whole numbers", json.dumps({"x": [2**53 + 1, 2**63, 2**64, -(2**63)]}).encode()
    yield "a minus zero", b'{"x": -0, "y": -0.0}'
    yield "many members", json.dumps({f"m{n}": n for n in range(50_000)}).encode()
    yield "many lists", b'{"x": [' + b"[]," * 50_000 + b"[]]}"
    yield "sixty levels", b'{"x":' + b"[" * 60 + b"]" * 60 + b"}"


def body_cases(stage: Stage, route: Route) -> Iterator[tuple[str, bytes, bool]]:
    world, chance = stage.world, random.Random(SEED)
    path = route.path.format(job=stage.job, acquired=stage.acquired, template=world.template)
    caller = getattr(stage if route.caller in ("node", "idle") else world, route.caller)

    def request(body: bytes) -> bytes:
        return with_body(route.method, path, caller, body)

    for name, body in not_json(json.dumps(route.body or {"x": 1}).encode(), chance):
        yield name, request(body), False
    takes_none = not route.fields or route.path.endswith("/list") or route.method == "PATCH"
    yield "no body", request(b""), takes_none
    for name, body in odd_objects():
        yield name, request(body), route.takes_all or route.method == "PATCH"
    for member, values in route.fields.items():
        for value in values:
            said = json.dumps(route.body | {member: value}).encode()
            yield f"{member} = {said[:60]!r}", request(said), False
    if route.is_strict:
        yield "a member more", request(json.dumps(route.body | {"more": 1}).encode()), False


@pytest.mark.parametrize("name", ROUTES)
def test_a_bad_body_is_refused_and_changes_nothing(stage: Stage, name: str) -> None:
    assert complaints(stage, body_cases(stage, ROUTES[name])) == []


# --- The progress in the path ---------------------------------------------------------------------

NO_PROGRESS = (
    *("1.5", "-0.1", "-0", "+0.5", "2", "1.0000001", "1e1", "1e400", "-1e-400", "nan", "NaN"),
    *("inf", "-inf", "Infinity", "0x1", "0x0.8p0", "0b1", "0o1", "1_0", "0_1", "0,5"),
    *("\u0660.\u0665", "\u0660", "\uff10.\uff15", "\xbd", "0.5.5", "0..5", "0.5e", "e5", "0.5e+"),
    *("1e5e5", "0.5f", "0.5 ", " 0.5", "0 .5", "0.5;1", "0.5\n", "0.5\0", "0.5\r\nX: y", "5%"),
    *("%", "%zz", "0.5%00", "null", "true", "[]", "{}", "x", "0.5+0.1", "1/2", "''", '"0.5"'),
    *("1 or 1=1", "\ufeff0.5", "0.5\u200b", "1j", "--0", "0-1", "-", "9" * 400, "1" + "0" * 400),
    *("1." + "0" * 399 + "1", "." * 400),
)


def test_what_is_no_progress_is_refused_and_changes_nothing(stage: Stage) -> None:
    def cases() -> Iterator[tuple[str, bytes, bool]]:
        for text in NO_PROGRESS:
            path = f"/v1/jobs/{stage.job}/progress/{quote(text, safe='')}"
            yield repr(text[:40]), with_body("POST", path, stage.node, b"{}"), False

    assert complaints(stage, cases()) == []


# --- Numbers and headers --------------------------------------------------------------------------

NO_NUMBERS = (
    *("0", "-1", "+1", "1.0", "1e3", "0x1", "1 or 1=1", "1;", "1'", "%00", "1%00", "\u0661"),
    *("\uff11", "\xb2", "null", "NaN", "true", "[]", "..", "%2e%2e", "1%2f..%2f2", "1_000", " 1"),
    *("1 ", "1\n", str(2**63), str(2**64), str(-(2**63)), str(10**40), "9" * 4_299, "9" * 4_301),
    *("9" * 20_000,),
)


def test_what_is_no_number_of_a_job_is_not_found(stage: Stage) -> None:
    def cases() -> Iterator[tuple[str, bytes, bool]]:
        for text in NO_NUMBERS:
            part = quote(text, safe="%")
            for method, rest in (("GET", ""), ("DELETE", "/cancel"), ("GET", "/events")):
                path = f"/v1/jobs/{part}{rest}"
                yield (
                    f"{method} {path[:60]}",
                    head(method, path, stage.world.admin) + b"\r\n",
                    False,
                )

    assert complaints(stage, cases()) == []


NO_NODES = (
    *("", " ", "0", "-1", "+1", "1.0", "1e0", "x", "1 or 1=1", "1,2", "1;2", "0x1", "null"),
    *("None", "\u0663", "\uff11", "\xff", "\x80\x81", str(2**63), str(2**64), "9" * 100),
    *("9" * 4_301, "1" * 60_000),
)


def test_a_node_id_that_is_none_is_refused_and_changes_nothing(stage: Stage) -> None:
    path = f"/v1/jobs/{stage.job}/progress/0.5"
    bare = Client(stage.world.http, stage.world.worker.token)

    def cases() -> Iterator[tuple[str, bytes, bool]]:
        for text in NO_NODES:
            yield repr(text[:40]), head("POST", path, bare, f"Node-Id: {text}") + b"\r\n", False
        mine = f"Node-Id: {stage.node.node}"
        yield "twice", head("POST", path, bare, mine, mine) + b"\r\n", False
        yield "another first", head("POST", path, bare, "Node-Id: 1", mine) + b"\r\n", False
        foreign = stage.world.new_node(stage.world.stranger).node
        yield "another's", head("POST", path, bare, f"Node-Id: {foreign}") + b"\r\n", False

    # A head of 60,000 bytes may be refused before anybody can answer in JSON.
    short = [case for case in cases() if len(case[1]) < 10_000]
    long = [case for case in cases() if len(case[1]) >= 10_000]
    assert complaints(stage, iter(short)) == []
    assert complaints(stage, iter(long), in_json=False) == []


NO_AUTHORIZATION = (
    *("", " ", "Bearer", "Bearer ", "Bearer  ", "bearer", "Basic eDp4", "Bearer x", "Token x"),
    *("Bearer null", "Bearer undefined", "Bearer ' or 1=1 --", "Bearer \xff\xfe", "Bearer \x80"),
    *("Bearer " + "x" * 5_000, "Bearer " + "a." * 500, "Digest username=admin"),
    *("Bearer x, Bearer y",),
)


def test_an_authorization_that_is_none_is_a_401(stage: Stage) -> None:
    path = f"/v1/jobs/{stage.job}/cancel"
    world = stage.world
    for text in NO_AUTHORIZATION:
        request = head("DELETE", path, world.nobody, f"Authorization: {text}") + b"\r\n"
        answer = sent(world, request)
        assert (answer.status, answer.complaint()) == (401, ""), text
    mine = f"Authorization: Bearer {world.admin.token}"
    twice = sent(world, head("DELETE", path, world.nobody, mine, mine) + b"\r\n")
    assert 400 <= twice.status < 500
    assert world.job(stage.job)["status"] == "RUNNING"


def test_a_parameter_of_the_query_never_makes_a_fault(stage: Stage) -> None:
    chance = random.Random(SEED)
    names = (
        *("after", "limit", "cursor", "order", "status", "label", "created_after", "node"),
        "x" * 99,
    )
    texts = (
        *("", "%00", "%ff", "-1", "1e9", "0000-00-00", "9999-12-31T23:59:60Z", "{}", "'"),
        "9" * 5_000,
    )

    def cases() -> Iterator[tuple[str, bytes, bool]]:
        for _ in range(120):
            query = "&".join(
                f"{chance.choice(names)}={chance.choice(texts)}"
                for _ in range(chance.randint(1, 4))
            )
            path = chance.choice(["/v1/events", "/v1/jobs", f"/v1/jobs/{stage.job}/events"])
            request = head("GET", f"{path}?{query}", stage.world.viewer) + b"\r\n"
            yield f"{path}?{query[:80]}", request, True

    assert complaints(stage, cases()) == []
