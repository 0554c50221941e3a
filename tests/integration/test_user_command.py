"""``hub user`` on both ways: in the database that nobody holds, through the hub that holds it."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from click.testing import CliRunner, Result

from hub.cli import main
from tests.servers import PrivatePostgres, require

PROJECT = Path(__file__).parents[2]
PASSWORD = "an admin's password"
LIMIT_S = 20.0


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("HUB_")]:
        monkeypatch.delenv(name)


def hub(*arguments: str, said: str = "", **environment: str) -> Result:
    """Run ``hub`` in this process."""
    return CliRunner().invoke(main, list(arguments), input=said, env=environment)


@contextmanager
def serving(data: Path) -> Iterator[str]:
    """A hub on ``data`` as a process; its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hub", "serve", "--port", "0", "--data", str(data)],
        cwd=PROJECT,
        env=os.environ | {"HUB_ADMIN_PASSWORD": PASSWORD},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found
        yield found[0]
    finally:
        process.terminate()
        process.communicate(timeout=LIMIT_S)


def signed_in(url: str, username: str, password: str) -> int:
    """Return the status of a sign-in."""
    body = {"username": username, "password": password}
    return httpx.post(f"{url}/v1/auth/obtain", json=body, trust_env=False).status_code


def token(url: str) -> str:
    """Return an access token of the administrator."""
    body = {"username": "admin", "password": PASSWORD}
    answer = httpx.post(f"{url}/v1/auth/obtain", json=body, trust_env=False)
    return str(answer.json()["access"])


def audited(url: str, access: str) -> list[tuple[str, str | None]]:
    """Return action and session of every audit row about accounts."""
    headers = {"Authorization": f"Bearer {access}"}
    page = httpx.get(f"{url}/v1/audit", headers=headers, trust_env=False).json()
    return [(row["action"], row["session"]) for row in page["items"]]


@contextmanager
def free_folder(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A migrated SQLite database that nobody holds."""
    environment = {"HUB_DATA": str(tmp_path / "data")}
    assert hub("migrate", **environment).exit_code == 0
    yield environment


@contextmanager
def held_folder(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A data folder that a hub runs on, and the right to call that hub."""
    with serving(tmp_path / "data") as url:
        yield {"HUB_DATA": str(tmp_path / "data"), "HUB_URL": url, "HUB_TOKEN": token(url)}


@contextmanager
def postgres(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A migrated PostgreSQL database."""
    require(PrivatePostgres)
    with PrivatePostgres(durable=False) as server:
        environment = {
            "HUB_DATA": str(tmp_path / "data"),
            "HUB_DATABASE_URL": server.create_database("users"),
        }
        assert hub("migrate", **environment).exit_code == 0
        yield environment


WAYS = [free_folder, held_folder, postgres]


@pytest.mark.parametrize("way", WAYS)
def test_accounts_are_made_changed_and_disabled_on_every_way(
    way: Callable[[Path], Any], tmp_path: Path
) -> None:
    with way(tmp_path) as reach:
        root = hub("user", "add", "root", "--role", "admin", **reach)
        bob = hub("user", "add", "bob", "--password-stdin", said="correct horse\n", **reach)
        changed = hub("user", "password", "bob", **reach)
        disabled = hub("user", "disable", "bob", **reach)
        again = hub("user", "disable", "bob", **reach)
        listed = hub("user", "list", "--json", **reach)
        table = hub("user", "list", **reach)

    done = [root, bob, changed, disabled, again, listed, table]
    assert [result.exit_code for result in done] == [0] * 7, [result.output for result in done]
    assert re.search(r"^password: \S{20,}", root.output, re.MULTILINE)
    assert "password" not in bob.output
    assert re.search(r"^password: \S{20,}", changed.output, re.MULTILINE)
    rows = {row["username"]: row for row in map(json.loads, listed.output.splitlines())}
    assert (rows["root"]["role"], rows["root"]["is_active"]) == ("admin", True)
    assert (rows["bob"]["role"], rows["bob"]["is_active"]) == ("user", False)
    assert re.search(r"bob +user +disabled +never", table.output)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("arguments", "said", "complaint"),
    [
        (["add", "root"], "", "the name is taken"),
        (["add", "123"], "", "A name of digits alone"),
        (["add", "a/b"], "", "no slash"),
        (["add", "new", "--password-stdin"], "short\n", "password: Ensure this field has 8"),
        (["password", "root", "--password-stdin"], "\n", "password: Ensure this field has 8"),
        (["disable", "nobody"], "", "there is no account named 'nobody'"),
        (["disable", "1"], "", "there is no account named '1'"),
        (["password", "a/b"], "", "there is no account named 'a/b'"),
    ],
)
def test_the_rules_are_the_same_on_every_way(
    refused_on: Callable[..., Result],
    way: Callable[[Path], Any],
    arguments: list[str],
    said: str,
    complaint: str,
) -> None:
    result = refused_on(way, arguments, said)

    assert result.exit_code == 1
    assert complaint in result.output
    assert result.output.count("\n") == 1


@pytest.fixture(scope="module")
def refused_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Result]]:
    """Run a command that is refused, on a way that stays open for the next one."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as open_ways:
        for name in [name for name in os.environ if name.startswith("HUB_")]:
            patch.delenv(name)
        reaches: dict[Any, dict[str, str]] = {}

        def run(way: Callable[[Path], Any], arguments: list[str], said: str) -> Result:
            if way not in reaches:
                folder = tmp_path_factory.mktemp("way")
                reaches[way] = open_ways.enter_context(way(folder))
                assert hub("user", "add", "root", "--role", "admin", **reaches[way]).exit_code == 0
            return hub("user", *arguments, said=said, **reaches[way])

        yield run


def test_the_last_administrator_stays(tmp_path: Path) -> None:
    with free_folder(tmp_path) as reach:
        hub("user", "add", "root", "--role", "admin", **reach)
        result = hub("user", "disable", "root", **reach)

    assert result.exit_code == 1
    assert "last active administrator" in result.output


def test_the_first_account_is_an_administrators(tmp_path: Path) -> None:
    with free_folder(tmp_path) as reach:
        result = hub("user", "add", "bob", **reach)

    assert result.exit_code == 1
    assert "first account must be an administrator" in result.output


def test_what_was_changed_in_the_file_holds_in_the_hub_and_is_audited(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    with serving(tmp_path / "data"):
        pass
    hub("user", "add", "bob", "--password-stdin", said="correct horse\n", HUB_DATA=data)
    with serving(tmp_path / "data") as url:
        before = signed_in(url, "bob", "correct horse")
        reach = {"HUB_DATA": data, "HUB_URL": url, "HUB_TOKEN": token(url)}
        hub("user", "disable", "bob", **reach)
        after = signed_in(url, "bob", "correct horse")
        acts = audited(url, reach["HUB_TOKEN"])

    assert (before, after) == (200, 401)
    assert ("users.create", "cli") in acts
    assert acts[-1][0] == "users.disable"
    assert acts[-1][1] not in (None, "cli")


def test_without_a_database_nothing_is_made(tmp_path: Path) -> None:
    result = hub("user", "list", HUB_DATA=str(tmp_path / "data"))

    assert result.exit_code == 1
    assert "there is no database" in result.output
    assert not (tmp_path / "data").exists()


def test_an_unmigrated_postgres_database_is_left_alone(tmp_path: Path) -> None:
    require(PrivatePostgres)
    with PrivatePostgres(durable=False) as server:
        result = hub("user", "list", HUB_DATABASE_URL=server.create_database("empty"))

    assert result.exit_code == 1
    assert "hub migrate" in result.output


def test_a_held_folder_without_a_token_and_without_a_terminal_is_refused(tmp_path: Path) -> None:
    with held_folder(tmp_path) as reach:
        refused = hub("user", "list", **{**reach, "HUB_TOKEN": ""})
        wrong = hub("user", "list", **{**reach, "HUB_TOKEN": "wrong"})
        elsewhere = hub("user", "list", **{**reach, "HUB_URL": "http://127.0.0.1:1"})
        (tmp_path / "token").write_text(reach["HUB_TOKEN"] + "\n")
        by_file = hub(
            *("user", "list", "--token-file", str(tmp_path / "token")),
            **{**reach, "HUB_TOKEN": "wrong"},
        )

    assert (refused.exit_code, wrong.exit_code, elsewhere.exit_code) == (1, 1, 1)
    assert "set HUB_TOKEN or --token-file" in refused.output
    assert "The token is unknown" in wrong.output
    assert "is in use, but no hub answers at http://127.0.0.1:1" in elsewhere.output
    assert by_file.exit_code == 0


def test_a_named_hub_is_asked_whatever_the_folder(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as url:
        environment = {"HUB_DATA": str(tmp_path / "nowhere"), "HUB_TOKEN": token(url)}
        result = hub("user", "list", "--url", url, **environment)

    assert result.exit_code == 0
    assert "admin" in result.output


def test_on_a_terminal_both_passwords_are_asked_for(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as url:
        command = ["user", "add", "bob", "--data", str(tmp_path / "data"), "--url", url]
        shown, code = on_terminal(
            command,
            [
                ("New password of bob", "correct horse"),
                ("Repeat", "correct horse"),
                ("Password of admin", PASSWORD),
            ],
        )
        status = signed_in(url, "bob", "correct horse")

    assert code == 0, shown
    assert "user bob added" in shown
    assert "horse" not in shown
    assert status == 200


def test_an_unknown_role_is_a_wrong_usage() -> None:
    assert hub("user", "add", "bob", "--role", "king").exit_code == click.UsageError.exit_code


def on_terminal(command: list[str], answers: list[tuple[str, str]]) -> tuple[str, int]:
    """Run ``hub`` on a terminal, answer what it asks; return what it showed and its exit code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "hub", *command],
        cwd=PROJECT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = ""
    with open(ours, "r+b", buffering=0) as terminal:
        for question, answer in answers:
            while question not in shown.rpartition("\n")[2]:
                shown += terminal.read(4_096).decode()
            terminal.write(f"{answer}\n".encode())
        shown += _rest(terminal)
    return shown, process.wait(LIMIT_S)


def _rest(terminal: Any) -> str:
    """Return what is shown until nobody has the terminal open any more."""
    rest = b""
    try:
        while more := terminal.read(4_096):
            rest += more
    except OSError:  # how Linux says it
        pass
    return rest.decode()
