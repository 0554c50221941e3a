"""Every route stands in the table of permissions, and the table holds nothing else."""

from collections.abc import Iterator

import pytest
from litestar import Litestar
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.routes import ASGIRoute, HTTPRoute, WebSocketRoute

from hub.app import create_app
from hub.auth.permissions import ADMIN, ANYBODY, HOLDER, PERMISSIONS, READ, Permission, Role
from hub.settings import load

SCHEMA = "api_schema"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    return create_app(load({}, data=str(tmp_path_factory.mktemp("data"))))


def handlers(app: Litestar) -> Iterator[tuple[str, BaseRouteHandler]]:
    """Every handler that answers a call, with its path; OPTIONS is the framework's own."""
    for route in app.routes:
        match route:
            case HTTPRoute():
                methods = {id(found): found for found, _ in route.route_handler_map.values()}
                for handler in methods.values():
                    if handler.http_methods != {"OPTIONS"}:
                        yield route.path, handler
            case WebSocketRoute() | ASGIRoute():
                yield route.path, route.route_handler


def actions(app: Litestar) -> set[str]:
    return {handler.opt["action"] for _, handler in handlers(app) if "action" in handler.opt}


def test_every_route_names_an_action(app: Litestar) -> None:
    # The guard lets pass what names none: such a route would be open to anybody.
    assert [path for path, handler in handlers(app) if "action" not in handler.opt] == []


def test_every_action_of_a_route_is_in_the_table(app: Litestar) -> None:
    assert actions(app) - set(PERMISSIONS) == set()


def test_every_row_of_the_table_belongs_to_a_route(app: Litestar) -> None:
    assert set(PERMISSIONS) - actions(app) == set()


def test_no_two_routes_that_are_described_share_an_action(app: Litestar) -> None:
    named = [
        handler.opt["action"]
        for _, handler in handlers(app)
        if isinstance(handler, HTTPRouteHandler) and handler.resolve_include_in_schema()
    ]
    assert sorted(named) == sorted(set(named))


def test_the_description_calls_each_route_by_its_action(app: Litestar) -> None:
    named = {
        handler.opt["action"]: handler.operation_id
        for _, handler in handlers(app)
        if isinstance(handler, HTTPRouteHandler) and handler.opt.get("action", SCHEMA) != SCHEMA
    }
    assert {action: name for action, name in named.items() if action != name} == {}


def test_only_signing_in_and_being_looked_at_need_no_account() -> None:
    open_ones = {action for action, row in PERMISSIONS.items() if not row.roles}
    assert {name.partition("_")[0] for name in open_ones} <= {"health", "home", "api", "auth", "ui"}


def test_a_viewer_changes_nothing_but_its_own_tokens_and_tickets() -> None:
    writes = ("create", "update", "destroy", "delete", "reinstate", "submit", "cancel", "acquire")
    open_to_viewers = {
        action
        for action, row in PERMISSIONS.items()
        if Role.VIEWER in row.roles
        and any(word in action for word in writes)
        and not row.object_rule.startswith("always refused")
    }
    assert open_to_viewers == {"tokens_create", "tickets_create"}


@pytest.mark.parametrize(
    ("permission", "sentence"),
    [
        (ANYBODY, "Anybody."),
        (READ, "Any signed-in account."),
        (ADMIN, "admin."),
        (HOLDER, "admin or user with a Node-Id of its own; the node must hold the job."),
    ],
)
def test_a_permission_says_itself_in_words(permission: Permission, sentence: str) -> None:
    assert permission.sentence == sentence
