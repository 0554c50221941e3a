"""The doors of a hub that browsers reach by way of a proxy: real handshakes, real sockets."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import MappingProxyType

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.conformance.foreign import Client, Json, World, good, world_on
from tests.conformance.hub_process import HubProcess, StartHub

LIMIT_S = 5.0
ENDS_WITHIN_S = 5.0
"""How long a socket may outlive what it was opened with."""

OWN, DASH = "https://hub.example", "https://dash.example:8443"
STRANGERS = [
    *("https://hub.example:8443", "http://hub.example", "https://evil-hub.example"),
    *("https://hub.example.evil.com", "https://dash.example", "null"),
]
SETTINGS = {
    "HUB_PUBLIC_URL": f"{OWN}/jobs",
    "HUB_ALLOWED_ORIGINS": DASH,
    "HUB_TRUSTED_PROXIES": "127.0.0.1",
    "HUB_LOG_LEVEL": "debug",
}


Headers = Mapping[str, str]
NO_HEADERS: Headers = MappingProxyType({})


class Site:
    """A hub, and the secrets that were shown to it."""

    def __init__(self, hub: HubProcess, world: World) -> None:
        self.hub = hub
        self.world = world
        self.secrets: list[str] = []

    def cookie(self, username: str = "viewer") -> str:
        """Return what the cookie of a new session holds."""
        body = {"username": username, "password": f"{username}-password"}
        said = {"Origin": OWN}
        answer = self.world.nobody.ask("POST", "/v1/auth/session", body, headers=said)
        assert answer.status_code == 204, answer.text
        found = re.match("__Host-hub=([^;]+);", answer.headers["set-cookie"])
        assert found
        self.secrets.append(found[1])
        return found[1]

    def ticket(
        self, job: int | None, client: Client, origin: str | None = None, **said: str
    ) -> str:
        """Return a new ticket."""
        said |= {} if origin is None else {"Origin": origin}
        answer = client.ask("POST", "/v1/stream/tickets", {"job": job}, headers=said)
        text: str = good(answer, 201)["ticket"]
        self.secrets.append(text)
        return text

    @contextmanager
    def socket(
        self,
        job: int,
        *,
        query: str = "",
        origin: str | None = None,
        tickets: tuple[str, ...] = (),
        v1: bool = False,
        headers: Headers = NO_HEADERS,
    ) -> Iterator[ClientConnection]:
        """Open the socket of a job."""
        offered = ["hub.v1"] * v1 + [f"hub.ticket.{text}" for text in tickets]
        with connect(
            f"{self.hub.socket_url}/v1/jobs/{job}{query}",
            origin=None if origin is None else Origin(origin),
            subprotocols=[Subprotocol(name) for name in offered] or None,
            additional_headers=dict(headers),
            proxy=None,
            open_timeout=LIMIT_S,
        ) as connection:
            yield connection

    def refusal(
        self,
        job: int,
        *,
        query: str = "",
        origin: str | None = None,
        tickets: tuple[str, ...] = (),
        v1: bool = False,
        headers: Headers = NO_HEADERS,
    ) -> tuple[int, str]:
        """Return the status and the code of a handshake that is refused."""
        opened = self.socket(
            job, query=query, origin=origin, tickets=tickets, v1=v1, headers=headers
        )
        with pytest.raises(InvalidStatus) as caught, opened:
            pass
        response = caught.value.response
        assert response.headers["content-type"] == "application/problem+json"
        return response.status_code, json.loads(response.body)["code"]

    def by_cookie(self, cookie: str) -> dict[str, str]:
        return {"Cookie": f"other=1; __Host-hub={cookie}"}


@pytest.fixture(scope="module")
def site(start_hub: StartHub) -> Iterator[Site]:
    with start_hub(**SETTINGS) as hub, world_on(hub) as world:
        yield Site(hub, world)
        assert hub.stop() == 0
        assert hub.complaints() == []


def first(connection: ClientConnection) -> str:
    message = connection.recv(timeout=LIMIT_S)
    transition: str = json.loads(message)["transition"]
    return transition


def hello(connection: ClientConnection) -> Json:
    message = json.loads(connection.recv(timeout=LIMIT_S))
    assert message["op"] == "hello"
    return message


def closed(connection: ClientConnection, within_s: float = LIMIT_S) -> tuple[int, str]:
    """Return the code and the reason with which the hub closes."""
    with pytest.raises(ConnectionClosed) as caught:
        connection.recv(timeout=within_s)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


# --- Cookies --------------------------------------------------------------------------------------


def test_a_socket_by_cookie_opens_for_allowed_pages_alone(site: Site) -> None:
    job, _ = site.world.running()
    shown = site.by_cookie(site.cookie())
    for origin in (OWN, DASH):
        with site.socket(job, origin=origin, headers=shown) as connection:
            assert first(connection) == "progress"
            assert connection.subprotocol is None
    for origin in STRANGERS:
        assert site.refusal(job, origin=origin, headers=shown) == (403, "origin_refused"), origin
    assert site.refusal(job, headers=shown) == (401, "not_authenticated")


def test_a_bearer_token_counts_before_a_cookie(site: Site) -> None:
    job, _ = site.world.running()
    shown = site.by_cookie(site.cookie())
    with site.socket(
        job, origin=STRANGERS[0], headers=shown | site.world.viewer.headers
    ) as connection:
        assert first(connection) == "progress"
    bad = {"Authorization": "Bearer no-token"}
    assert site.refusal(job, origin=OWN, headers=shown | bad) == (401, "token_not_valid")


def test_a_cookie_that_is_no_good_opens_nothing(site: Site) -> None:
    job = site.world.new_job()
    for text in ("hub_c_made_up", "", site.world.viewer.token or ""):
        assert site.refusal(job, origin=OWN, headers=site.by_cookie(text))[0] == 401


# --- Tickets --------------------------------------------------------------------------------------


def test_a_ticket_opens_one_socket(site: Site) -> None:
    job, _ = site.world.running()
    text = site.ticket(job, site.world.viewer)
    with site.socket(job, tickets=(text,)) as connection:
        assert first(connection) == "progress"
        assert connection.subprotocol is None
    assert site.refusal(job, tickets=(text,)) == (401, "ticket_not_valid")
    with site.socket(job, tickets=(site.ticket(job, site.world.viewer),), v1=True) as connection:
        assert connection.subprotocol == "hub.v1"
        assert hello(connection)["auth"] == "ok"


def test_of_eight_that_come_with_one_ticket_at_once_one_gets_in(site: Site) -> None:
    job, _ = site.world.running()

    def come(text: str) -> bool:
        try:
            with site.socket(job, tickets=(text,)) as connection:
                return first(connection) == "progress"
        except InvalidStatus:
            return False

    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            text = site.ticket(job, site.world.viewer)
            assert sum(pool.map(come, [text] * 8)) == 1


def test_a_ticket_is_for_its_job_its_page_and_alone(site: Site) -> None:
    job, other = site.world.new_job(), site.world.new_job()
    viewer = site.world.viewer
    bad = (401, "ticket_not_valid")
    assert site.refusal(other, tickets=(site.ticket(job, viewer),)) == bad
    assert site.refusal(job, tickets=(site.ticket(None, viewer),)) == bad
    for origin in (None, "null", f"{DASH}.evil.com"):
        text = site.ticket(job, viewer, origin=DASH)
        assert site.refusal(job, tickets=(text,), origin=origin) == bad
    two = (site.ticket(job, viewer), site.ticket(job, viewer))
    assert site.refusal(job, tickets=two) == bad
    for text in ("made-up", "x" * 3_000):
        assert site.refusal(job, tickets=(text,)) == bad
    with site.socket(job, tickets=(site.ticket(job, viewer, origin=DASH),), origin=DASH):
        pass


def test_a_page_of_any_origin_may_come_with_its_own_ticket(site: Site) -> None:
    job, _ = site.world.running()
    origin = "https://elsewhere.example"
    text = site.ticket(job, site.world.viewer, origin)
    with site.socket(job, tickets=(text,), origin=origin) as connection:
        assert first(connection) == "progress"


# --- What a page is told --------------------------------------------------------------------------


def test_a_page_that_speaks_hub_v1_is_told_by_a_close_code(site: Site) -> None:
    job, page = site.world.new_job(), "https://elsewhere.example"
    good_one = {"Authorization": f"Bearer {site.world.viewer.token}"}
    shown = site.by_cookie(site.cookie())
    for told, target, headers in (
        ((4101, "token_not_valid"), job, {"Authorization": "Bearer no-token"}),
        ((4004, "not_found"), 2**40, good_one),
        ((4004, "not_found"), 0, good_one),
        ((4000, "invalid_input"), job, good_one),
    ):
        query = "?progress=x" if told[0] == 4000 else ""
        with site.socket(target, query=query, origin=page, v1=True, headers=headers) as connection:
            assert connection.subprotocol == "hub.v1"
            assert closed(connection) == told
    # A cookie that does not count is like none: the first message must say who it is.
    for headers in ({}, shown):
        with site.socket(job, origin=page, v1=True, headers=headers) as connection:
            assert hello(connection)["auth"] == "required"
    # Whoever does not speak it gets an answer that can be read.
    assert site.refusal(job, origin=page) == (401, "not_authenticated")


# --- The end --------------------------------------------------------------------------------------


def test_a_socket_ends_with_what_it_was_opened_with(site: Site) -> None:
    world = site.world
    job, _ = world.running()
    made = good(world.creator.post("/v1/tokens", {"name": "n"}), 201)
    program = Client(world.http, made["token"])
    cookie, other = site.cookie("creator"), site.cookie("creator")
    shown = site.by_cookie(cookie)
    ticket = site.ticket(job, world.nobody, OWN, **shown)
    with (
        site.socket(job, origin=OWN, headers=shown) as by_cookie,
        site.socket(job, tickets=(ticket,), origin=OWN) as by_ticket,
        site.socket(job, tickets=(site.ticket(job, program),)) as by_programs_ticket,
        site.socket(job, headers=program.headers) as by_token,
        site.socket(job, origin=OWN, headers=site.by_cookie(other)) as by_other_cookie,
    ):
        everybody = (by_cookie, by_ticket, by_programs_ticket, by_token, by_other_cookie)
        assert [first(one) for one in everybody] == ["progress"] * 5

        begun = time.monotonic()
        out = world.nobody.ask("DELETE", "/v1/auth/session", headers={"Origin": OWN, **shown})
        assert out.status_code == 204
        assert world.creator.delete(f"/v1/tokens/{made['pk']}").status_code == 204
        ended = (by_cookie, by_ticket, by_programs_ticket, by_token)
        assert [closed(one)[0] for one in ended] == [4101] * 4
        assert time.monotonic() - begun < ENDS_WITHIN_S

        assert by_other_cookie.ping().wait(LIMIT_S)  # another session of the same account


def test_a_socket_by_cookie_ends_with_the_account(site: Site) -> None:
    world = site.world
    job, _ = world.running()
    account = {"username": "guest", "password": "guest-password", "role": "viewer"}
    pk = good(world.admin.post("/v1/users/create", account), 201)["pk"]
    guest = Client(world.http).signed_in("guest", "guest-password")
    shown = site.by_cookie(site.cookie("guest"))
    with (
        site.socket(job, origin=OWN, headers=shown) as by_cookie,
        site.socket(job, tickets=(site.ticket(job, guest),)) as by_ticket,
    ):
        assert [first(by_cookie), first(by_ticket)] == ["progress"] * 2
        assert world.admin.delete(f"/v1/users/{pk}").status_code == 204

        assert [closed(by_cookie)[0], closed(by_ticket)[0]] == [4101, 4101]


def test_where_anybody_may_watch_a_cookie_that_does_not_count_is_no_hindrance(
    start_hub: StartHub,
) -> None:
    with start_hub(HUB_ANONYMOUS_WATCH="1") as hub, world_on(hub) as world:
        site, (job, _) = Site(hub, world), world.running()
        for origin in (None, "https://elsewhere.example", hub.url):
            with site.socket(job, origin=origin, headers=site.by_cookie("old")) as connection:
                assert first(connection) == "progress"
        bad = site.ticket(job, world.viewer)[:-1]
        assert site.refusal(job, tickets=(bad,)) == (401, "ticket_not_valid")


# --- What is kept to oneself ----------------------------------------------------------------------


def test_no_secret_is_in_the_log_however_much_it_tells(site: Site) -> None:
    world, job = site.world, site.world.new_job()
    cookie, token = site.cookie(), world.viewer.token or ""
    ticket = site.ticket(job, world.viewer)
    query = f"?token={token}&access_token={token}&ticket={ticket}&cookie={cookie}"
    assert site.refusal(job, query=query)[0] == 401
    with site.socket(job, query=query, headers=world.viewer.headers):
        pass
    assert world.nobody.get(f"/v1/jobs{query}").status_code == 401
    with site.socket(job, tickets=(ticket,), origin=OWN, headers=site.by_cookie(cookie)):
        pass
    site.refusal(job, tickets=(ticket,), origin=OWN, headers=site.by_cookie(cookie))
    page = {"Origin": OWN, **site.by_cookie(cookie)}
    assert world.nobody.ask("DELETE", "/v1/auth/session", headers=page).status_code == 204
    site.refusal(job, headers=page)

    said = site.hub.everything_said()
    passwords = [f"{name}-password" for name in ("viewer", "creator", "guest")]
    assert "DEBUG" in said
    assert [it for it in (*site.secrets, token, *passwords) if it in said] == []
    assert re.findall(r"hub_[a-z]_[\w-]{20}", said) == []


def test_a_proxy_on_this_machine_says_who_calls(site: Site) -> None:
    world = site.world
    said = {"X-Forwarded-For": "198.51.100.1, 203.0.113.7", "X-Forwarded-Proto": "https"}
    good(world.creator.ask("POST", "/v1/tokens", {"name": "n"}, headers=said), 201)
    rows = good(world.admin.get("/v1/audit?limit=1000"))["items"]
    (address,) = {row["address"] for row in rows if row["action"] == "tokens.create"} - {
        "127.0.0.1"
    }
    assert address == "203.0.113.7"
