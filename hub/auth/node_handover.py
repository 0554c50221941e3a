"""Another account for a node, which outlives who registered it: an administrator's act."""

from hub.auth.accounts import Accounts
from hub.auth.permissions import Role
from hub.errors import Forbidden, InvalidInput
from hub.lifecycle.catalogue import NodeHoldsJob
from hub.lifecycle.commands import Actor
from orm.engine import Engine
from orm.queries import accounts as queries
from orm.queries.accounts import Source
from orm.queries.nodes import NodeRow, unfinished_job
from orm.queries.shelf import Check

ONLY_ADMINISTRATORS = "only an administrator may give a node to another account"


async def taker(actor: Actor, accounts: Accounts, who: str | int) -> int:
    """Return the number of the account that ``who`` names; a number stands for itself.

    Raises:
        Forbidden: somebody else than an administrator names an account, be it there or not.
        InvalidInput: there is no account of this name.
    """
    if isinstance(who, int):
        return who
    if not actor.is_admin:
        raise Forbidden(ONLY_ADMINISTRATORS)
    row = await accounts.by_name(who)
    if row is None:
        raise _no_taker("There is no account of this name.")
    return row.pk


def checked(engine: Engine, actor: Actor) -> Check[NodeRow]:
    """Return what refuses a change by ``actor`` that gives a node to an account it must not get.

    What runs on a node is known by the number of the node: whoever had the node now could report
    on it, and who began it could not any more. So nothing may run. What it raises:

        Forbidden: the actor is no administrator.
        InvalidInput: the account is not there, disabled, or one that only reads.
        NodeHoldsJob: the node holds a job, or may still come back to a run that it lost.
    """

    async def check(source: Source, before: NodeRow, after: NodeRow | None) -> None:
        if after is None or after.owner == before.owner:
            return
        if not actor.is_admin:
            raise Forbidden(ONLY_ADMINISTRATORS)
        row = await queries.user(source, after.owner)
        if row is None:
            raise _no_taker("There is no account of this number.")
        if row.disabled_us is not None:
            raise _no_taker("This account is disabled.")
        if row.role == Role.VIEWER:
            raise _no_taker("A viewer has no nodes.")
        job = await unfinished_job(source, engine.kind, before.pk)
        if job is not None:
            raise NodeHoldsJob(
                f"node {before.pk} has not done with job {job}: let it finish, or abort that job,"
                " then try again"
            )

    return check


def _no_taker(text: str) -> InvalidInput:
    return InvalidInput(f"owner: {text}", fields={"owner": [text]})
