"""Lists of jobs: UFDL's ``POST /v1/jobs/list``, and the native ``GET /v1/jobs``, page by page."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from hub import clock
from hub.api import bodies
from hub.api.desk import CURSOR_HEADER, Desk
from hub.api.jobs import AnyRequest
from hub.api.lists import PAGE, PAGE_BYTES, answer_rows, numbers, read_filter, searching
from hub.api.places import cursor_of, keys_of
from hub.auth.guard import LARGEST, NodeOwners, actor_of
from hub.errors import InvalidInput
from hub.lifecycle.offers import Offers
from hub.lifecycle.states import Status
from hub.wire.jobs import JobOut, JobPage
from orm.filters.fields import JOBS
from orm.filters.spec import FilterSpec, IsNull
from orm.queries import job_page, jobs, meta

Texts = list[str] | None
Number = Annotated[int | None, QueryParameter(ge=1, le=LARGEST)]
Moment = Annotated[str | None, QueryParameter(description="ISO 8601 with an offset")]
StatusList = Annotated[Texts, QueryParameter(description="any of these; also comma-separated")]
LabelList = Annotated[Texts, QueryParameter(description="key:value; each must be there")]
Limit = Annotated[int, QueryParameter(ge=1, le=1_000)]
PageOrder = Literal["-created", "created", "-modified", "modified", "priority"]


@post(
    "/v1/jobs/list",
    opt={"action": "jobs_list"},
    operation_id="jobs_list",
    status_code=200,
    tags=["jobs"],
)
async def jobs_list(
    request: AnyRequest,
    desk: NamedDependency[Desk],
    owners: NamedDependency[NodeOwners],
    offers: NamedDependency[Offers],
) -> Response[list[JobOut]]:
    """List jobs by a filter, most urgent first, then oldest; a node sees only what it may take.

    A node that looks for free jobs sees those last that stood first for it and were not taken.
    """

    async def encode(pks: Sequence[int]) -> list[bytes]:
        snapshot = await jobs.snapshot(desk.engine, pks)
        return [await desk.views.of_job(job) for job in snapshot.jobs]

    spec, node = read_filter(await bodies.raw_body(request)), actor_of(request.scope).node
    pks = await numbers(desk, JOBS, spec, hide_waiting=node is not None)
    if node is not None and asks_for_free(spec):
        owners.polled.add(node)
        pks = offers.ordered(node, pks)
    return await answer_rows(pks, encode, desk.list_max)


def asks_for_free(spec: FilterSpec) -> bool:
    """Whether a filter is a worker's question for jobs that nobody holds."""
    demands = spec.demands()
    return any(isinstance(d, IsNull) and d.field == "node" and not d.invert for d in demands)


@get("/v1/jobs", opt={"action": "jobs_page"}, operation_id="jobs_page", tags=["jobs"])
async def jobs_page(  # one argument a query parameter
    request: AnyRequest,
    desk: NamedDependency[Desk],
    status: StatusList = None,
    template: Annotated[str | None, QueryParameter(description="a pk, or a name")] = None,
    label: LabelList = None,
    creator: Annotated[str | None, QueryParameter(description="a pk, or me")] = None,
    node: Number = None,
    parent: Number = None,
    text: Annotated[str, QueryParameter(description="part of the description")] = "",
    created_after: Moment = None,
    created_before: Moment = None,
    modified_after: Moment = None,
    modified_before: Moment = None,
    include_deleted: Annotated[bool, QueryParameter()] = False,
    order: Annotated[PageOrder, QueryParameter()] = "-created",
    limit: Limit = 100,
    cursor: Annotated[str | None, QueryParameter(description="`next` of the page before")] = None,
) -> Response[JobPage]:
    """List jobs page by page, newest first unless ``order`` says otherwise.

    A page of large jobs ends at 16 MiB, before ``limit``; ``next`` goes on there.
    """
    _refuse_unknown(request)
    query = job_page.JobPageQuery(
        status=_statuses(status),
        template=number_or_name(template),
        label=label_pairs(label),
        creator=_account(request, creator),
        node=node,
        parent=parent,
        text=text,
        created_after_us=_moment("created_after", created_after),
        created_before_us=_moment("created_before", created_before),
        modified_after_us=_moment("modified_after", modified_after),
        modified_before_us=_moment("modified_before", modified_before),
        include_deleted=include_deleted,
        order=order,
        limit=limit,
        after=keys_of(order, len(job_page.ORDERS[order].keys), cursor),
    )
    with searching():
        found = await job_page.page(desk.engine, query)
    return await _page(desk, order, found)


async def _page(desk: Desk, order: str, found: job_page.FoundJobs) -> Response[JobPage]:
    # Taken first: what the rows are ahead of it, the log tells once more.
    cursor = desk.cursor((await meta.clock(desk.engine)).gseq)
    items, shown = await _items(desk, [keys[-1] for keys in found.keys])
    has_more = found.has_more or shown < len(found.keys)
    following = cursor_of(order, found.keys[shown - 1]) if has_more else None
    content: Any = msgspec.json.encode({"items": items, "next": following})
    headers = {CURSOR_HEADER: cursor}
    return Response(content=content, media_type="application/json", headers=headers)


async def _items(desk: Desk, pks: list[int]) -> tuple[list[msgspec.Raw], int]:
    """Return the first of the jobs, up to ``PAGE_BYTES``, and how many of ``pks`` they cover."""
    items: list[msgspec.Raw] = []
    size = 0
    place = {pk: number for number, pk in enumerate(pks, 1)}
    for first in range(0, len(pks), PAGE):
        for job in (await jobs.snapshot(desk.engine, pks[first : first + PAGE])).jobs:
            item = await desk.views.of_job(job)
            items.append(msgspec.Raw(item))
            size += len(item)
            if size >= PAGE_BYTES:
                return items, place[job.row.pk]
    return items, len(pks)


QUERY_NAMES = frozenset(
    {"status", "template", "label", "creator", "node", "parent", "text", "include_deleted"}
    | {"created_after", "created_before", "modified_after", "modified_before"}
    | {"order", "limit", "cursor"}
)


def _refuse_unknown(request: AnyRequest) -> None:
    unknown = sorted(set(request.query_params) - QUERY_NAMES)
    if unknown:
        known = ", ".join(sorted(QUERY_NAMES))
        raise InvalidInput(
            f"unknown query parameter {unknown[0][:64]!r}; known: {known}",
            fields={unknown[0][:64]: ["Unknown parameter."]},
        )


def _statuses(given: Texts) -> tuple[str, ...]:
    texts = [text for item in given or () for text in item.split(",")]
    for text in texts:
        if text not in Status.__members__:
            known = ", ".join(Status.__members__)
            raise InvalidInput(
                f"no status {text[:20]!r}; known: {known}", fields={"status": ["Unknown status."]}
            )
    return tuple(texts)


def label_pairs(given: Texts) -> tuple[tuple[str, str], ...]:
    """Read labels, each written as ``key:value``."""
    pairs = [item.partition(":") for item in given or ()]
    if any(not colon or not key for key, colon, _ in pairs):
        raise InvalidInput("label is key:value", fields={"label": ["Write it as key:value."]})
    return tuple((key, value) for key, _, value in pairs)


def number_or_name(text: str | None) -> int | str | None:
    """Read a number of at most 18 digits; any other text is a name."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else text


def _account(request: AnyRequest, text: str | None) -> int | None:
    if text == "me":
        return cast(int, request.scope["user"].account)
    number = number_or_name(text)
    if isinstance(number, str):
        raise InvalidInput("creator is a pk, or me", fields={"creator": ["Not a number."]})
    return number


def _moment(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return clock.parse_iso(text)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{name}: {error}", fields={name: [str(error)]}) from error
