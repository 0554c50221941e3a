"""Outputs of a job by name and type: upload, download, describe, hide."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

from litestar import Controller, Response, delete, get, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub import clock
from hub.api.desk import CURSOR_HEADER, Desk
from hub.api.downloads import MEDIA_TYPE, answer_bytes
from hub.api.job_view import output_out
from hub.api.jobs import AnyRequest
from hub.auth.guard import actor_of
from hub.errors import BodyTooLarge, InvalidInput, NotFound
from hub.lifecycle import commands as c
from hub.lifecycle import results
from hub.outputs.disposition import content_digest
from hub.outputs.store import OutputStore
from hub.settings import Settings
from hub.wire.jobs import OutputOut
from orm.queries import jobs, outputs
from orm.rows import JobRow, OutputRow

NAME_MAX = 200
TYPE_MAX = 1_024
# One entry of a PostgreSQL index, and these two are in one, has room for 2,704 bytes in all.
BOTH_MAX_BYTES = 2_500
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

PAUSE_MAX_S = 300.0
"""An upload of which no byte comes for so long is given up."""


class UnknownOutput(InvalidInput):
    """The job has no output by this name and type. UFDL answers 400 here, not 404."""

    code = "unknown_output"


class UploadCut(InvalidInput):
    """The upload ended before its body did; nothing of it is kept."""

    code = "upload_cut"


class OutputsController(Controller):
    """One output at ``/v1/jobs/{pk}/outputs/{name}/{type}``; both are compared as texts."""

    path = "/v1/jobs/{pk:int}/outputs/{name:str}/{type_text:str}"
    tags = ("outputs",)

    @post(opt={"action": "outputs_add"}, operation_id="outputs_add", status_code=200)
    async def add(
        self,
        request: AnyRequest,
        pk: FromPath[int],
        name: FromPath[str],
        type_text: FromPath[str],
        desk: NamedDependency[Desk],
        store: NamedDependency[OutputStore],
        settings: NamedDependency[Settings],
    ) -> Response[OutputOut]:
        """Upload an output: the body is its bytes, of any type and length.

        The same bytes again are no change; other bytes under the same name and type are 409. A
        ``Content-Digest`` with a sha-256 is checked. A cut upload leaves nothing behind.
        """
        actor = actor_of(request.scope)
        before = await _job_that_takes(desk, pk, actor)
        check_key(name, type_text)
        digest = content_digest(",".join(request.headers.getall("content-digest", [])))
        limit = _limit(request, settings)
        heard = partial(desk.ledger.heard, actor, pk) if actor.node is not None else _nobody
        async with aclosing(_body(request, heard)) as chunks:
            stored = await store.receive(chunks, limit_bytes=limit, expected_sha256=digest)
        command = c.AddOutput(
            actor=actor,
            job=pk,
            name=name,
            type=type_text,
            sha256=stored.sha256,
            size=stored.size,
            run=results.run_of(before),
        )
        return await executed(desk, command)

    @get(
        opt={"action": "outputs_get"},
        operation_id="outputs_get",
        media_type=MEDIA_TYPE,
    )
    async def download(
        self,
        request: AnyRequest,
        pk: FromPath[int],
        name: FromPath[str],
        type_text: FromPath[str],
        desk: NamedDependency[Desk],
        store: NamedDependency[OutputStore],
    ) -> Response[bytes]:
        """Download an output, or with ``Range`` a part of it."""
        output = await _shown(desk, pk, name, type_text)
        return await answer_bytes(request, store, output, output.name)

    @route(
        http_method="HEAD",
        opt={"action": "outputs_head"},
        operation_id="outputs_head",
        media_type=MEDIA_TYPE,
        status_code=200,
    )
    async def head(
        self,
        request: AnyRequest,
        pk: FromPath[int],
        name: FromPath[str],
        type_text: FromPath[str],
        desk: NamedDependency[Desk],
        store: NamedDependency[OutputStore],
    ) -> Response[bytes]:
        """Say what a download would bring."""
        output = await _shown(desk, pk, name, type_text)
        return await answer_bytes(request, store, output, output.name)

    @get("/info", opt={"action": "outputs_info"}, operation_id="outputs_info")
    async def info(
        self,
        pk: FromPath[int],
        name: FromPath[str],
        type_text: FromPath[str],
        desk: NamedDependency[Desk],
    ) -> Response[OutputOut]:
        """Describe an output."""
        return Response(output_out(await _shown(desk, pk, name, type_text)))

    @delete(opt={"action": "outputs_delete"}, operation_id="outputs_delete", status_code=200)
    async def remove(
        self,
        request: AnyRequest,
        pk: FromPath[int],
        name: FromPath[str],
        type_text: FromPath[str],
        desk: NamedDependency[Desk],
    ) -> Response[OutputOut]:
        """Hide an output; its name is free for another one then."""
        output = await _shown(desk, pk, name, type_text)
        actor = actor_of(request.scope)
        return await executed(desk, c.RemoveOutput(actor=actor, job=pk, output=output.pk))


def check_key(name: str, type_text: str) -> None:
    """Refuse a name or a type that no output can have.

    Raises:
        InvalidInput: a length, or a control character.
    """
    if name in (".", ".."):
        _refuse("name", "A path segment of dots cannot be asked for.")
    for member, text, longest in (("name", name, NAME_MAX), ("type", type_text, TYPE_MAX)):
        if len(text) > longest:
            _refuse(member, f"Ensure this field has no more than {longest} characters.")
        if CONTROL.search(text):
            _refuse(member, "Control characters are not allowed.")
    if len(name.encode()) + len(type_text.encode()) > BOTH_MAX_BYTES:
        _refuse("type", f"Name and type together have at most {BOTH_MAX_BYTES} bytes in UTF-8.")


def _refuse(member: str, problem: str) -> None:
    raise InvalidInput(f"the {member} of an output: {problem}", fields={member: [problem]})


async def _job_that_takes(desk: Desk, pk: int, actor: c.Actor) -> JobRow:
    """Return the job, if ``actor`` may add an output to it now."""
    results.check_may_ever_add(actor)
    row = await jobs.brief(desk.engine, pk)
    if row is None:
        raise NotFound(f"there is no job {pk}")
    results.check_may_add(row, actor, clock.wall_us())
    return row


def _limit(request: AnyRequest, settings: Settings) -> int | None:
    """Return the most bytes that may come, ``None`` for any number.

    Raises:
        BodyTooLarge: the body says itself that it is larger.
    """
    limit = settings.max_output_bytes or None
    announced = request.content_length
    if limit is not None and announced is not None and announced > limit:
        raise BodyTooLarge(f"The body is larger than {limit} bytes.")
    return limit


def _nobody() -> None:
    """Hear of no node: an administrator uploads."""


async def _body(request: AnyRequest, heard: Callable[[], None]) -> AsyncGenerator[bytes, None]:
    """Yield the body as it comes, and call ``heard`` for each piece.

    Litestar's stream takes a client that goes away for a fault of the server, and waits for ever.

    Raises:
        UploadCut: the body is not complete, and the rest will not come.
    """
    has_more = True
    while has_more:
        message = await _next_message(request)
        if message["type"] == "http.disconnect":
            raise UploadCut
        heard()
        yield message.get("body", b"")
        has_more = message.get("more_body", False)


async def _next_message(request: AnyRequest) -> Any:
    try:
        async with asyncio.timeout(PAUSE_MAX_S):
            return await request.receive()
    except TimeoutError as error:
        raise UploadCut(f"nothing came for {PAUSE_MAX_S:.0f} seconds") from error


async def _shown(desk: Desk, pk: int, name: str, type_text: str) -> OutputRow:
    """Return the output that the job shows under this name and type.

    Raises:
        NotFound: there is no such job.
        UnknownOutput: there is, but no such output.
    """
    check_key(name, type_text)
    output = await outputs.visible(desk.engine, pk, name, type_text)
    if output is not None:
        return output
    if await jobs.brief(desk.engine, pk) is None:
        raise NotFound(f"there is no job {pk}")
    raise UnknownOutput(
        f"Bad name '{name}': Job has no output by this name/type ({name}/{type_text})"
    )


async def executed(desk: Desk, command: c.Command) -> Response[OutputOut]:
    """Return the answer to a command about an output: the output after it."""
    outcome = await desk.ledger.execute(command)
    assert outcome.output is not None
    return Response(output_out(outcome.output), headers={CURSOR_HEADER: desk.cursor(outcome.gseq)})
