"""Session cookies, one-use tickets, the sign-in page and trusted proxies, on both databases."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from argon2 import PasswordHasher

from hub import clock
from hub.auth import cookies, sign_in
from hub.auth.accounts import HUB
from hub.auth.identity import Identity
from hub.auth.tickets import MOST, TicketNotValid, Tickets
from hub.auth.tokens import Tokens, digest
from hub.errors import HubError, TokenNotValid, TooManyTries, UserInactive
from hub.settings import load
from hub.wire.accounts import UserPatchIn
from orm.engine import bind, make_engine
from tests.integration.conftest import HubClient, Json, running_hub

PASSWORD = "a password of theirs"
HASH = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash(PASSWORD)
UMA = 2

OWN = "https://hub.example"
DASH = "https://dash.example:8443"
STRANGERS = [
    *("https://hub.example:8443", "http://hub.example", "https://evil-hub.example"),
    *("https://hub.example.evil.com", "https://dash.example", "null", "http://localhost:8000"),
]
PUBLIC = {"HUB_PUBLIC_URL": f"{OWN}/jobs/", "HUB_ALLOWED_ORIGINS": DASH}
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Visitor:
    """A hub, and a browser or a program that calls it from some address."""

    def __init__(self, client: HubClient, http: httpx.AsyncClient) -> None:
        self.hub = client.hub
        self.accounts = client
        self.http = http

    def at(self, address: str) -> "Visitor":
        """Return a visitor who calls from another address."""
        transport = httpx.ASGITransport(cast(Any, self.accounts.app), client=(address, 50_000))
        return Visitor(self.accounts, httpx.AsyncClient(transport=transport, base_url="http://hub"))

    async def signs_in(self, origin: str | None = OWN, **said: str) -> httpx.Response:
        headers = {} if origin is None else {"Origin": origin}
        body = {"username": "uma", "password": PASSWORD} | said
        return await self.http.post("/v1/auth/session", json=body, headers=headers)

    async def cookie(self) -> str:
        """Return what the cookie of a new session holds."""
        return cookie_of(await self.signs_in())

    async def call(
        self, method: str, path: str, cookie: str, origin: str | None = None, **more: str
    ) -> httpx.Response:
        headers = {"Cookie": f"{cookies.NAME}={cookie}"} | more
        if origin is not None:
            headers["Origin"] = origin
        return await self.http.request(method, path, headers=headers)


def cookie_of(answer: httpx.Response) -> str:
    found = re.match(r"__Host-hub=(hub_c_[\w-]{43}); Path=/; ", answer.headers["set-cookie"])
    assert found, answer.headers
    return found[1]


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@asynccontextmanager
async def visited(settings: Json, url: str, folder: Path) -> AsyncIterator[Visitor]:
    async with running_hub(load(settings, data=str(folder), database_url=url)) as client:
        async with client.hub.engine.transaction() as transaction:
            await transaction.fetch("UPDATE users SET password_hash = ?", (HASH,))
        transport = httpx.ASGITransport(cast(Any, client.app))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as http:
            yield Visitor(client, http)


@pytest.fixture
async def visitor(fresh_url: str, tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visited(PUBLIC, fresh_url, tmp_path) as visitor:
        yield visitor


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


# --- Cookies --------------------------------------------------------------------------------------


async def test_a_browser_signs_in_and_out(visitor: Visitor) -> None:
    answer = await visitor.signs_in()
    cookie = cookie_of(answer)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["cache-control"] == "no-store"
    rows = await visitor.hub.engine.fetch("SELECT kind, sha256 FROM tokens WHERE kind = 'cookie'")
    assert rows == [("cookie", digest(cookie))]
    (page,) = re.findall("You are <b>(.*?)</b>", (await visitor.call("GET", "/ui/", cookie)).text)
    assert page == "uma"
    assert (await visitor.call("GET", "/v1/jobs", cookie)).status_code == 200

    out = await visitor.call("DELETE", "/v1/auth/session", cookie, OWN)

    assert (out.status_code, out.headers["set-cookie"]) == (204, cookies.CLEARED)
    assert code(await visitor.call("GET", "/v1/jobs", cookie)) == (401, "token_not_valid")
    again = await visitor.call("DELETE", "/v1/auth/session", cookie, OWN)
    assert (again.status_code, again.headers["set-cookie"]) == (204, cookies.CLEARED)
    assert (await visitor.http.delete("/v1/auth/session")).status_code == 204


async def test_only_a_page_that_may_use_the_cookie_changes_something_by_it(
    visitor: Visitor,
) -> None:
    cookie = await visitor.cookie()
    for method, path in (("POST", "/v1/jobs/list"), ("POST", "/v1/stream/tickets")):
        for origin in (OWN, DASH):
            assert (await visitor.call(method, path, cookie, origin)).status_code < 300
        for origin in STRANGERS:
            answer = await visitor.call(method, path, cookie, origin)
            assert code(answer) == (403, "origin_refused"), origin
        assert code(await visitor.call(method, path, cookie)) == (401, "not_authenticated")
    for origin in STRANGERS:
        out = await visitor.call("DELETE", "/v1/auth/session", cookie, origin)
        assert code(out) == (403, "origin_refused")
    assert code(await visitor.call("DELETE", "/v1/auth/session", cookie))[0] == 401
    assert (await visitor.call("GET", "/v1/jobs", cookie)).status_code == 200


async def test_a_look_needs_no_origin_but_none_of_a_stranger(visitor: Visitor) -> None:
    cookie = await visitor.cookie()
    assert (await visitor.call("GET", "/v1/jobs", cookie)).status_code == 200
    assert (await visitor.call("GET", "/v1/jobs", cookie, OWN)).status_code == 200
    for origin in STRANGERS:
        assert (await visitor.call("GET", "/v1/jobs", cookie, origin)).status_code == 403
    for path in ("/v1/jobs/1/acquire", "/v1/nodes/ping"):  # they change something
        assert code(await visitor.call("GET", path, cookie))[0] == 401
        assert code(await visitor.call("GET", path, cookie, OWN))[0] == 403


@pytest.mark.parametrize(
    ("origin", "site", "status"),
    [
        (None, None, 401),
        (None, "cross-site", 401),
        (None, "same-site", 401),
        (None, "same-origin", 200),
        (OWN, None, 200),
        (STRANGERS[0], "same-origin", 403),
    ],
)
async def test_an_event_stream_by_cookie_needs_a_page_of_the_hubs_own(
    visitor: Visitor, origin: str | None, site: str | None, status: int
) -> None:
    more = {"Accept": "text/event-stream"} | ({"Sec-Fetch-Site": site} if site else {})
    answer = await visitor.call("GET", "/v1/events", await visitor.cookie(), origin, **more)
    assert answer.status_code == status


async def test_what_was_shown_on_purpose_counts_before_the_cookie(visitor: Visitor) -> None:
    cookie = await visitor.cookie()
    good = {"Authorization": "Bearer vic"}
    for origin in (None, OWN, *STRANGERS):
        answer = await visitor.call("POST", "/v1/tokens", cookie, origin, **good)
        assert answer.status_code == 400  # vic is let in, and the body is wrong
    bad = await visitor.call("GET", "/v1/jobs", cookie, OWN, Authorization="Bearer nobody")
    assert code(bad) == (401, "token_not_valid")


async def test_a_cookie_is_no_token_and_a_token_no_cookie(visitor: Visitor) -> None:
    cookie = await visitor.cookie()
    # Once as a cookie, so that it is believed to be good; it is, as a cookie.
    assert (await visitor.call("GET", "/v1/jobs", cookie)).status_code == 200
    headers = {"Authorization": f"Bearer {cookie}"}
    answer = await visitor.http.get("/v1/jobs", headers=headers)
    assert code(answer) == (401, "token_not_valid")
    for path, name in (("/v1/auth/refresh", "refresh"), ("/v1/auth/verify", "token")):
        assert (await visitor.http.post(path, json={name: cookie})).status_code == 401
    assert (await visitor.accounts.user.get("/v1/jobs")).status_code == 200
    assert (await visitor.call("GET", "/v1/jobs", "uma")).status_code == 401


async def test_a_page_of_a_stranger_can_sign_nobody_in(visitor: Visitor) -> None:
    for origin in STRANGERS:
        answer = await visitor.signs_in(origin)
        assert code(answer) == (403, "origin_refused")
        assert "set-cookie" not in answer.headers
    assert (await visitor.signs_in(None)).status_code == 204


async def test_a_session_ends_with_its_time_its_account_and_its_password(
    visitor: Visitor, later: Callable[[float], None]
) -> None:
    cookie = await visitor.cookie()
    await visitor.hub.accounts.set_password(HUB, UMA, PASSWORD)
    assert code(await visitor.call("GET", "/v1/jobs", cookie)) == (401, "token_not_valid")
    cookie = await visitor.cookie()
    await visitor.hub.accounts.disable(HUB, UMA)
    assert code(await visitor.call("GET", "/v1/jobs", cookie)) == (401, "user_inactive")
    assert code(await visitor.signs_in()) == (401, "bad_credentials")
    cookie = cookie_of(await visitor.signs_in(username="vic"))
    later(visitor.hub.settings.refresh_token_s - 1)
    assert (await visitor.call("GET", "/v1/jobs", cookie)).status_code == 200
    later(1)
    assert code(await visitor.call("GET", "/v1/jobs", cookie)) == (401, "token_not_valid")


async def test_failed_sign_ins_count_whatever_they_were_for(visitor: Visitor) -> None:
    for number in range(10):
        if number % 2:
            answer = await visitor.signs_in(password="wrong")
        else:
            fields = f"username=uma&password=wrong{number}"
            headers = {**FORM, "Origin": OWN}
            answer = await visitor.http.post("/ui/sign-in", content=fields, headers=headers)
        assert answer.status_code == 401
    body = {"username": "uma", "password": PASSWORD}
    assert code(await visitor.http.post("/v1/auth/obtain", json=body)) == (429, "rate_limited")
    refused = await visitor.signs_in()
    assert code(refused) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) <= 60
    assert "set-cookie" not in refused.headers


async def test_pages_that_may_use_the_cookie_may_read_the_answers(visitor: Visitor) -> None:
    cookie = await visitor.cookie()
    answer = await visitor.call("GET", "/v1/jobs", cookie, DASH)
    assert answer.headers["access-control-allow-origin"] == DASH
    assert answer.headers["access-control-allow-credentials"] == "true"
    answer = await visitor.call("GET", "/v1/jobs", cookie, STRANGERS[0])
    assert "access-control-allow-origin" not in answer.headers


# --- Tickets --------------------------------------------------------------------------------------


async def identity(visitor: Visitor, name: str = "uma") -> Identity:
    return await visitor.hub.tokens.identify(name)


async def ticket(visitor: Visitor, *, origin: str | None = None, job: int | None = None) -> str:
    return await visitor.hub.tickets.make(await identity(visitor), origin=origin, job=job)


async def test_a_ticket_is_shown_once_and_stored_as_a_hash(visitor: Visitor) -> None:
    answer = await visitor.accounts.user.post("/v1/stream/tickets", json={"job": 7})
    made = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert made.keys() == {"ticket", "expires_in"}
    assert made["expires_in"] == 30
    assert re.fullmatch(r"[\w-]+", made["ticket"])  # what may stand in a subprotocol
    rows = await visitor.hub.engine.fetch("SELECT * FROM tickets")
    assert digest(made["ticket"]) in rows[0]
    assert made["ticket"] not in str(rows)
    bodies: list[Any] = [{"job": 0}, {"job": "7"}, {"jobs": 7}, []]
    for body in bodies:
        refused = await visitor.accounts.user.post("/v1/stream/tickets", json=body)
        assert refused.status_code == 400
    assert (await visitor.http.post("/v1/stream/tickets")).status_code == 401


async def test_a_ticket_is_taken_once(visitor: Visitor) -> None:
    text = await ticket(visitor)
    taken = await visitor.hub.tickets.take(text, origin=None, job=None)
    assert (taken.account, taken.session) == (UMA, "uma")
    with pytest.raises(TicketNotValid):
        await visitor.hub.tickets.take(text, origin=None, job=None)


async def test_of_two_processes_that_take_a_ticket_one_gets_it(visitor: Visitor) -> None:
    engines = [make_engine(visitor.hub.settings.database) for _ in range(2)]
    try:
        for engine in engines:
            await engine.start()
        doors = [Tickets(engine, Tokens(engine, 60, 60)) for engine in engines]
        for _ in range(10):
            text = await ticket(visitor)
            tries = [door.take(text, origin=None, job=None) for door in (*doors, *doors)]
            found = await asyncio.gather(*tries, return_exceptions=True)
            assert sum(isinstance(one, Identity) for one in found) == 1
            assert sum(isinstance(one, TicketNotValid) for one in found) == 3
    finally:
        for engine in engines:
            await engine.stop()
        bind(visitor.hub.engine)


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({"origin": OWN}, {"origin": DASH}),
        ({"origin": OWN}, {"origin": None}),
        ({"origin": OWN}, {"origin": f"{OWN}.evil.com"}),
        ({"origin": OWN}, {"origin": "null"}),
        ({"job": 7}, {"job": 8}),
        ({"job": 7}, {}),
        ({}, {"job": 7}),
    ],
)
async def test_a_ticket_shown_elsewhere_is_not_good_and_gone(
    visitor: Visitor, asked: Json, shown: Json
) -> None:
    place: Json = {"origin": None, "job": None}
    text = await ticket(visitor, **(place | asked))
    for where in (place | shown, place | asked):
        with pytest.raises(TicketNotValid):
            await visitor.hub.tickets.take(text, **where)


async def test_a_ticket_of_a_program_can_be_used_by_any_page(visitor: Visitor) -> None:
    for origin in (None, OWN, "https://elsewhere.example"):
        text = await ticket(visitor, job=7)
        assert (await visitor.hub.tickets.take(text, origin=origin, job=7)).account == UMA


async def test_a_ticket_is_good_for_half_a_minute(
    visitor: Visitor, later: Callable[[float], None]
) -> None:
    early, late = await ticket(visitor), await ticket(visitor)
    later(29.9)
    assert (await visitor.hub.tickets.take(early, origin=None, job=None)).account == UMA
    later(0.1)
    with pytest.raises(TicketNotValid):
        await visitor.hub.tickets.take(late, origin=None, job=None)


async def revoked_token(visitor: Visitor) -> tuple[str, type[HubError]]:
    user = visitor.accounts.user
    made = (await user.post("/v1/tokens", json={"name": "n"})).json()
    owner = await identity(visitor, made["token"])
    text = await visitor.hub.tickets.make(owner, origin=None, job=None)
    await user.delete(f"/v1/tokens/{made['pk']}")
    return text, TokenNotValid


async def new_password(visitor: Visitor) -> tuple[str, type[HubError]]:
    text = await ticket(visitor)
    await visitor.hub.accounts.set_password(HUB, UMA, PASSWORD)
    return text, TokenNotValid


async def disabled_account(visitor: Visitor) -> tuple[str, type[HubError]]:
    text, owner = await ticket(visitor), await identity(visitor)
    await visitor.hub.accounts.disable(HUB, UMA)
    with pytest.raises(UserInactive):
        await visitor.hub.tickets.make(owner, origin=None, job=None)
    return text, UserInactive


async def signed_out(visitor: Visitor) -> tuple[str, type[HubError]]:
    cookie = await visitor.cookie()
    made = await visitor.call("POST", "/v1/stream/tickets", cookie, OWN)
    await visitor.call("DELETE", "/v1/auth/session", cookie, OWN)
    return made.json()["ticket"], TokenNotValid


@pytest.mark.parametrize("ended", [revoked_token, new_password, disabled_account, signed_out])
async def test_a_ticket_ends_with_its_session(
    visitor: Visitor, ended: Callable[[Visitor], Awaitable[tuple[str, type[HubError]]]]
) -> None:
    text, problem = await ended(visitor)
    with pytest.raises(HubError) as caught:
        await visitor.hub.tickets.take(text, origin=OWN, job=None)
    assert caught.type is problem


async def test_an_account_has_only_so_many_tickets_that_wait(
    visitor: Visitor, later: Callable[[float], None]
) -> None:
    first = await ticket(visitor)
    for _ in range(MOST - 1):
        await ticket(visitor)
    with pytest.raises(TooManyTries) as caught:
        await ticket(visitor)
    assert caught.value.retry_after_s == 30
    await visitor.hub.tickets.take(first, origin=None, job=None)
    await ticket(visitor)
    later(31)
    await ticket(visitor)  # those that nobody came with count no more
    assert await visitor.hub.tickets.sweep() == MOST
    assert await visitor.hub.engine.fetch("SELECT COUNT(*) FROM tickets") == [(1,)]


async def test_made_up_tickets_do_not_get_at_the_writer(visitor: Visitor) -> None:
    async with visitor.hub.engine.transaction():  # as long as this is open nobody else writes
        for text in ("hub_t_made_up", "x" * 10_000, ""):
            with pytest.raises(TicketNotValid):
                async with asyncio.timeout(5):
                    await visitor.hub.tickets.take(text, origin=None, job=None)


async def test_an_origin_that_no_browser_sends_gets_no_ticket(visitor: Visitor) -> None:
    for origin in ("https://" + "x" * 300, "https://h\xfcb.example".encode("latin-1")):
        headers: Any = {"Origin": origin}
        answer = await visitor.accounts.user.post("/v1/stream/tickets", headers=headers)
        assert code(answer) == (400, "invalid_input")


# --- Handshakes -----------------------------------------------------------------------------------


def asked(*headers: tuple[str, str], offered: tuple[str, ...] = ("hub.v1",)) -> Json:
    """Return what a server says of a handshake."""
    return {
        "type": "websocket",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "subprotocols": list(offered),
        "server": ("hub", 8000),
    }


async def test_who_says_nothing_may_say_it_in_the_first_message(visitor: Visitor) -> None:
    doors = visitor.hub.doors
    cookie = ("Cookie", f"__Host-hub={await visitor.cookie()}")
    for scope in (
        asked(),
        asked(("Origin", STRANGERS[0])),
        asked(cookie),
        asked(cookie, ("Origin", STRANGERS[0])),
        asked(("Cookie", "__Host-hub=old"), ("Origin", OWN)),
    ):
        assert await doors.handshake(scope, "jobs_watch", job=1, may_wait=True) is None
        with pytest.raises(HubError):
            await doors.handshake(scope, "jobs_watch", job=1)
    # What was shown on purpose is not passed over.
    for scope in (
        asked(("Authorization", "Bearer nobody")),
        asked(("Authorization", "Basic dW1h")),
        asked(offered=("hub.v1", "hub.ticket.nothing")),
    ):
        with pytest.raises(HubError):
            await doors.handshake(scope, "jobs_watch", job=1, may_wait=True)

    admission = await doors.first_message("uma", "jobs_watch")
    assert (admission.identity.username, admission.expires_us) == ("uma", None)
    assert "uma" not in repr(admission.credential)
    for bad in ("nobody", cookie[1].partition("=")[2]):
        with pytest.raises(TokenNotValid):
            await doors.first_message(bad, "jobs_watch")


async def test_what_lets_in_says_how_long_it_does(visitor: Visitor) -> None:
    signed_in = await visitor.hub.accounts.sign_in.with_password("uma", PASSWORD, None)
    owner = await identity(visitor, signed_in.access)
    text = await visitor.hub.tickets.make(owner, origin=None, job=None)
    rows = await visitor.hub.engine.fetch("SELECT kind, expires_us FROM tokens")
    ends = dict(rows)

    by_token = await visitor.hub.doors.first_message(signed_in.access, "jobs_watch")
    scope = asked(offered=("hub.v1", f"hub.ticket.{text}"))
    by_ticket = await visitor.hub.doors.handshake(scope, "jobs_watch")

    assert by_ticket is not None
    assert by_token.expires_us == owner.expires_us
    # The session behind a ticket lives as long as one of its tokens.
    assert by_ticket.expires_us == ends["refresh"]


async def test_a_right_that_ends_ends_its_socket(visitor: Visitor) -> None:
    sockets, doors = visitor.hub.sockets, visitor.hub.doors
    reading = await doors.first_message("uma", "jobs_watch")
    writing = await doors.first_message("uma", "jobs_submit")
    with sockets.entered(reading) as reader, sockets.entered(writing) as writer:
        await sockets.check_rights()
        assert not reader.ended.done()
        assert not writer.ended.done()

        await visitor.hub.accounts.change(HUB, UMA, UserPatchIn(role="viewer"))
        await sockets.check_rights()

        assert writer.ended.result() == 4003
        assert not reader.ended.done()
        assert reader.admission is not None
        assert reader.admission.identity.role == "viewer"  # as it is now
        with sockets.entered(None) as unknown:
            await sockets.check_rights()
            assert not unknown.ended.done()


# --- The sign-in page -----------------------------------------------------------------------------


async def test_the_page_signs_in_and_out_by_forms(visitor: Visitor) -> None:
    page = await visitor.http.get("/ui/")
    assert page.status_code == 200
    assert 'action="/jobs/ui/sign-in"' in page.text

    headers = {**FORM, "Origin": OWN}
    fields = httpx.QueryParams({"username": "uma", "password": PASSWORD})
    answer = await visitor.http.post("/ui/sign-in", content=str(fields), headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs/ui/")
    cookie = cookie_of(answer)

    page = await visitor.call("GET", "/ui/", cookie)
    assert "You are <b>uma</b>, with the role <b>user</b>." in page.text
    assert 'action="/jobs/ui/sign-out"' in page.text
    assert 'type="password"' not in page.text

    refused = await visitor.call("POST", "/ui/sign-out", cookie, STRANGERS[0])
    assert refused.status_code == 403
    out = await visitor.call("POST", "/ui/sign-out", cookie, OWN)
    assert (out.status_code, out.headers["location"]) == (303, "/jobs/ui/")
    assert out.headers["set-cookie"] == cookies.CLEARED
    assert 'action="/jobs/ui/sign-in"' in (await visitor.call("GET", "/ui/", cookie)).text


async def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(visitor: Visitor) -> None:
    signed_in = await visitor.call("GET", "/ui/", await visitor.cookie())
    for page in (await visitor.http.get("/ui/"), signed_in):
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self';")
        assert "form-action 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        # With "no-referrer" browsers send "Origin: null" with the form.
        assert page.headers["referrer-policy"] == "same-origin"
        assert page.headers["cache-control"] == "no-store"
        links = set(re.findall(r"(?:src|href|action)=\"([^\"]*)\"", page.text))
        assert {link for link in links if not link.startswith("/jobs/")} == {"data:,"}
        assert not re.search(r"<script|<style|\s(?:on\w+|style)=", page.text)
    page = await visitor.http.get("/ui/")
    for name in re.findall(r'<input id="(\w+)"', page.text):
        assert f'<label for="{name}">' in page.text


async def test_the_page_says_why_nobody_was_signed_in(visitor: Visitor) -> None:
    async def tried(origin: str, **fields: str) -> httpx.Response:
        content = str(httpx.QueryParams(fields))
        headers = {**FORM, "Origin": origin}
        return await visitor.http.post("/ui/sign-in", content=content, headers=headers)

    wrong = await tried(OWN, username='"><b>uma', password="wrong")
    assert wrong.status_code == 401
    assert 'role="alert"' in wrong.text
    assert 'value="&quot;&gt;&lt;b&gt;uma"' in wrong.text
    assert "wrong" not in wrong.text
    for fields in ({}, {"username": "uma"}, {"username": "u" * 200, "password": "x"}):
        assert (await tried(OWN, **fields)).status_code == 401
    stranger = await tried(STRANGERS[0], username="uma", password=PASSWORD)
    assert stranger.status_code == 403
    assert "HUB_PUBLIC_URL" in stranger.text
    for answer in (wrong, stranger):
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b'{"username":"uma"}', "application/json", 415),
        (b"username=uma", "", 415),
        (b"\xff\xfe", FORM["content-type"], 400),
        (b"&".join(b"a=1" for _ in range(99)), FORM["content-type"], 400),
        (b"username=%00&password=x", FORM["content-type"], 400),
        (b"x" * 20_000, FORM["content-type"], 413),
    ],
)
async def test_what_is_no_such_form_is_a_problem(
    visitor: Visitor, content: bytes, media_type: str, status: int
) -> None:
    headers = {"Origin": OWN, "content-type": media_type}
    answer = await visitor.http.post("/ui/sign-in", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_without_a_public_url_pages_on_this_machine_can_sign_in(
    fresh_url: str, tmp_path: Path
) -> None:
    async with visited({}, fresh_url, tmp_path) as visitor:
        visitor.http.base_url = httpx.URL("http://localhost:8000")
        for origin in ("http://localhost:8000", "http://127.0.0.1:8000"):
            assert (await visitor.signs_in(origin)).status_code == 204
        for origin in ("http://localhost:8001", "http://10.0.0.5:8000", "null"):
            assert code(await visitor.signs_in(origin)) == (403, "origin_refused")
        assert 'action="/ui/sign-in"' in (await visitor.http.get("/ui")).text


# --- Proxies --------------------------------------------------------------------------------------


async def test_the_callers_own_address_counts_behind_a_trusted_proxy(
    fresh_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in, "ADDRESS_FAILURES", 10)  # each costs a hash
    settings = {**PUBLIC, "HUB_TRUSTED_PROXIES": "10.0.0.1"}
    async with visited(settings, fresh_url, tmp_path) as visitor:
        proxy, stranger = visitor.at("10.0.0.1"), visitor.at("203.0.113.99")

        async def fails(by: Visitor, forwarded: str, name: str) -> int:
            body = {"username": name, "password": "wrong"}
            headers = {"X-Forwarded-For": forwarded}
            return (await by.http.post("/v1/auth/obtain", json=body, headers=headers)).status_code

        for number in range(10):
            assert await fails(proxy, "198.51.100.1, 203.0.113.7", f"nobody{number}") == 401
            # Each time another forged address, and yet one place.
            assert await fails(stranger, f"198.51.100.{number}", f"noone{number}") == 401
        assert await fails(proxy, "203.0.113.7", "nobody") == 429
        assert await fails(proxy, "203.0.113.8", "nobody") == 401
        assert await fails(stranger, "203.0.113.8", "noone") == 429

        for by, address in ((proxy, "203.0.113.7"), (stranger, "203.0.113.99")):
            headers = {"Authorization": "Bearer uma", "X-Forwarded-For": "203.0.113.7"}
            made = await by.http.post("/v1/tokens", json={"name": "n"}, headers=headers)
            assert made.status_code == 201
            rows = await visitor.hub.engine.fetch("SELECT address FROM audit ORDER BY pk DESC")
            assert rows[0] == (address,)
