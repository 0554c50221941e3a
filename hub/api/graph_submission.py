"""Jobs of meta-templates: the graph that one command makes."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from hub.api.desk import Desk
from hub.errors import InvalidInput, ValuesRefused
from hub.lifecycle import commands as c
from hub.lifecycle.catalogue import EmptyGraph
from hub.lifecycle.interface import Bound
from hub.lifecycle.members import members_of, paths_of
from hub.lifecycle.notifications import MEMBER as OF_JOB
from hub.lifecycle.notifications import stored
from hub.lifecycle.template_graphs import templates_in
from hub.lifecycle.types import legible
from orm.queries import templates
from orm.queries.templates import TemplateRow

OF_CHILDREN = "child_notification_overrides"


async def with_members(
    desk: Desk,
    command: c.Create,
    template: TemplateRow,
    bound: Bound,
    overrides: Mapping[str, Any],
) -> c.Create:
    """Return a command that makes the whole graph.

    Args:
        desk: Where the templates of the children are.
        command: Makes the meta-job.
        template: The meta-template.
        bound: The values of the meta-job, checked.
        overrides: What children tell, by ``child`` or ``child:grandchild``.

    Raises:
        EmptyGraph: there would be no children.
        ValuesRefused: there is no child of such a name.
        InvalidInput: an override has not the form of one.
    """
    members = members_of(template, bound, await _children(desk, template), desk.lost_after_s)
    if not members:
        raise EmptyGraph
    places = paths_of(members)
    told: dict[int, str] = {}
    for path, override in overrides.items():
        if path not in places:
            raise ValuesRefused(f"Unknown child '{legible(path)}'")
        told[places[path]] = _stored(path, override)
    silent_or_not = (
        replace(member, notifications=told.get(place)) for place, member in enumerate(members)
    )
    return replace(command, members=tuple(silent_or_not))


def _stored(path: str, override: Mapping[str, Any]) -> str:
    """Return the override of a child as it is kept; what is wrong is said of its own member."""
    try:
        return stored(override)
    except InvalidInput as fault:
        problem = f"{legible(path)}: {fault.fields[OF_JOB][0]}"
        raise InvalidInput(f"{OF_CHILDREN}: {problem}", fields={OF_CHILDREN: [problem]}) from fault


async def _children(desk: Desk, template: TemplateRow) -> dict[int, TemplateRow]:
    """Return the templates of a graph and of the graphs in it, by number; deleted ones count."""
    known: dict[int, TemplateRow] = {}
    wanted = templates_in(template.graph)
    while wanted:
        rows = await templates.some(desk.engine, wanted)
        known |= {row.pk: row for row in rows}
        named = {pk for row in rows for pk in templates_in(row.graph)}
        wanted = sorted(named - known.keys())
    return known
