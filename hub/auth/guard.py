"""The guard in front of every route: a token becomes an identity, the table says what it may.

It is one ASGI layer and not a Litestar guard: synchronous guards there go through a thread pool,
and asynchronous ones copy the handler on every request.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from hub import clock
from hub.auth.doors import Admission, Doors, one_header, speaks
from hub.auth.identity import Identity
from hub.auth.node_contacts import NodeContacts
from hub.auth.permissions import PERMISSIONS, Permission, permit
from hub.auth.proxies import Proxies
from hub.auth.shared_nodes import SharedNodes
from hub.errors import BadNodeId, Forbidden, NodeNotYours, NotFound
from hub.lifecycle.commands import Actor
from orm.engine import Engine
from orm.queries import nodes

Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Refuse = Callable[[Scope, Receive, Send, Exception], Awaitable[None]]

LARGEST = 2**63 - 1
MOST_DIGITS = 40
TRUST_S = 4.0
REMEMBERED_MAX = 10_000


NOT_YOURS = (
    "node {0} belongs to another account: register one with another ip or index, or have an"
    " administrator send PATCH /v1/nodes/{0} with your name as owner"
)


class NodeOwners:
    """Which account each node belongs to; an answer is believed for ``TRUST_S`` seconds.

    ``polled`` are the nodes that asked for work since a chore looked last, ``shared`` knows who
    speaks for each, ``contacts`` when each called.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[int, tuple[float, int]] = {}
        self._forgotten = 0
        self.polled: set[int] = set()
        self.shared = SharedNodes()
        self.contacts = NodeContacts()

    async def owner(self, node: int) -> int | None:
        """Return the account that ``node`` belongs to, ``None`` when there is no such node."""
        found = self._known.get(node)
        if found is not None and found[0] > clock.monotonic_s():
            return found[1]
        forgotten = self._forgotten
        owner = await nodes.owner(self._engine, node)
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        if owner is not None and forgotten == self._forgotten:  # else it may be out of date already
            self._known[node] = (clock.monotonic_s() + TRUST_S, owner)
        return owner

    def forget(self, node: int) -> None:
        """Look ``node`` up again: it was given away or removed."""
        self._forgotten += 1
        self._known.pop(node, None)


class Guard:
    """Checks every call and leaves ``user`` (Identity) and ``auth`` (Actor) in the scope.

    The scope also gets ``admission`` (Admission); with ``None`` there, the first message of a
    socket must say who it is, and the others are missing.
    """

    def __init__(self, doors: Doors, owners: NodeOwners, proxies: Proxies, refuse: Refuse) -> None:
        self._doors = doors
        self._owners = owners
        self._proxies = proxies
        self._refuse = refuse

    def __call__(self, app: App) -> App:
        """Put the guard in front of ``app``."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await self._admit(scope)
            except Exception as error:
                if scope["type"] != "websocket":
                    raise
                await self._refuse(scope, receive, send, error)
            else:
                await app(scope, receive, send)

        return guarded

    async def _admit(self, scope: Scope) -> None:
        action = scope["route_handler"].opt.get("action")
        if action is None:  # OPTIONS, which Litestar answers itself
            return
        self._proxies.reveal(scope)
        permission = PERMISSIONS[action]
        if permission.roles:
            identity = await self._identify(scope, action)
            if identity is not None:
                await self._seat(scope, identity, permission)
        check_numbers(scope["path"], scope["path_params"].values())

    async def _identify(self, scope: Scope, action: str) -> Identity | None:
        admission: Admission | None
        if scope["type"] != "websocket":
            admission = await self._doors.caller(scope, action)
        else:
            job, may_wait = scope["path_params"].get("pk"), speaks(scope)
            admission = await self._doors.handshake(scope, action, job=job, may_wait=may_wait)
        scope["admission"] = admission
        return None if admission is None else admission.identity

    async def _seat(self, scope: Scope, identity: Identity, permission: Permission) -> None:
        node = await self._permitted_node(scope, identity, permission)
        client = scope.get("client")
        actor = identity.actor(node, client[0] if client else None)
        self._owners.shared.spoke(actor)
        scope["user"], scope["auth"] = identity, actor

    async def _permitted_node(
        self, scope: Scope, identity: Identity, permission: Permission
    ) -> int | None:
        """Return the node that calls, if a node calls, when the caller may do this at all.

        UFDL's order: a bad Node-Id is said first where a node must call, else after the permission.
        """
        if not permission.needs_node:
            permit(permission, identity.role)
            return await self._node(scope, identity)
        node = await self._node(scope, identity)
        permit(permission, identity.role)
        if node is None:
            raise Forbidden("only a node may do that: send the header Node-Id")
        return node

    async def _node(self, scope: Scope, identity: Identity) -> int | None:
        header = one_header(scope["headers"], b"node-id")
        if header is None:
            return None
        text = header.decode("latin-1").strip()
        if not (text.isascii() and text.isdigit() and 0 < len(text) < 20 and int(text) <= LARGEST):
            raise BadNodeId(f"Bad Node-Id header {text[:40]!r}: not the number of a node")
        owner = await self._owners.owner(int(text))
        if owner is None:
            raise BadNodeId(f"Bad Node-Id header {text!r}: no such node")
        if owner != identity.account:
            raise NodeNotYours(NOT_YOURS.format(text))
        self._owners.contacts.heard(int(text))
        return int(text)


def check_numbers(path: str, values: Iterable[object]) -> None:
    """Refuse numbers in a path that no row can have, or that are not written as plain digits.

    Raises:
        NotFound: a number is below 1, beyond 63 bits, or has a sign, a blank or foreign digits.
    """
    for value in values:
        if isinstance(value, int) and not (1 <= value <= LARGEST and _is_written(value, path)):
            raise NotFound


def _is_written(number: int, path: str) -> bool:
    return any(
        segment.isascii() and segment.isdigit() and int(segment) == number
        for segment in path.split("/")
        if len(segment) < MOST_DIGITS
    )


def actor_of(scope: Scope) -> Actor:
    """Return who calls, as the rules know them."""
    actor: Actor = scope["auth"]
    return actor


def admission_of(scope: Scope) -> Admission | None:
    """Return by what a socket may be opened, ``None`` if its first message must say who it is."""
    admission: Admission | None = scope["admission"]
    return admission
