"""Signing in, and staying signed in: tokens that expire under both clients and under a worker."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.compat import actions
from tests.compat.browser_client import Thrown
from tests.compat.conftest import FindHome
from tests.compat.launcher import LOG_TYPE, Hooks, Launcher, Work
from tests.compat.patience import until
from tests.compat.python_client import Answer, PythonClient, Refused, TokenFile, Tokens
from tests.compat.site import Site

ACCESS_S = 3
REFRESH_S = 7
LIMIT_S = 20.0
LARGE = 24 * 2**20
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJqdHQiOiJyZWZyZXNoIiwidXBrIjoiMSJ9.c2lnbmVkIGJ5IHNvbWVib2R5IGVsc2U"
"""The form of tokens of the UFDL server."""

BEYOND_A_USER = (
    *("POST v1/users/list", "POST v1/users/create", "GET v1/users/1", "GET v1/users/admin"),
    *("POST v1/hardware/create", "POST v1/cuda/create", "POST v1/docker/create"),
    *("POST v1/frameworks/create", "POST v1/domains/create", "POST v1/licences/create"),
    *("POST v1/job-types/create", "POST v1/job-contracts/create", "DELETE v1/job-types/1"),
    *("POST v1/job-templates/import", "POST v1/job-templates/create", "DELETE v1/job-templates/1"),
    *("GET v1/job-templates/1/export", "POST v1/jobs/create", "GET v1/jobs/1/acquire"),
    *("DELETE v1/jobs/1/abort", "DELETE v1/jobs/1", "DELETE v1/jobs/1/hard", "GET v1/nodes/ping"),
)
"""Calls that are not a user's; none of them is about its token."""


@pytest.fixture(scope="module")
def brief(find_home: FindHome) -> Iterator[Site]:
    """A hub whose tokens do not live long."""
    lives = {"HUB_ACCESS_TOKEN_S": str(ACCESS_S), "HUB_REFRESH_TOKEN_S": str(REFRESH_S)}
    with find_home("brief", **lives).running() as site:
        yield site


def refused(call: Callable[[], object]) -> Answer:
    """Return the answer to a call that is refused."""
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.answer


def wait_for_the_end_of(client: PythonClient, token: str) -> None:
    """Wait until a token is not good any more."""
    until(lambda: not client.verify(token), within_s=LIMIT_S)


# --- What is said ---------------------------------------------------------------------------------


def test_a_sign_in_gives_two_tokens_and_a_refresh_one(site: Site) -> None:
    client = site.account()
    said = {"username": client.username, "password": client.password}

    signed_in = client.post("v1/auth/obtain", said).json()
    refreshed = client.post("v1/auth/refresh", {"refresh": signed_in["refresh"]}).json()

    assert {name: type(text) for name, text in signed_in.items()} == {"access": str, "refresh": str}
    assert {name: type(text) for name, text in refreshed.items()} == {"access": str}
    assert client.post("v1/auth/verify", {"token": refreshed["access"]}).json() == {}
    assert client.verify(signed_in["access"])
    assert client.verify(signed_in["refresh"])
    assert not client.verify("x")


def test_a_refresh_token_is_good_again_and_again(site: Site) -> None:
    client = site.account()
    tokens = client.obtain()

    made = {client.refresh(tokens.refresh) for _ in range(3)}

    assert len(made) == 3
    assert all(client.verify(access) for access in (*made, tokens.access))


@pytest.mark.parametrize("kind", ["unknown", "access", "of another server"])
def test_what_is_no_refresh_token_is_answered_with_401(site: Site, kind: str) -> None:
    client = site.account()
    token = {"unknown": "x" * 40, "access": client.signed_in().access, "of another server": JWT}

    answer = refused(lambda: client.refresh(token[kind]))

    assert (answer.status, answer.json()["code"]) == (401, "token_not_valid")


def test_a_wrong_password_and_an_unknown_user_are_answered_alike(site: Site) -> None:
    known = site.account()
    known.password = "wrong"

    answers = [refused(client.obtain) for client in (known, site.nobody())]

    assert [answer.status for answer in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()
    assert isinstance(answers[0].json()["detail"], str)


@pytest.mark.parametrize("headers", [[], [("Authorization", "Basic eDp4")]])
def test_without_a_token_the_hub_asks_for_one(site: Site, headers: list[tuple[str, str]]) -> None:
    answer = refused(lambda: site.admin.call("POST", "v1/jobs/list", b"", headers))

    assert (answer.status, answer.json()["code"]) == (401, "not_authenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("kind", ["unknown", "refresh", "of another server", "empty"])
def test_what_is_no_access_token_is_answered_with_401(site: Site, kind: str) -> None:
    client = site.account()
    known = {"unknown": "x" * 40, "refresh": client.obtain().refresh, "of another server": JWT}
    headers = [("Authorization", f"Bearer {known.get(kind, '')}")]

    answer = refused(lambda: client.call("POST", "v1/jobs/list", b"", headers))

    assert (answer.status, answer.json()["code"]) == (401, "token_not_valid")
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("call", BEYOND_A_USER)
def test_a_lack_of_rights_is_never_answered_with_401(site: Site, call: str) -> None:
    method, url = call.split()
    tab = site.tab(of=site.account())
    typed = {"content-type": "application/json"} if method == "POST" else {}

    with pytest.raises(Thrown) as thrown:
        tab.fetched(method, url, b"{}" if typed else None, typed)

    assert thrown.value.status == 403


# --- Tokens are kept ------------------------------------------------------------------------------


def test_tokens_outlive_the_client_that_got_them(site: Site, tmp_path: Path) -> None:
    account, file = site.account(), TokenFile(tmp_path / "tokens.json")

    def client() -> PythonClient:
        return PythonClient(site.host, account.username, account.password, file)

    first, second = client(), client()
    actions.listed(first, "nodes")
    actions.listed(second, "nodes")

    assert [path for _, path, _ in first.calls] == ["/v1/auth/obtain", "/v1/nodes/list"]
    assert [path for _, path, _ in second.calls] == ["/v1/nodes/list"]


def test_tokens_of_another_hub_are_replaced(site: Site, tmp_path: Path) -> None:
    account, file = site.account(), TokenFile(tmp_path / "tokens.json")
    file.write(site.host, account.username, Tokens(JWT, JWT))
    client = PythonClient(site.host, account.username, account.password, file)

    actions.listed(client, "nodes")

    assert [call[1:] for call in client.calls] == [
        ("/v1/nodes/list", 401),
        ("/v1/auth/refresh", 401),
        ("/v1/auth/obtain", 200),
        ("/v1/nodes/list", 200),
    ]
    assert file.read(site.host, account.username) == client.signed_in()


# --- Tokens expire --------------------------------------------------------------------------------


def test_an_expired_token_is_refreshed_and_the_call_repeated(brief: Site) -> None:
    client = brief.account()
    former, tab = client.signed_in(), brief.tab(of=client)
    assert tab.record()["username"] == client.username
    for token in (former.access, tab.tokens.access):
        wait_for_the_end_of(client, token)
    client.calls.clear()
    tab.calls.clear()

    actions.listed(client, "nodes", {})
    tab.post("v1/nodes/list", {})

    expected = [
        ("POST", "/v1/nodes/list", 401),
        ("POST", "/v1/auth/refresh", 200),
        ("POST", "/v1/nodes/list", 200),
    ]
    assert (client.calls, tab.calls) == (expected, expected)
    assert client.signed_in().refresh == former.refresh


def test_when_both_tokens_have_expired_the_client_signs_in_again(brief: Site) -> None:
    client = brief.account()
    wait_for_the_end_of(client, client.signed_in().refresh)
    client.calls.clear()

    actions.listed(client, "nodes")

    assert [call[1:] for call in client.calls] == [
        ("/v1/nodes/list", 401),
        ("/v1/auth/refresh", 401),
        ("/v1/auth/obtain", 200),
        ("/v1/nodes/list", 200),
    ]


def test_a_worker_whose_token_expires_in_the_middle_of_a_run_brings_it_to_an_end(
    brief: Site,
) -> None:
    job = brief.job(brief.template())
    hooks = Hooks(before={"log": let_its_token_expire})
    worker = brief.launcher(brief.account(), Work(reports=((0.5, {}),)), hooks, sees={job})

    worker.run(continuous=False)

    assert worker.runs.get_nowait() == (job, True, True, [])
    stored = [status for _, path, status in worker.client.calls if "/outputs/" in path]
    assert stored == [401, 200]
    # The library had read the log for the call that met the 401: its repeat sends nothing.
    assert actions.get_output(brief.admin, job, "log", LOG_TYPE) == b""


def let_its_token_expire(launcher: Launcher) -> None:
    """Keep a worker waiting for so long."""
    wait_for_the_end_of(launcher.client, launcher.client.signed_in().access)


@pytest.mark.parametrize("kind", ["bytes", "file"])
def test_a_large_upload_learns_of_its_bad_token_and_comes_again(
    site: Site, template: int, kind: str
) -> None:
    """It is read to its end: a connection closed on the way would look like a broken network."""
    account = site.account()
    node = site.node(account)
    job = site.started(template, node)
    node.tokens = Tokens("expired", node.signed_in().refresh)
    data = bytes(LARGE)

    actions.add_output(node, job, "model", LOG_TYPE, data if kind == "bytes" else io.BytesIO(data))

    assert [status for _, path, status in node.calls if "outputs" in path] == [401, 200]
    stored = actions.get_output(node, job, "model", LOG_TYPE)
    assert len(stored) == (LARGE if kind == "bytes" else 0)
    actions.finish(node, job, success=True, send_notification="")


# --- Accounts that are disabled, and floods -------------------------------------------------------


def test_the_tokens_of_a_disabled_user_end_and_it_cannot_sign_in(site: Site) -> None:
    client = site.account()
    pk = actions.listed(site.admin, "users", named(client.username))[0]["pk"]
    tokens, tab = client.signed_in(), site.tab(of=client)
    tab.post("v1/nodes/list")

    assert actions.destroy(site.admin, "users", pk) == 204

    headers = [("Authorization", f"Bearer {tokens.access}")]
    access = refused(lambda: client.call("POST", "v1/nodes/list", b"", headers))
    assert (access.status, access.json()["code"]) == (401, "user_inactive")
    refresh = refused(lambda: client.refresh(tokens.refresh))
    assert (refresh.status, refresh.json()["code"]) == (401, "user_inactive")
    assert refused(client.obtain).status == 401
    assert refused(lambda: actions.listed(client, "nodes")).status == 401
    assert refused(lambda: tab.post("v1/nodes/list")).status == 401
    assert actions.listed(site.admin, "users", named(client.username)) == []
    actions.partial_update(site.admin, "users", pk, is_active=True)
    assert client.verify(client.obtain().access)


def named(username: str) -> dict[str, object]:
    return {"expressions": [{"type": "exact", "field": "username", "value": username}]}


def test_a_flood_of_sign_ins_to_one_account_is_answered_with_429_and_hurts_nobody_else(
    find_home: FindHome,
) -> None:
    with find_home("flooded").running() as site:
        bystander, target = site.account(), site.account()
        actions.listed(bystander, "nodes")
        target.password = "wrong"

        answers = [refused(target.obtain) for _ in range(15)]

        assert {answer.status for answer in answers} == {401, 429}
        assert answers[-1].status == 429
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert answers[-1].json()["code"] == "rate_limited"
        actions.listed(bystander, "nodes")
        assert bystander.verify(bystander.refresh(bystander.signed_in().refresh))
        # It comes from the address of the flood.
        assert bystander.verify(bystander.obtain().access)
