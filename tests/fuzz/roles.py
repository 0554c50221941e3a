"""Who gets which answer, after the written table: every sort of caller, for every operation."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from hub.auth.permissions import NOBODY_CREATES, PERMISSIONS, Role
from tests.conformance.foreign import Client
from tests.fuzz.ground import Ground

DONE, UNAUTHENTICATED, FORBIDDEN, NOT_FOUND = 200, 401, 403, 404


class Caller(NamedTuple):
    """One sort of caller.

    Attributes:
        name: What it is.
        client: Calls as it.
        role: Of its account; ``None`` for who is not signed in.
        is_foreign: Whether it sends the number of another account's node.
        made_it: Whether its account made the job or the token that the call is about.
    """

    name: str
    client: Client
    role: Role | None
    is_foreign: bool = False
    made_it: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def is_node(self) -> bool:
        """Whether it calls as a node."""
        return self.client.node is not None

    @property
    def is_admin(self) -> bool:
        """Whether its account is an administrator's."""
        return self.role == Role.ADMIN


def callers(ground: Ground) -> Iterator[Caller]:
    """Yield callers of every role: without a node, with one of their own, with another's."""
    world = ground.world
    foreign = ground.strangers_node.node
    assert foreign is not None
    yield Caller("nobody", world.nobody, None)
    yield Caller("nobody as a node", world.nobody.as_node(foreign), None)
    yield Caller("an unknown token", ground.with_token("hub_a_" + "x" * 43), None)
    yield Caller("a refresh token", ground.with_token(ground.refresh), None)
    yield Caller("a viewer", world.viewer, Role.VIEWER)
    yield Caller("a stranger", world.stranger, Role.USER)
    yield Caller("a stranger's node", ground.strangers_node, Role.USER)
    yield Caller("the creator", world.creator, Role.USER, made_it=True)
    yield Caller("the administrator", world.admin, Role.ADMIN)
    yield Caller("the administrator's node", ground.admins_node, Role.ADMIN)
    for name, client, role in (
        ("a viewer", world.viewer, Role.VIEWER),
        ("the creator", world.creator, Role.USER),
        ("the administrator", world.admin, Role.ADMIN),
    ):
        as_foreign = client.as_node(foreign)
        yield Caller(f"{name} as another's node", as_foreign, role, is_foreign=True)


def _nobody_else(_: Caller) -> int:
    return FORBIDDEN


def _admin(caller: Caller) -> int:
    return DONE if caller.is_admin else FORBIDDEN


OBJECT_RULES: dict[str, Callable[[Caller], int]] = {
    "users_retrieve": _admin,
    "tokens_revoke": lambda c: DONE if c.made_it or c.is_admin else NOT_FOUND,
    "nodes_update": _admin,
    "nodes_partial_update": _admin,
    "nodes_destroy": _admin,
    "nodes_ping": lambda c: DONE if c.is_admin or c.is_node else FORBIDDEN,
    "jobs_release": _nobody_else,
    "jobs_start": _nobody_else,
    "jobs_progress": _nobody_else,
    "jobs_finish": _nobody_else,
    "jobs_reset": _nobody_else,
    "jobs_cancel": lambda c: DONE if c.made_it or c.is_admin else FORBIDDEN,
    "outputs_add": lambda c: DONE if c.is_admin and not c.is_node else FORBIDDEN,
}
"""What the table says in words, ``object_rule``: who may besides the one whom a scene is made for.

Accounts are nobody's own there; a node, and a job that a node holds, are the caller's of the scene.
"""


def expected(action: str, caller: Caller | None) -> int:
    """Return the answer that the table promises; ``DONE`` stands for any success.

    ``None`` is the caller for whom the scene was made.
    """
    permission = PERMISSIONS[action]
    if permission is NOBODY_CREATES:
        return UNAUTHENTICATED if caller and caller.role is None else FORBIDDEN
    if caller is None or not permission.roles:
        return DONE
    if caller.role is None:
        return UNAUTHENTICATED
    lacks_node = permission.needs_node and not caller.is_node
    if caller.is_foreign or caller.role not in permission.roles or lacks_node:
        return FORBIDDEN
    return OBJECT_RULES[action](caller) if permission.object_rule else DONE
