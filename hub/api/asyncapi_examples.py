"""An example of each live message: the story of the other examples, as watchers are told it."""

from typing import Any

import msgspec

from channels.protocol import frames
from hub.api.examples import ACCESS, CLOUD_EVENT, CURSOR, MESSAGE, NODE, PROGRESS, TAKEN
from hub.wire.plain_messages import PlainMessage
from hub.wire.stream_lines import BookmarkLine, EventLine, ResetLine, SnapshotLine

FORMER = "v1:k3p9:940"
WORKER = frames.Worker(
    pk=NODE.pk, ip=NODE.ip, index=NODE.index, owner=NODE.owner, last_seen=TAKEN, current_job=7
)
ROW = {"pk": 7, "status": "RUNNING", "seq": 3, "tseq": 3, "progress_amount": 0.0, "node": 3}

_told: dict[str, Any] = msgspec.structs.asdict(PROGRESS)

EXAMPLES: tuple[msgspec.Struct, ...] = (
    frames.Auth(token=ACCESS),
    frames.Subscribe(id="mine", topic="jobs", filter=frames.Filter(creator=("me",))),
    frames.Subscribe(id="s7", topic="job", jobs=(7,), progress="all", cursor=FORMER),
    frames.Unsubscribe(id="s7"),
    frames.Ping(t=1),
    frames.Hello(conn="c_9f2", epoch="k3p9", auth="ok"),
    frames.AuthOk(expires_in=3_540),
    frames.Subscribed(
        id="s7", mode="resume", from_=FORMER, head=CURSOR, retained_from="v1:k3p9:120"
    ),
    frames.Snapshot(id="mine", at=FORMER, part=1, last=True, jobs=[ROW]),
    frames.Events(id="s7", from_=FORMER, to=CURSOR, events=[frames.Event(**_told, skip=0)]),
    frames.Bookmark(id="s7", from_=CURSOR, cursor=CURSOR),
    frames.Reset(id="s7", reason="expired"),
    frames.Workers(id="nodes", n=1, full=True, workers=[WORKER]),
    frames.Notice(code="drain", retry_after_ms=3_200),
    frames.Error(id="s7", code="not_found", detail="there is no job 7"),
    frames.End(id="s7", reason="unsubscribed"),
    frames.Pong(t=1, now="2026-11-22T09:53:30.000418Z"),
    msgspec.convert(MESSAGE, PlainMessage),
    EventLine(**_told, skip=0, cursor=CURSOR),
    BookmarkLine(cursor=CURSOR),
    ResetLine(reason="expired"),
    SnapshotLine(cursor=FORMER, part=1, last=True, jobs=[ROW]),
    CLOUD_EVENT,
)
