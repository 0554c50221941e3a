"""The rules of the house that no linter knows: each is a function that returns the offences.

Every rule has two tests: the project keeps it, and a bad sample breaks it.
"""

import ast
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("hub", "orm", "channels")
AGREED_AT_THE_TOP = {"pyproject.toml", "README.md", "piccolo_conf.py", "tests", *PRODUCT}
EMPTY_NAMES = {"utils", "helpers", "common", "core", "base", "manager"}
LINES_AT_MOST = 400
LOOP_GETTERS = {"get_running_loop", "get_event_loop", "new_event_loop"}


# --- The rules ------------------------------------------------------------------------------------


def strangers_at_the_top(tracked: Iterable[str]) -> set[str]:
    """Return the entries of the top level that are neither agreed nor dotfiles."""
    entries = {PurePath(path).parts[0] for path in tracked}
    return {name for name in entries - AGREED_AT_THE_TOP if not name.startswith(".")}


def empty_names(modules: Iterable[PurePath]) -> set[PurePath]:
    """Return the modules whose name, or whose package's name, tells nothing of what they hold."""
    return {path for path in modules if EMPTY_NAMES & {*path.parent.parts, path.stem}}


def silent_packages(root: Path, packages: Iterable[str]) -> set[PurePath]:
    """Return the folders with modules whose ``__init__`` is missing or says nothing."""
    folders = {path.parent for path in modules_of(root, packages)}
    return {f.relative_to(root) for f in folders if not has_docstring(f / "__init__.py")}


def has_docstring(init: Path) -> bool:
    return init.is_file() and bool(ast.get_docstring(ast.parse(init.read_text())))


def recorded_addresses(text: str) -> list[str]:
    """Return the lines of a lock or constraints file that say where a package comes from."""
    return [line for line in text.splitlines() if "://" in line or " @ " in line]


def is_too_long(path: PurePath, text: str) -> bool:
    """Say whether a module is more than a reader can hold; tests and migrations may tell all."""
    may_be_long = path.parts[0] == "tests" or "piccolo_migrations" in path.parts
    return not may_be_long and len(text.splitlines()) > LINES_AT_MOST


def lost_tasks(source: str) -> list[int]:
    """Return the lines that start a task and keep no hold of it.

    A task group owns what it starts, so only asyncio's functions and an event loop's methods count.
    """
    thrown_away = (_thrown_away(node) for node in ast.walk(ast.parse(source)))
    return [call.lineno for call in thrown_away if call and _starts_a_lone_task(call.func)]


def _thrown_away(node: ast.AST) -> ast.Call | None:
    match node:
        case ast.Expr(value=ast.Call() as call):
            return call
        case ast.Assign(targets=[ast.Name(id="_")], value=ast.Call() as call):
            return call
        case _:
            return None


def _starts_a_lone_task(function: ast.expr) -> bool:
    match function:
        case ast.Name(id="create_task" | "ensure_future") | ast.Attribute(attr="ensure_future"):
            return True
        case ast.Attribute(attr="create_task", value=owner):
            return _is_asyncio_or_loop(owner)
        case _:
            return False


def _is_asyncio_or_loop(owner: ast.expr) -> bool:
    match owner:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name == "asyncio" or name.endswith("loop")
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in LOOP_GETTERS
        case _:
            return False


# --- What they look at ----------------------------------------------------------------------------


def modules_of(root: Path, packages: Iterable[str]) -> Iterator[Path]:
    return (path for package in packages for path in (root / package).rglob("*.py"))


def modules_here(*packages: str) -> list[PurePath]:
    return [path.relative_to(ROOT) for path in modules_of(ROOT, packages)]


def tracked_files() -> list[str]:
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed: what belongs to the project is unknown")
    listed = subprocess.run(
        [git, "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode or not listed.stdout:
        pytest.skip(f"not a git clone: {listed.stderr.strip() or 'nothing is tracked'}")
    return listed.stdout.splitlines()


# --- The project keeps them -----------------------------------------------------------------------


def test_the_top_level_holds_only_what_was_agreed() -> None:
    assert strangers_at_the_top(tracked_files()) == set()


def test_every_name_says_something() -> None:
    assert empty_names(modules_here(*PRODUCT, "tests")) == set()


def test_every_package_says_what_lives_there() -> None:
    assert silent_packages(ROOT, [*PRODUCT, "tests"]) == set()


def test_no_lock_file_records_addresses() -> None:
    locks = [*ROOT.glob("*.lock"), *ROOT.glob(".ci/*.lock"), *ROOT.glob(".ci/*.txt")]

    assert ROOT / ".ci/constraints.txt" in locks
    assert [line for lock in locks for line in recorded_addresses(lock.read_text())] == []


def test_no_module_is_too_long() -> None:
    modules = modules_here(*PRODUCT)

    assert [path for path in modules if is_too_long(path, (ROOT / path).read_text())] == []


def test_every_task_has_an_owner() -> None:
    sources = {path: (ROOT / path).read_text() for path in modules_here(*PRODUCT)}
    lost = {path: lost_tasks(source) for path, source in sources.items()}

    assert {path: lines for path, lines in lost.items() if lines} == {}


# --- And they can be broken -----------------------------------------------------------------------


def test_a_stranger_at_the_top_is_noticed() -> None:
    tracked = ["README.md", ".ci/run", "hub/app.py", "uv.lock", "scripts/deploy.sh"]

    assert strangers_at_the_top(tracked) == {"uv.lock", "scripts"}


@pytest.mark.parametrize("bad", ["hub/utils.py", "orm/core/__init__.py", "tests/unit/helpers.py"])
def test_an_empty_name_is_noticed(bad: str) -> None:
    assert empty_names([PurePath("hub/clock.py"), PurePath(bad)]) == {PurePath(bad)}


def test_a_silent_package_is_noticed(tmp_path: Path) -> None:
    for name, init in {
        "told": '"""Clocks."""',
        "empty": "",
        "silent": "import os",
        "none": None,
    }.items():
        folder = tmp_path / "hub" / name
        folder.mkdir(parents=True)
        (folder / "clock.py").touch()
        if init is not None:
            (folder / "__init__.py").write_text(init)

    assert silent_packages(tmp_path, ["hub"]) == {
        PurePath("hub/empty"),
        PurePath("hub/silent"),
        PurePath("hub/none"),
    }


@pytest.mark.parametrize(
    "bad",
    [
        "httpx @ file:///tmp/httpx.whl",
        '    {url = "https://mirror.invalid/httpx.whl"},',
        "--index-url http://mirror.invalid/simple",
    ],
)
def test_a_recorded_address_is_noticed(bad: str) -> None:
    assert recorded_addresses(f"# Exact versions.\nhttpx==0.28.1\n{bad}\n") == [bad]


@pytest.mark.parametrize(
    ("path", "lines", "offends"),
    [
        ("hub/ledger.py", 400, False),
        ("hub/ledger.py", 401, True),
        ("tests/unit/test_ledger.py", 401, False),
        ("orm/piccolo_migrations/first.py", 401, False),
    ],
)
def test_a_long_module_is_noticed(path: str, lines: int, *, offends: bool) -> None:
    assert is_too_long(PurePath(path), "pass\n" * lines) is offends


@pytest.mark.parametrize(
    "bad",
    [
        "asyncio.create_task(work())",
        "create_task(work())",
        "asyncio.ensure_future(work())",
        "asyncio.get_running_loop().create_task(work())",
        "self._loop.create_task(work())",
        "_ = asyncio.create_task(work())",
    ],
)
def test_a_lost_task_is_noticed(bad: str) -> None:
    assert lost_tasks(f"async def run(self):\n    {bad}\n") == [2]


@pytest.mark.parametrize(
    "good",
    [
        "task = asyncio.create_task(work())",
        "await asyncio.create_task(work())",
        "tasks.add(asyncio.create_task(work()))",
        "group.create_task(work())",
        "self._group.create_task(work())",
    ],
)
def test_an_owned_task_is_fine(good: str) -> None:
    assert lost_tasks(f"async def run(self):\n    {good}\n") == []
