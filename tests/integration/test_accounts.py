"""Accounts, sign-in, tokens and the audit over REST, on both databases."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from msgspec.structs import replace

from hub import clock
from hub.app import Hub
from hub.auth import passwords
from hub.auth.account_rules import blank
from hub.auth.accounts import HUB, Accounts
from hub.auth.sign_in import ACCOUNT_FAILURES, ADDRESS_FAILURES
from hub.auth.tokens import Tokens
from hub.errors import InvalidInput, TokenNotValid
from hub.settings import load
from hub.wire.accounts import UserPatchIn
from orm.engine import bind
from orm.queries import accounts as queries
from orm.queries.audit import link
from tests.apps import app_for
from tests.integration import KINDS, Copies, copies, migrated

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]

PASSWORD = "a password of theirs"
HASH = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash(PASSWORD)
ADMIN, ADA, VIC = 1, 2, 3
"""Numbers of the accounts that every world has: an administrator, a user, a viewer."""


class World:
    """A hub in this process, and people who call it."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.hub: Hub = app.state.hub
        self.tokens: dict[int, str] = {}
        self._http = self.caller("127.0.0.1")

    def caller(self, address: str) -> httpx.AsyncClient:
        """A client of its own at ``address``."""
        transport = httpx.ASGITransport(self.app, client=(address, 50_000))
        return httpx.AsyncClient(transport=transport, base_url="http://hub")

    async def people(self) -> None:
        """Make the accounts, and an access token for each, without a hash or a sign-in."""
        for name, role in (("admin", "admin"), ("ada", "user"), ("vic", "viewer")):
            row = replace(blank(1), username=name, role=role, password_hash=HASH)
            made = await queries.add_user(row)
            assert made is not None
            self.tokens[made.pk] = await self.hub.tokens.issue(
                "access", made.pk, f"session-{made.pk}"
            )

    async def call(
        self, method: str, path: str, body: Any = None, *, as_: int | str | None = ADMIN
    ) -> httpx.Response:
        """Call as one of the people, or with a token, or without any."""
        token = self.tokens[as_] if isinstance(as_, int) else as_
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        content = None if body is None else msgspec.json.encode(body)
        return await self._http.request(method, path, content=content, headers=headers)

    async def obtain(self, username: str, password: str = PASSWORD) -> httpx.Response:
        body = {"username": username, "password": password}
        return await self.call("POST", "/v1/auth/obtain", body, as_=None)

    async def signed_in(self, username: str, password: str = PASSWORD) -> Json:
        answer = await self.obtain(username, password)
        assert answer.status_code == 200, answer.text
        signed_in: Json = answer.json()
        return signed_in

    async def audited(self, *, behind: int = 0) -> list[Json]:
        answer = await self.call("GET", f"/v1/audit?after={behind}&limit=1000")
        assert answer.status_code == 200, answer.text
        items: list[Json] = answer.json()["items"]
        return items

    async def acts(self, doing: Callable[[], Awaitable[httpx.Response]]) -> list[Json]:
        """What the audit gained while ``doing`` was done."""
        before = await self.audited()
        await doing()
        return await self.audited(behind=before[-1]["pk"] if before else 0)


@pytest.fixture(scope="module", params=KINDS)
def unused(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Copies]:
    """A database in which nothing happened yet, to be copied."""

    async def prepare(url: str) -> None:
        async with migrated(url):
            pass

    with copies(request.param, tmp_path_factory.mktemp("copies"), prepare) as unused:
        yield unused


@asynccontextmanager
async def started(url: str, folder: Path) -> AsyncIterator[World]:
    with app_for(load({}, data=str(folder), database_url=url)) as app:
        async with app.state.hub.running(app):
            yield World(app)


@pytest_asyncio.fixture(loop_scope="module")
async def empty(unused: Copies, tmp_path: Path) -> AsyncIterator[World]:
    """A hub without an account."""
    with unused.copy() as url:
        async with started(url, tmp_path) as world:
            yield world


@pytest_asyncio.fixture(loop_scope="module")
async def world(empty: World) -> World:
    """A hub of the test's own."""
    await empty.people()
    return empty


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(unused: Copies, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    with unused.copy() as url:
        async with started(url, tmp_path_factory.mktemp("still")) as world:
            await world.people()
            yield world


@pytest.fixture
def still(shared: World) -> World:
    """A hub that tests share because all they ask of it is refused."""
    bind(shared.hub.engine)
    return shared


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move both clocks of the hub forward by some seconds."""
    moved = 0.0
    wall_us, monotonic_s = clock.wall_us, clock.monotonic_s
    monkeypatch.setattr(clock, "wall_us", lambda: wall_us() + round(moved * 1_000_000))
    monkeypatch.setattr(clock, "monotonic_s", lambda: monotonic_s() + moved)

    def forward(seconds: float) -> None:
        nonlocal moved
        moved += seconds

    return forward


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# --- Sign-in --------------------------------------------------------------------------------------


async def test_a_password_becomes_two_tokens_of_one_session(world: World) -> None:
    answer = await world.obtain("ada")
    assert answer.status_code == 200
    assert set(answer.json()) == {"access", "refresh"}
    assert answer.headers["cache-control"] == "no-store"
    access = await world.hub.tokens.identify(answer.json()["access"])
    refresh = await world.hub.tokens.identify(answer.json()["refresh"], ("refresh",))
    assert (access.account, access.session) == (ADA, refresh.session)
    again = await world.hub.tokens.identify((await world.signed_in("ada"))["access"])
    assert again.session != access.session


async def test_a_sign_in_is_remembered_as_the_last_one(world: World) -> None:
    before = await world.call("GET", f"/v1/users/{ADA}")
    await world.signed_in("ada")
    after = await world.call("GET", f"/v1/users/{ADA}")
    assert before.json()["last_login"] is None
    assert clock.parse_iso(after.json()["last_login"]) <= clock.wall_us()


async def test_unknown_wrong_and_disabled_accounts_are_told_the_same(world: World) -> None:
    await world.call("DELETE", f"/v1/users/{VIC}")
    answers = [
        await world.obtain("nobody"),
        await world.obtain("ada", "another password"),
        await world.obtain("vic"),
    ]
    assert {code(answer) for answer in answers} == {(401, "bad_credentials")}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].headers["www-authenticate"] == 'Bearer realm="api"'


async def test_an_unknown_name_costs_a_hash_as_a_known_one_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[bool] = []
    matches = passwords.matches

    async def watched(password_hash: str | None, password: str) -> bool:
        checked.append(password_hash is None)
        return await matches(password_hash, password)

    monkeypatch.setattr(passwords, "matches", watched)
    await world.obtain("nobody")
    await world.obtain("ada", "another password")
    assert checked == [True, False]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "username"),
        ({"username": "ada"}, "password"),
        ({"username": 7, "password": PASSWORD}, "username"),
        ({"username": "ada", "password": None}, "password"),
        ({"username": "", "password": PASSWORD}, "username"),
        ({"username": "a\0b", "password": PASSWORD}, "username"),
        ({"username": "a" * 151, "password": PASSWORD}, "username"),
        ({"username": "ada", "password": "x" * 129}, "password"),
        ({"username": "ada", "password": "x" * 15_000}, "password"),
    ],
)
async def test_a_malformed_sign_in_is_refused_by_field(
    still: World, body: Json, field: str
) -> None:
    answer = await still.call("POST", "/v1/auth/obtain", body, as_=None)
    assert answer.status_code == 400
    assert isinstance(answer.json()[field], list)


@pytest.mark.parametrize("content", [b"{", b"[]", b'"\\ud800"', b"\xff", b"null", b"{" * 100])
@pytest.mark.parametrize("action", ["obtain", "refresh", "verify"])
async def test_a_body_that_is_no_object_is_refused(
    still: World, action: str, content: bytes
) -> None:
    answer = await still.caller("127.0.0.1").post(f"/v1/auth/{action}", content=content)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_outdated_hash_is_made_anew_at_sign_in(world: World) -> None:
    row = await world.hub.accounts.get(ADA)
    old = PasswordHasher(time_cost=1, memory_cost=1_024, parallelism=1).hash(PASSWORD)
    await queries.store_user(replace(row, password_hash=old))
    await world.signed_in("ada")
    renewed = (await world.hub.accounts.get(ADA)).password_hash
    assert renewed != old
    assert not passwords.is_outdated(renewed)
    await world.signed_in("ada")
    assert (await world.hub.accounts.get(ADA)).password_hash == renewed


async def test_a_password_that_changes_while_it_is_checked_gives_no_tokens(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    matches = passwords.matches
    checks = 0

    async def overtaken(password_hash: str | None, password: str) -> bool:
        nonlocal checks
        checks += 1
        is_right = await matches(password_hash, password)
        if checks == 1:
            await world.hub.accounts.set_password(HUB, ADA, "quite another one")
        return is_right

    monkeypatch.setattr(passwords, "matches", overtaken)
    assert code(await world.obtain("ada")) == (401, "bad_credentials")
    assert checks == 2


# --- Refresh and verify ---------------------------------------------------------------------------


async def test_a_refresh_token_gives_access_tokens_of_its_session_and_stays(world: World) -> None:
    signed_in = await world.signed_in("ada")
    body = {"refresh": signed_in["refresh"]}
    first = await world.call("POST", "/v1/auth/refresh", body, as_=None)
    second = await world.call("POST", "/v1/auth/refresh", body, as_=None)
    assert (first.status_code, set(first.json())) == (200, {"access"})
    assert second.json()["access"] != first.json()["access"]
    sessions = [
        (await world.hub.tokens.identify(token)).session
        for token in (signed_in["access"], first.json()["access"], second.json()["access"])
    ]
    assert len(set(sessions)) == 1


@pytest.mark.parametrize("garbage", ["", "x", "a.b.c", "\0", "ü" * 300, "x" * 10_000, "hub_r_"])
async def test_a_token_that_is_none_is_401_and_never_400(still: World, garbage: str) -> None:
    for action, member in (("refresh", "refresh"), ("verify", "token")):
        answer = await still.call("POST", f"/v1/auth/{action}", {member: garbage}, as_=None)
        assert code(answer) == (401, "token_not_valid")


async def test_tokens_of_another_kind_cannot_refresh(world: World) -> None:
    access = (await world.signed_in("ada"))["access"]
    named = (await world.call("POST", "/v1/tokens", {"name": "n"}, as_=ADA)).json()["token"]
    for token in (access, named):
        answer = await world.call("POST", "/v1/auth/refresh", {"refresh": token}, as_=None)
        assert code(answer) == (401, "token_not_valid")


async def test_every_kind_of_living_token_verifies(world: World) -> None:
    signed_in = await world.signed_in("ada")
    named = (await world.call("POST", "/v1/tokens", {"name": "n"}, as_=ADA)).json()["token"]
    for token in (signed_in["access"], signed_in["refresh"], named):
        answer = await world.call("POST", "/v1/auth/verify", {"token": token}, as_=None)
        assert (answer.status_code, answer.json()) == (200, {})


async def test_a_refresh_token_never_works_as_access_not_even_after_verify(world: World) -> None:
    refresh = (await world.signed_in("ada"))["refresh"]
    await world.call("POST", "/v1/auth/verify", {"token": refresh}, as_=None)
    answer = await world.call("GET", f"/v1/users/{ADA}", as_=refresh)
    assert code(answer) == (401, "token_not_valid")


async def test_tokens_end_when_their_time_is_over(
    world: World, later: Callable[[float], None]
) -> None:
    signed_in = await world.signed_in("ada")
    later(world.hub.settings.access_token_s + 1)
    answer = await world.call("GET", f"/v1/users/{ADA}", as_=signed_in["access"])
    assert code(answer) == (401, "token_not_valid")
    body = {"refresh": signed_in["refresh"]}
    assert (await world.call("POST", "/v1/auth/refresh", body, as_=None)).status_code == 200
    later(world.hub.settings.refresh_token_s)
    answer = await world.call("POST", "/v1/auth/refresh", body, as_=None)
    assert code(answer) == (401, "token_not_valid")


# --- Floods ---------------------------------------------------------------------------------------


async def test_after_ten_failures_an_account_waits_wherever_it_is_tried_from(
    world: World, later: Callable[[float], None]
) -> None:
    for place in range(ACCOUNT_FAILURES):
        body = {"username": "ada", "password": "wrong"}
        answer = await world.caller(f"10.0.0.{place}").post("/v1/auth/obtain", json=body)
        assert answer.status_code == 401
    refused = await world.obtain("ada")
    assert code(refused) == (429, "rate_limited")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert (await world.obtain("vic")).status_code == 200
    later(int(refused.headers["retry-after"]))
    assert (await world.obtain("ada")).status_code == 200


async def test_one_bad_script_shuts_out_nobody_else_behind_its_address(world: World) -> None:
    for _ in range(ACCOUNT_FAILURES):
        assert (await world.obtain("ada", "wrong")).status_code == 401
    for _ in range(ADDRESS_FAILURES):
        assert code(await world.obtain("ada", "wrong")) == (429, "rate_limited")
    assert (await world.obtain("vic")).status_code == 200


async def test_after_a_hundred_failures_an_address_waits_whatever_it_tries(
    world: World, later: Callable[[float], None]
) -> None:
    for number in range(ADDRESS_FAILURES - 1):
        assert (await world.obtain(f"nobody {number}")).status_code == 401
    assert (await world.obtain("vic")).status_code == 200  # which gives no tries back
    assert (await world.obtain("one more")).status_code == 401
    refused = await world.obtain("ada")
    assert code(refused) == (429, "rate_limited")
    body = {"username": "ada", "password": PASSWORD}
    elsewhere = await world.caller("10.0.0.1").post("/v1/auth/obtain", json=body)
    assert elsewhere.status_code == 200
    later(int(refused.headers["retry-after"]))
    assert (await world.obtain("ada")).status_code == 200


async def test_a_refused_try_costs_no_hash(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(ACCOUNT_FAILURES):
        await world.obtain("ada", "wrong")

    async def never(password_hash: str | None, password: str) -> bool:
        raise AssertionError("a hash was made")

    monkeypatch.setattr(passwords, "matches", never)
    assert (await world.obtain("ada")).status_code == 429


async def test_a_successful_sign_in_clears_the_failures_of_its_account(world: World) -> None:
    async def fail(times: int, place: str) -> None:
        for _ in range(times):
            body = {"username": "ada", "password": "wrong"}
            answer = await world.caller(place).post("/v1/auth/obtain", json=body)
            assert answer.status_code == 401

    await fail(9, "10.0.0.1")
    await world.signed_in("ada")
    await fail(9, "10.0.0.2")
    await world.signed_in("ada")


async def test_tries_that_come_all_at_once_count_too(world: World) -> None:
    answers = await asyncio.gather(*(world.obtain("ada", "wrong") for _ in range(30)))
    by_status = [answer.status_code for answer in answers]
    assert by_status.count(401) <= 11  # one more may be on its way when the tenth fails
    assert by_status.count(401) + by_status.count(429) == 30


async def test_many_workers_may_share_an_account_and_sign_in_at_once(world: World) -> None:
    answers = await asyncio.gather(*(world.obtain("ada") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}


async def test_two_sign_ins_are_checked_at_once_and_a_few_more_may_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    inside = most = 0

    async def slow(password_hash: str | None, password: str) -> bool:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await gate.wait()
        inside -= 1
        return True

    monkeypatch.setattr(passwords, "matches", slow)
    calls = {asyncio.create_task(world.obtain("ada")) for _ in range(40)}
    refused: set[asyncio.Task[httpx.Response]] = set()
    async with asyncio.timeout(10):
        while len(refused) < 6:
            done, calls = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            refused |= done
        # Workers are served meanwhile.
        assert (await world.call("GET", f"/v1/users/{ADA}", as_=ADA)).status_code == 200
        gate.set()
        answers = await asyncio.gather(*calls)
    assert {code(task.result()) for task in refused} == {(429, "rate_limited")}
    assert {task.result().headers["retry-after"] for task in refused} == {"1"}
    assert [answer.status_code for answer in answers] == [200] * 34
    assert most == 2


# --- Who may --------------------------------------------------------------------------------------

NEW_USER = {"username": "new", "password": PASSWORD}
MATRIX = [
    # method, path, body, then the answer to: nobody, viewer, user, admin
    ("POST", "/v1/users/list", {}, 401, 403, 403, 200),
    ("POST", "/v1/users/create", NEW_USER, 401, 403, 403, 201),
    ("GET", f"/v1/users/{ADMIN}", None, 401, 403, 403, 200),
    ("GET", f"/v1/users/{ADA}", None, 401, 403, 200, 200),
    ("GET", f"/v1/users/{VIC}", None, 401, 200, 403, 200),
    ("GET", "/v1/users/999", None, 401, 403, 403, 404),
    ("GET", "/v1/users/0", None, 401, 403, 403, 404),
    ("GET", "/v1/users/ada", None, 401, 403, 200, 200),
    ("GET", "/v1/users/vic", None, 401, 200, 403, 200),
    ("GET", "/v1/users/nobody", None, 401, 403, 403, 200),
    ("PUT", f"/v1/users/{ADA}", {"username": "ada"}, 401, 403, 403, 200),
    ("PATCH", f"/v1/users/{ADA}", {"role": "admin"}, 401, 403, 403, 200),
    ("PATCH", "/v1/users/999", {}, 401, 403, 403, 404),
    ("PATCH", "/v1/users/999", {"username": 5}, 401, 403, 403, 404),
    ("PUT", "/v1/users/999", {}, 401, 403, 403, 404),
    ("DELETE", f"/v1/users/{ADA}", None, 401, 403, 403, 204),
    ("DELETE", "/v1/users/999", None, 401, 403, 403, 404),
    ("GET", "/v1/tokens", None, 401, 200, 200, 200),
    ("GET", "/v1/tokens?all=true", None, 401, 403, 403, 200),
    ("POST", "/v1/tokens", {"name": "mine"}, 401, 201, 201, 201),
    ("POST", "/v1/tokens", {"name": "own", "user": ADA}, 401, 403, 201, 201),
    ("POST", "/v1/tokens", {"name": "other", "user": 999}, 401, 403, 403, 400),
    ("DELETE", "/v1/tokens/999", None, 401, 404, 404, 404),
    ("GET", "/v1/audit", None, 401, 403, 403, 200),
]


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: f"{row[0]} {row[1]}")
async def test_each_role_may_what_the_matrix_says(world: World, row: tuple[Any, ...]) -> None:
    method, path, body, *expected = row
    found = [
        (await world.call(method, path, body, as_=as_)).status_code
        for as_ in (None, VIC, ADA, ADMIN)
    ]
    assert found == expected


@pytest.mark.parametrize(("method", "path"), [row[:2] for row in MATRIX])
async def test_a_bad_token_is_401_before_anything_else(
    still: World, method: str, path: str
) -> None:
    answer = await still.call(method, path, {"nonsense": 1}, as_="hub_a_nonsense")
    assert code(answer) == (401, "token_not_valid")


# --- Users ----------------------------------------------------------------------------------------

MEMBERS = {
    *("username", "pk", "last_login", "is_superuser", "first_name", "last_name", "email"),
    *("is_staff", "is_active", "date_joined", "role"),
}


async def test_a_created_account_shows_all_members_but_the_password_and_can_sign_in(
    world: World,
) -> None:
    body = {**NEW_USER, "first_name": "Nëw", "last_name": "O'Ne", "email": "new@example.org"}
    made = (await world.call("POST", "/v1/users/create", body)).json()
    assert set(made) == MEMBERS
    assert {name: made[name] for name in ("first_name", "last_name", "email")} == {
        name: body[name] for name in ("first_name", "last_name", "email")
    }
    flags = ("is_staff", "is_superuser", "is_active", "role", "last_login")
    assert [made[name] for name in flags] == [False, False, True, "user", None]
    shown = (await world.call("GET", f"/v1/users/{made['pk']}")).json()
    by_name = (await world.call("GET", "/v1/users/new")).json()
    assert [shown] == by_name == [made]
    await world.signed_in("new")


async def test_a_name_that_nobody_has_is_an_empty_array(still: World) -> None:
    for name in ("nobody", "%00", "a%00b", "%20", "5x", "-5", "+5", "1_0", "x" * 300):
        answer = await still.call("GET", f"/v1/users/{name}")
        assert (answer.status_code, answer.json()) == (200, []), name


@pytest.mark.parametrize("number", ["0", str(2**63), "9" * 30, "9" * 5_000])
async def test_a_number_that_no_account_can_have_is_not_found(still: World, number: str) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = await still.call(method, f"/v1/users/{number}", {"username": "x"})
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("asked", "role"),
    [
        ({}, "user"),
        ({"is_staff": True}, "admin"),
        ({"is_staff": False}, "user"),
        ({"role": "viewer"}, "viewer"),
        ({"role": "admin", "is_staff": True}, "admin"),
        ({"role": "viewer", "is_staff": False}, "viewer"),
        ({"is_superuser": True}, "user"),
        ({"role": "admin", "is_staff": False}, None),
        ({"role": "user", "is_staff": True}, None),
    ],
)
async def test_is_staff_and_role_say_the_same_or_are_refused(
    world: World, asked: Json, role: str | None
) -> None:
    answer = await world.call("POST", "/v1/users/create", {**NEW_USER, **asked})
    if role is None:
        assert answer.status_code == 400
        assert answer.json()["is_staff"] == ["This contradicts role."]
    else:
        assert answer.json()["role"] == role
        assert answer.json()["is_staff"] is (role == "admin")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"username": "ada"}, "username"),
        ({"username": ""}, "username"),
        ({"username": "12345"}, "username"),
        ({"username": "٣٤"}, "username"),
        ({"username": "a/b"}, "username"),
        ({"username": "a\nb"}, "username"),
        ({"username": "a\0b"}, "username"),
        ({"username": "x" * 151}, "username"),
        ({"username": None}, "username"),
        ({"password": "1234567"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"password": "x" * 15_000}, "password"),
        ({"password": 12345678}, "password"),
        ({"first_name": "a\0"}, "first_name"),
        ({"last_name": "x" * 151}, "last_name"),
        ({"email": "a@b\nBcc: c@d"}, "email"),
        ({"email": "x" * 255}, "email"),
        ({"role": "root"}, "role"),
        ({"is_staff": "yes"}, "is_staff"),
        ({"owner": 1}, "owner"),
        ({"password_hash": "x"}, "password_hash"),
    ],
)
async def test_what_no_account_can_be_is_refused_by_field(
    still: World, asked: Json, field: str
) -> None:
    created = await still.call("POST", "/v1/users/create", {**NEW_USER, **asked})
    changed = await still.call("PATCH", f"/v1/users/{VIC}", asked)
    for answer in (created, changed):
        assert answer.status_code == 400, answer.text
        assert isinstance(answer.json()[field], list)
    assert (await still.call("GET", "/v1/users/new")).json() == []


async def test_a_taken_name_is_refused_in_the_words_that_clients_know(world: World) -> None:
    taken = {"username": ["A user with that username already exists."]}
    created = await world.call("POST", "/v1/users/create", {**NEW_USER, "username": "ada"})
    renamed = await world.call("PATCH", f"/v1/users/{VIC}", {"username": "ada"})
    for answer in (created, renamed):
        assert answer.status_code == 400
        assert taken.items() <= answer.json().items()


@pytest.mark.parametrize("length", [8, 72, 73, 128])
async def test_every_character_of_a_password_counts(world: World, length: int) -> None:
    body = {"username": "new", "password": "ä" * length}
    assert (await world.call("POST", "/v1/users/create", body)).status_code == 201
    assert (await world.obtain("new", "ä" * (length - 1) + "b")).status_code == 401
    assert (await world.obtain("new", "ä" * length)).status_code == 200


async def test_put_needs_the_name_and_patch_needs_nothing(world: World) -> None:
    put = await world.call("PUT", f"/v1/users/{ADA}", {"email": "a@example.org"})
    assert put.status_code == 400
    assert put.json()["username"] == ["This field is required."]
    nothing = await world.call("PATCH", f"/v1/users/{ADA}", {})
    assert nothing.status_code == 200


async def test_an_account_may_be_put_back_as_it_was_shown(world: World) -> None:
    shown = (await world.call("GET", f"/v1/users/{ADA}")).json()

    async def put_back() -> httpx.Response:
        return await world.call("PUT", f"/v1/users/{ADA}", shown)

    assert await world.acts(put_back) == []
    assert (await put_back()).json() == shown


async def test_a_renamed_account_signs_in_by_its_new_name_only(world: World) -> None:
    body = {"username": "ada l.", "first_name": "Ada"}
    changed = await world.call("PUT", f"/v1/users/{ADA}", body)
    assert {name: changed.json()[name] for name in body} == body
    assert (await world.obtain("ada")).status_code == 401
    await world.signed_in("ada l.")


async def test_the_list_leaves_out_disabled_accounts_unless_asked(world: World) -> None:
    await world.call("DELETE", f"/v1/users/{VIC}")
    active = (await world.call("POST", "/v1/users/list")).json()
    everybody = (await world.call("POST", "/v1/users/list", {"include_inactive": True})).json()
    named = {"expressions": [{"type": "exact", "field": "username", "value": "ada"}]}
    assert [row["pk"] for row in active] == [ADMIN, ADA]
    assert [row["is_active"] for row in everybody] == [True, True, False]
    assert [row["pk"] for row in (await world.call("POST", "/v1/users/list", named)).json()] == [2]
    assert {frozenset(row) for row in everybody} == {frozenset(MEMBERS)}


@pytest.mark.parametrize("field", ["password", "password_hash"])
async def test_nobody_can_ask_about_hashes_by_filtering(still: World, field: str) -> None:
    asked = {"expressions": [{"type": "contains", "field": field, "sub_string": "$argon2"}]}
    assert (await still.call("POST", "/v1/users/list", asked)).status_code == 400


async def test_deleting_an_account_disables_it_and_again_is_no_change(world: World) -> None:
    first = await world.call("DELETE", f"/v1/users/{ADA}")
    again = await world.call("DELETE", f"/v1/users/{ADA}")
    assert [(first.status_code, first.content), (again.status_code, again.content)] == [
        (204, b""),
        (204, b""),
    ]
    assert (await world.call("GET", f"/v1/users/{ADA}")).json()["is_active"] is False


# --- What changes, changes everywhere -------------------------------------------------------------


async def test_a_disabled_account_is_told_so_whatever_it_holds(world: World) -> None:
    signed_in = await world.signed_in("ada")
    named = (await world.call("POST", "/v1/tokens", {"name": "n"}, as_=ADA)).json()["token"]
    await world.call("DELETE", f"/v1/users/{ADA}")
    for token in (signed_in["access"], named):
        answer = await world.call("GET", f"/v1/users/{ADA}", as_=token)
        assert code(answer) == (401, "user_inactive")
    body = {"refresh": signed_in["refresh"]}
    answer = await world.call("POST", "/v1/auth/refresh", body, as_=None)
    assert code(answer) == (401, "user_inactive")


async def test_an_account_that_is_enabled_again_must_sign_in_again(world: World) -> None:
    signed_in = await world.signed_in("ada")
    await world.call("PATCH", f"/v1/users/{ADA}", {"is_active": False})
    enabled = await world.call("PATCH", f"/v1/users/{ADA}", {"is_active": True})
    assert enabled.json()["is_active"] is True
    answer = await world.call("GET", f"/v1/users/{ADA}", as_=signed_in["access"])
    assert code(answer) == (401, "token_not_valid")
    await world.signed_in("ada")


async def test_a_new_password_ends_every_sign_in_and_no_named_token(world: World) -> None:
    signed_in = await world.signed_in("ada")
    named = (await world.call("POST", "/v1/tokens", {"name": "n"}, as_=ADA)).json()["token"]
    await world.call("PATCH", f"/v1/users/{ADA}", {"password": "quite another one"})
    answer = await world.call("GET", f"/v1/users/{ADA}", as_=signed_in["access"])
    assert code(answer) == (401, "token_not_valid")
    body = {"refresh": signed_in["refresh"]}
    answer = await world.call("POST", "/v1/auth/refresh", body, as_=None)
    assert code(answer) == (401, "token_not_valid")
    assert (await world.call("GET", f"/v1/users/{ADA}", as_=named)).status_code == 200
    assert (await world.obtain("ada")).status_code == 401
    await world.signed_in("ada", "quite another one")


async def test_a_role_works_at_once(world: World) -> None:
    assert (await world.call("GET", "/v1/audit", as_=ADA)).status_code == 403
    await world.call("PATCH", f"/v1/users/{ADA}", {"is_staff": True})
    assert (await world.call("GET", "/v1/audit", as_=ADA)).status_code == 200
    await world.call("PATCH", f"/v1/users/{ADA}", {"is_staff": False})
    assert (await world.call("GET", "/v1/audit", as_=ADA)).status_code == 403


async def test_another_process_refuses_a_revoked_token_within_five_seconds(
    world: World, later: Callable[[float], None]
) -> None:
    other = Tokens(world.hub.engine, access_s=3_600, refresh_s=3_600)
    made = (await world.call("POST", "/v1/tokens", {"name": "n"}, as_=ADA)).json()
    access = (await world.signed_in("ada"))["access"]
    for token in (made["token"], access):
        await other.identify(token)
        assert other.known(token) is not None
    await world.call("DELETE", f"/v1/tokens/{made['pk']}", as_=ADA)
    await world.call("PATCH", f"/v1/users/{ADA}", {"password": "quite another one"})
    later(5)
    for token in (made["token"], access):
        assert other.known(token) is None
        with pytest.raises(TokenNotValid):
            await other.identify(token)


@pytest.mark.parametrize(
    "asked", [{"is_active": False}, {"role": "user"}, {"role": "viewer"}, {"is_staff": False}]
)
async def test_the_last_active_administrator_stays_one(world: World, asked: Json) -> None:
    await world.call("PATCH", f"/v1/users/{ADA}", {"role": "admin"})
    await world.call("DELETE", f"/v1/users/{ADA}")
    assert code(await world.call("PATCH", f"/v1/users/{ADMIN}", asked)) == (409, "last_admin")
    assert code(await world.call("DELETE", f"/v1/users/{ADMIN}")) == (409, "last_admin")
    await world.call("PATCH", f"/v1/users/{ADA}", {"is_active": True})
    assert (await world.call("PATCH", f"/v1/users/{ADMIN}", asked)).status_code == 200


async def test_of_two_administrators_who_demote_each_other_at_once_one_stays(
    world: World,
) -> None:
    await world.call("PATCH", f"/v1/users/{ADA}", {"role": "admin"})
    for _ in range(5):
        answers = await asyncio.gather(
            world.hub.accounts.change(HUB, ADMIN, UserPatchIn(role="user")),
            world.hub.accounts.change(HUB, ADA, UserPatchIn(role="user")),
            return_exceptions=True,
        )
        refused = [answer for answer in answers if isinstance(answer, Exception)]
        assert [getattr(error, "code", error) for error in refused] == ["last_admin"]
        rows = await world.hub.accounts.listed()
        assert sum(row.is_active_admin for row in rows) == 1
        for pk in (ADMIN, ADA):
            await world.hub.accounts.change(HUB, pk, UserPatchIn(role="admin"))


# --- Named tokens ---------------------------------------------------------------------------------


async def test_a_named_token_is_shown_once_and_works_until_it_is_revoked(world: World) -> None:
    answer = await world.call("POST", "/v1/tokens", {"name": "my node"}, as_=ADA)
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert set(made) == {"pk", "name", "user", "creation_time", "expiry_time", "token"}
    assert (made["name"], made["user"], made["expiry_time"]) == ("my node", ADA, None)
    listed = await world.call("GET", "/v1/tokens", as_=made["token"])
    assert listed.json() == [{name: made[name] for name in made if name != "token"}]
    revoked = await world.call("DELETE", f"/v1/tokens/{made['pk']}", as_=made["token"])
    assert (revoked.status_code, revoked.content) == (204, b"")
    answer = await world.call("GET", "/v1/tokens", as_=made["token"])
    assert code(answer) == (401, "token_not_valid")
    again = await world.call("DELETE", f"/v1/tokens/{made['pk']}", as_=ADA)
    assert again.status_code == 204
    assert (await world.call("GET", "/v1/tokens", as_=ADA)).json() == []


async def test_a_named_token_ends_when_it_was_told_to(
    world: World, later: Callable[[float], None]
) -> None:
    body = {"name": "short", "expires_in_s": 60}
    made = (await world.call("POST", "/v1/tokens", body, as_=ADA)).json()
    lived_us = clock.parse_iso(made["expiry_time"]) - clock.parse_iso(made["creation_time"])
    assert lived_us == 60_000_000
    assert (await world.call("GET", "/v1/tokens", as_=made["token"])).status_code == 200
    later(61)
    answer = await world.call("GET", "/v1/tokens", as_=made["token"])
    assert code(answer) == (401, "token_not_valid")


async def test_a_token_may_do_no_more_than_its_account(world: World) -> None:
    token = (await world.call("POST", "/v1/tokens", {"name": "n"}, as_=VIC)).json()["token"]
    assert (await world.call("POST", "/v1/jobs/list", {}, as_=token)).status_code == 200
    submitted = await world.call("POST", "/v1/jobs", {"template": 1}, as_=token)
    assert code(submitted) == (403, "forbidden")


async def test_tokens_of_others_are_not_there_but_for_administrators(world: World) -> None:
    made = (await world.call("POST", "/v1/tokens", {"name": "n"}, as_=ADA)).json()
    theirs = await world.call("DELETE", f"/v1/tokens/{made['pk']}", as_=VIC)
    missing = await world.call("DELETE", "/v1/tokens/999", as_=VIC)
    assert code(theirs) == code(missing) == (404, "not_found")
    assert (await world.call("GET", "/v1/tokens", as_=VIC)).json() == []
    everybodys = (await world.call("GET", "/v1/tokens?all=true")).json()
    assert [row["pk"] for row in everybodys] == [made["pk"]]
    assert (await world.call("DELETE", f"/v1/tokens/{made['pk']}")).status_code == 204


async def test_what_came_from_a_sign_in_is_no_named_token(world: World) -> None:
    access = (await world.signed_in("ada"))["access"]
    number = (await world.hub.tokens.identify(access)).token
    assert (await world.call("GET", "/v1/tokens?all=true")).json() == []
    assert (await world.call("DELETE", f"/v1/tokens/{number}")).status_code == 404


async def test_an_administrator_makes_a_token_for_another_account(world: World) -> None:
    body = {"name": "for ada", "user": ADA}
    made = (await world.call("POST", "/v1/tokens", body)).json()
    assert (await world.hub.tokens.identify(made["token"])).account == ADA
    await world.call("DELETE", f"/v1/users/{ADA}")
    refused = await world.call("POST", "/v1/tokens", body)
    assert refused.status_code == 400
    assert "user" in refused.json()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": 5}, "name"),
        ({"name": "n", "expires_in_s": 0}, "expires_in_s"),
        ({"name": "n", "expires_in_s": -1}, "expires_in_s"),
        ({"name": "n", "expires_in_s": 2**63}, "expires_in_s"),
        ({"name": "n", "expires_in_s": 10**30}, "expires_in_s"),
        ({"name": "n", "expires_in_s": 1.5}, "expires_in_s"),
        ({"name": "n", "user": 0}, "user"),
        ({"name": "n", "user": 2**63}, "user"),
        ({"name": "n", "token": "chosen"}, "token"),
    ],
)
async def test_a_malformed_token_is_refused_by_field(still: World, body: Json, field: str) -> None:
    answer = await still.call("POST", "/v1/tokens", body)
    assert answer.status_code == 400, answer.text
    assert field in answer.json()


async def test_an_account_has_only_so_many_tokens(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.auth.named_tokens.MOST", 2)
    made = [await world.call("POST", "/v1/tokens", {"name": "n"}, as_=ADA) for _ in range(3)]
    assert [answer.status_code for answer in made] == [201, 201, 409]
    assert code(made[2]) == (409, "too_many_tokens")
    await world.call("DELETE", f"/v1/tokens/{made[0].json()['pk']}", as_=ADA)
    assert (await world.call("POST", "/v1/tokens", {"name": "n"}, as_=ADA)).status_code == 201


async def test_tokens_that_ended_long_ago_are_swept_away_and_no_others(
    world: World, later: Callable[[float], None]
) -> None:
    signed_in = await world.signed_in("ada")
    forever = (await world.call("POST", "/v1/tokens", {"name": "n"}, as_=ADA)).json()["token"]
    assert await world.hub.accounts.sweep_tokens() == 0
    later(world.hub.settings.refresh_token_s + 86_400 + 1)
    swept = await world.hub.accounts.sweep_tokens()
    assert swept == len(world.tokens) + len(signed_in)
    assert (await world.hub.tokens.identify(forever)).account == ADA


# --- The audit ------------------------------------------------------------------------------------


async def test_each_act_leaves_one_row_with_who_and_what(world: World) -> None:
    made: Json = {}

    async def create() -> httpx.Response:
        answer = await world.call("POST", "/v1/users/create", {**NEW_USER, "email": "n@x.org"})
        made.update(answer.json())
        return answer

    (row,) = await world.acts(create)
    assert (row["action"], row["object_type"], row["object_pk"]) == (
        "users.create",
        "user",
        made["pk"],
    )
    assert (row["actor"], row["session"], row["address"]) == (
        ADMIN,
        f"session-{ADMIN}",
        "127.0.0.1",
    )
    assert row["before"] is None
    assert msgspec.json.decode(row["after"])["email"] == "n@x.org"


@pytest.mark.parametrize(
    ("asked", "acts"),
    [
        ({"email": "a@x.org"}, [("users.update", {"email": ""}, {"email": "a@x.org"})]),
        ({"role": "viewer"}, [("users.update", {"role": "user"}, {"role": "viewer"})]),
        ({"is_active": False}, [("users.disable", {"is_active": True}, {"is_active": False})]),
        ({"password": "quite another one"}, [("users.password", None, None)]),
        (
            {"password": "quite another one", "first_name": "Ada"},
            [
                ("users.update", {"first_name": ""}, {"first_name": "Ada"}),
                ("users.password", None, None),
            ],
        ),
        ({"username": "ada", "is_staff": False}, []),
    ],
)
async def test_the_audit_says_what_changed_and_nothing_else(
    world: World, asked: Json, acts: list[tuple[str, Json | None, Json | None]]
) -> None:
    rows = await world.acts(lambda: world.call("PATCH", f"/v1/users/{ADA}", asked))
    found = [
        (
            row["action"],
            *(None if row[m] is None else msgspec.json.decode(row[m]) for m in ("before", "after")),
        )
        for row in rows
    ]
    assert found == acts
    assert {row["object_pk"] for row in rows} <= {ADA}


async def test_what_is_refused_leaves_no_row(world: World) -> None:
    for method, path, body in (
        ("POST", "/v1/users/create", {**NEW_USER, "username": "ada"}),
        ("DELETE", f"/v1/users/{ADMIN}", None),
        ("DELETE", "/v1/tokens/999", None),
        ("POST", "/v1/tokens", {"name": "n", "user": 999}),
    ):
        assert await world.acts(lambda m=method, p=path, b=body: world.call(m, p, b)) == []  # type: ignore[misc]  # bound early


async def test_tokens_are_made_and_revoked_in_the_audit_without_their_text(world: World) -> None:
    made = (await world.call("POST", "/v1/tokens", {"name": "n"}, as_=ADA)).json()
    for _ in range(2):
        await world.call("DELETE", f"/v1/tokens/{made['pk']}", as_=ADA)
    rows = await world.audited()
    assert [(row["action"], row["actor"], row["object_pk"]) for row in rows] == [
        ("tokens.create", ADA, made["pk"]),
        ("tokens.revoke", ADA, made["pk"]),
    ]
    assert made["token"] not in str(rows)


async def test_the_audit_is_read_in_pages_and_its_chain_holds(world: World) -> None:
    for number in range(4):
        await world.call("PATCH", f"/v1/users/{ADA}", {"first_name": f"Ada {number}"})
    whole = await world.audited()
    pages: list[Json] = []
    after: int | None = 0
    while after is not None:
        page = (await world.call("GET", f"/v1/audit?after={after}&limit=3")).json()
        assert len(page["items"]) <= 3
        pages += page["items"]
        after = page["next"]
    assert pages == whole
    assert [row["pk"] for row in whole] == sorted(row["pk"] for row in whole)
    head = ""
    for row in whole:
        stored = (clock.parse_iso(row["time"]), *(row[name] for name in list(row)[2:-1]))
        head = link(head, stored)
        assert row["hash"] == head


@pytest.mark.parametrize(
    "query",
    ["after=-1", "after=x", f"after={2**63}", "after=1e400", "after=%00", "limit=0", "limit=1001"],
)
async def test_a_page_that_cannot_be_is_refused(still: World, query: str) -> None:
    answer = await still.call("GET", f"/v1/audit?{query}")
    assert answer.status_code == 400, answer.text


async def test_secrets_stand_nowhere_but_in_the_one_answer_that_gives_them(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    canaries = ["canary-password-1", "canary-password-2", "canary-password-3"]
    heard: list[httpx.Response] = []
    body = {"username": "new", "password": canaries[0]}
    heard.append(await world.call("POST", "/v1/users/create", body))
    pk = heard[0].json()["pk"]
    given = await world.signed_in("new", canaries[0])
    named = (await world.call("POST", "/v1/tokens", {"name": "n"}, as_=given["access"])).json()
    canaries += [*given.values(), named["token"]]
    for method, path, asked, as_ in (
        ("POST", "/v1/auth/obtain", {"username": "new", "password": canaries[1]}, None),
        ("POST", "/v1/auth/obtain", {"username": canaries[1], "password": "x"}, None),
        ("POST", "/v1/auth/obtain", {"username": 5, "password": canaries[0]}, None),
        ("POST", "/v1/auth/verify", {"token": given["refresh"]}, None),
        ("POST", "/v1/auth/refresh", {"refresh": given["access"]}, None),
        ("PATCH", f"/v1/users/{pk}", {"password": canaries[2], "role": "root"}, ADMIN),
        ("PATCH", f"/v1/users/{pk}", {"password": canaries[2]}, ADMIN),
        ("GET", "/v1/users/new", None, ADMIN),
        ("POST", "/v1/users/list", {}, ADMIN),
        ("GET", "/v1/tokens?all=true", None, ADMIN),
        ("DELETE", f"/v1/tokens/{named['pk']}", None, given["access"]),
        ("DELETE", f"/v1/tokens/{named['pk']}", None, ADMIN),
        ("GET", "/v1/audit?limit=1000", None, ADMIN),
    ):
        heard.append(await world.call(method, path, asked, as_=as_))
    stored = str(
        [
            await world.hub.engine.fetch(f"SELECT * FROM {table}")
            for table in ("users", "tokens", "audit", "events")
        ]
    )
    said = "".join(f"{answer.headers}{answer.text}" for answer in heard)
    for secret in canaries:
        assert secret not in said
        assert secret not in caplog.text
        assert secret not in stored
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in stored
    assert "argon2" not in said + caplog.text


# --- The first administrator ----------------------------------------------------------------------


async def test_the_first_start_makes_an_administrator_with_a_password_said_once(
    empty: World,
) -> None:
    password = await empty.hub.accounts.bootstrap_admin(None, allow_short=False)
    assert password is not None
    assert len(password) >= 20
    again = await empty.hub.accounts.bootstrap_admin("another password", allow_short=False)
    assert again is None
    access = (await empty.signed_in("admin", password))["access"]
    (row,) = (await empty.call("GET", "/v1/audit", as_=access)).json()["items"]
    assert (row["actor"], row["action"], row["object_pk"]) == (None, "users.create", 1)


async def test_two_processes_that_start_at_once_make_one_administrator(empty: World) -> None:
    other = Accounts(empty.hub.engine, empty.hub.tokens)
    made = await asyncio.gather(
        empty.hub.accounts.bootstrap_admin(None, allow_short=False),
        other.bootstrap_admin(None, allow_short=False),
    )
    (password,) = [password for password in made if password is not None]
    await empty.signed_in("admin", password)
    assert len(await empty.hub.accounts.listed(include_inactive=True)) == 1


@pytest.mark.parametrize(
    ("password", "allow_short", "is_good"),
    [
        ("1234567", False, False),
        ("1234567", True, True),
        ("12345678", False, True),
        ("x" * 129, False, False),
        ("x" * 129, True, False),
    ],
)
async def test_a_short_first_password_will_do_only_where_nobody_else_can_reach_the_hub(
    empty: World, password: str, *, allow_short: bool, is_good: bool
) -> None:
    if is_good:
        made = await empty.hub.accounts.bootstrap_admin(password, allow_short=allow_short)
        assert made == password
        await empty.signed_in("admin", password)
    else:
        with pytest.raises(InvalidInput):
            await empty.hub.accounts.bootstrap_admin(password, allow_short=allow_short)
        assert await empty.hub.accounts.listed() == []
