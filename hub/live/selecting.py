"""From what a subscription names to the selection of events that it means."""

from collections.abc import Iterable

from channels.protocol.frames import EventType, Filter, Subscribe
from channels.selections import OfFilter, OfJobs, Selection
from hub.auth.identity import Identity
from hub.errors import InvalidInput
from orm.engine import Engine
from orm.queries import accounts, templates
from orm.queries.standings import Wanted

KIND_OF: dict[EventType, str] = {"transition": "t", "progress": "p"}
ME = "me"


class BadFilter(InvalidInput):
    """This filter cannot be used."""

    code = "bad_filter"


async def selection_of(engine: Engine, identity: Identity, wish: Subscribe) -> Selection:
    """Return what a subscription selects.

    Raises:
        BadFilter: it names what does not exist, or asks something of jobs that it names itself.
    """
    kinds = frozenset(KIND_OF[name] for name in wish.filter.type)
    if wish.topic == "job":
        if wish.filter != Filter(type=wish.filter.type):
            raise BadFilter("topic job names its jobs: of the filter only type has a meaning")
        return OfJobs(frozenset(wish.jobs), kinds)
    named = wish.filter
    return OfFilter(
        statuses=frozenset(named.status),
        kinds=kinds,
        labels=frozenset(named.label.items()),
        creators=frozenset([await _account(engine, identity, one) for one in named.creator]),
        nodes=frozenset(named.node),
        templates=frozenset(await _templates(engine, named.template)),
        parents=frozenset(named.parent),
    )


def wanted_of(selection: OfFilter) -> Wanted:
    """Return the jobs that match a selection now, as a question to the database."""
    return Wanted(
        statuses=sorted(selection.statuses),
        templates=sorted(selection.templates),
        creators=sorted(selection.creators),
        nodes=sorted(selection.nodes),
        parents=sorted(selection.parents),
        labels=sorted(selection.labels),
    )


async def _account(engine: Engine, identity: Identity, named: int | str) -> int:
    if isinstance(named, int):
        return named
    if named == ME:
        if not identity.account:
            raise BadFilter("creator: nobody is signed in, so there is no `me`")
        return identity.account
    found = await accounts.user_by_name(engine, named)
    if found is None:
        raise BadFilter(f"creator: there is no account {named!r}")
    return found.pk


async def _templates(engine: Engine, named: Iterable[int | str]) -> set[int]:
    names = {one for one in named if isinstance(one, str)}
    versions = await templates.versions(engine, sorted(names))
    missing = names - versions.keys()
    if missing:
        raise BadFilter(f"template: there is no {min(missing)!r}")
    numbers = {one for one in named if isinstance(one, int)}
    return numbers.union(*versions.values())
