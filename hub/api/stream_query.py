"""What the query of a stream asks for: the filters of ``GET /v1/jobs``, and how it is told."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar, get_args

import msgspec
from litestar import Request

from channels.protocol.frames import (
    JOBS_MAX,
    EventType,
    Filter,
    Pk,
    ProgressMode,
    SnapshotMode,
    StatusName,
    Subscribe,
)
from channels.protocol.subscribing import objection
from hub.api.job_lists import label_pairs, number_or_name
from hub.auth.doors import one_header
from hub.errors import InvalidInput

T = TypeVar("T")
Json = dict[str, Any]
Texts = Sequence[str]

NAME = "stream"
"""What the only subscription of a stream is called; nobody gets to see it."""

JOB = "job"
_Jobs = Annotated[tuple[Pk, ...], msgspec.Meta(max_length=JOBS_MAX)]

LAST_EVENT_ID = "Last-Event-ID"
GAPS = ("reset", "error")


class StreamWish(NamedTuple):
    """What a stream shall tell, and whether it may begin anew where the log cannot go on."""

    subscribe: Subscribe
    may_reset: bool


def wish_of(request: Request[Any, Any, Any], job: int | None = None) -> StreamWish:
    """Return what a request for a stream of all jobs, or of one, asks for.

    Raises:
        InvalidInput: it asks for what there is not.
    """
    query = request.query_params
    known = set(_TOLD) | ({*_FILTERS, JOB} if job is None else set(_OF_ONE_JOB))
    _refuse_unknown(query, known)
    given = {name: query.getall(name) for name in known if name in query}
    cursor = one_header(request.scope["headers"], LAST_EVENT_ID.lower().encode())
    place = cursor.decode("latin-1") if cursor else _one(given, "cursor")
    snapshot = _one(given, "snapshot", get_args(SnapshotMode))
    progress = _one(given, "progress", get_args(ProgressMode))
    jobs = _jobs(given) if job is None else (job,)
    subscribe = Subscribe(
        id=NAME,
        topic="job" if jobs else "jobs",
        jobs=jobs,
        filter=_filter(given),
        progress=msgspec.UNSET if progress is None else _as(ProgressMode, progress),
        # Without a place to go on from, a stream tells what happens from now on.
        snapshot=_as(SnapshotMode, snapshot or ("auto" if place else "never")),
        cursor=place,
    )
    if said := objection(subscribe):
        raise InvalidInput(said)
    return StreamWish(subscribe, may_reset=_one(given, "on_gap", GAPS) != "error")


def _jobs(given: dict[str, list[str]]) -> tuple[int, ...]:
    numbers = tuple(_numbers(given.get(JOB, [])))
    try:
        return msgspec.convert(numbers, _Jobs)
    except msgspec.ValidationError as error:
        raise _bad(JOB, str(error)) from error


def _as(kind: Any, text: str) -> Any:
    return msgspec.convert(text, kind)


def _refuse_unknown(query: Iterable[str], known: set[str]) -> None:
    unknown = sorted(set(query) - known)
    if unknown:
        raise InvalidInput(
            f"unknown query parameter {unknown[0][:64]!r}; known: {', '.join(sorted(known))}",
            fields={unknown[0][:64]: ["Unknown parameter."]},
        )


def _one(given: dict[str, list[str]], name: str, choices: Texts | None = None) -> str | None:
    """Return the only value of a parameter, one of ``choices`` if there are any."""
    texts = given.get(name, [])
    if not texts:
        return None
    if len(texts) > 1:
        raise _bad(name, "Give it once.")
    if choices is not None and texts[0] not in choices:
        raise _bad(name, f"One of {', '.join(choices)}.")
    return texts[0]


def _filter(given: dict[str, list[str]]) -> Filter:
    members: dict[str, Any] = {}
    for name, read in _FILTERS.items():
        if name in given:
            members[name] = read(given[name])
            try:
                msgspec.convert({name: members[name]}, Filter)
            except msgspec.ValidationError as error:
                raise _bad(name, str(error).replace(f"$.{name}", name)) from error
    return msgspec.convert(members, Filter)


def _bad(name: str, text: str) -> InvalidInput:
    return InvalidInput(f"{name}: {text}", fields={name: [text]})


def _split(texts: Texts) -> list[str]:
    return [part for text in texts for part in text.split(",")]


def _numbers(texts: Texts) -> list[int | str | None]:
    return [number_or_name(text) for text in texts]


def _labels(texts: Texts) -> dict[str, str]:
    pairs = label_pairs(list(texts))
    labels = dict(pairs)
    if len(set(pairs)) > len(labels):
        raise _bad("label", "A job has one value for a key.")
    return labels


_FILTERS: dict[str, Callable[[Texts], Any]] = {
    "status": _split,
    "type": _split,
    "template": _numbers,
    "label": _labels,
    "creator": _numbers,
    "node": _numbers,
    "parent": _numbers,
}
_OF_ONE_JOB = ("type",)
_TOLD = ("progress", "snapshot", "cursor", "on_gap")


# --- The same for the description of the API ------------------------------------------------------


def _parameter(name: str, note: str, schema: Json) -> Json:
    is_list = schema["type"] == "array"
    style = {"style": "form", "explode": True} if is_list else {}
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": note,
        "schema": schema,
        **style,
    }


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


_TEXT: Json = {"type": "string"}
_NUMBER: Json = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
_TYPE = _parameter(
    "type", "kinds of events; also comma-separated", _list({"enum": [*get_args(EventType)]})
)
_HOW_IT_IS_TOLD: tuple[Json, ...] = (
    _parameter(
        "progress",
        "of the progress: the newest of what waits, every report, or none",
        {"type": "string", "enum": [*get_args(ProgressMode)], "default": "all"},
    ),
    _parameter(
        "snapshot",
        "whether the present state comes first: where no cursor can be honoured, always or never; "
        "without a cursor it is `never` unless said otherwise",
        {"type": "string", "enum": [*get_args(SnapshotMode)]},
    ),
    _parameter("cursor", "go on behind this place; `Last-Event-ID` goes before it", _TEXT),
    _parameter(
        "on_gap",
        "what a cursor leads to that the log cannot go on behind: a reset, or 410",
        {"type": "string", "enum": [*GAPS], "default": "reset"},
    ),
    {
        "name": LAST_EVENT_ID,
        "in": "header",
        "description": "go on behind this cursor; browsers send it by themselves",
        "schema": _TEXT,
    },
)
OF_ALL_JOBS: tuple[Json, ...] = (
    _parameter("job", "these jobs only; of the filters just `type` goes with it", _list(_NUMBER)),
    _parameter(
        "status", "any of these; also comma-separated", _list({"enum": [*get_args(StatusName)]})
    ),
    _TYPE,
    _parameter("template", "any of these: numbers, or names", _list(_TEXT)),
    _parameter("label", "key:value; each must be there", _list(_TEXT)),
    _parameter("creator", "any of these: numbers or names of accounts, or me", _list(_TEXT)),
    _parameter("node", "any of these nodes holds the job", _list(_NUMBER)),
    _parameter("parent", "member of any of these jobs", _list(_NUMBER)),
    *_HOW_IT_IS_TOLD,
)
OF_ONE_JOB: tuple[Json, ...] = (_TYPE, *_HOW_IT_IS_TOLD)
"""What a stream takes besides the parameters of its path."""
