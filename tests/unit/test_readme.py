"""The README is true: what it lists is what there is."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hub
from hub.api.problems import CODE_OF_STATUS, STATUS_OF_CODE, STATUS_OF_KIND, STORAGE_CODES
from hub.cli import main
from hub.errors import HubError
from hub.lifecycle.states import TRANSITIONS, WAITING, Action, Status
from hub.settings import described

README = (Path(__file__).parents[2] / "README.md").read_text()


def table(name: str) -> list[list[str]]:
    part = README.partition(f"<!-- {name} -->")[2].partition(f"<!-- end of {name} -->")[0]
    rows = [line.strip("|").split("|") for line in part.strip().splitlines()[2:]]
    return [[cell.strip() for cell in row] for row in rows]


def error_classes(base: type[HubError] = HubError) -> Iterator[type[HubError]]:
    for found in base.__subclasses__():
        yield found
        yield from error_classes(found)


def import_all() -> None:
    for module in pkgutil.walk_packages(hub.__path__, "hub."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def test_every_setting_stands_in_the_table_with_default_and_meaning() -> None:
    assert [row[0].strip("`") for row in table("settings")] == [name for name, _, _ in described()]
    for row, (_, default, meaning) in zip(table("settings"), described(), strict=True):
        assert row[1:] == [f"`{default}`" if default else "empty", meaning]


def test_every_error_code_stands_in_the_table_with_its_status() -> None:
    import_all()
    codes = {
        found.code: int(STATUS_OF_CODE.get(found.code, STATUS_OF_KIND[found.kind]))
        for found in error_classes()
        if not found.__module__.startswith("hub.cli")  # those end a command, with their text
    }
    codes |= {code: status for status, code in CODE_OF_STATUS.items()}
    codes |= dict.fromkeys(STORAGE_CODES.values(), 409) | {"internal": 500}
    documented = {row[1].strip("`"): int(row[0]) for row in table("errors")}
    assert documented == codes


def test_every_command_stands_in_the_table() -> None:
    assert set(re.findall(r"^\| `hub ([\w-]+)` \|", README, re.MULTILINE)) == set(main.commands)


@pytest.mark.parametrize(("before", "action"), TRANSITIONS)
def test_the_diagram_draws_every_transition(before: Status, action: Action) -> None:
    after = TRANSITIONS[before, action]
    if (action == Action.CANCEL and before in WAITING) or after == before == Status.FAILED:
        return
    drawn = re.findall(rf"{before} --> {after}: (.+)", README)
    assert action in ", ".join(drawn).split(", ")
