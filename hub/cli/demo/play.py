"""The acts of the demo, in order: hub, node, job, live messages, downloads, proof."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from hub import clock
from hub.auth.accounts import FIRST_ADMIN
from hub.cli.demo.children import running, unless
from hub.cli.demo.host import Place, RunningHub, hub_running, sign_in
from hub.cli.demo.order import TEMPLATE, JobSeen, TemplateSeen, job_in, versions
from hub.cli.demo.screen import Screen
from hub.cli.demo.verifying import Fetched, Verified, fetched, verified
from hub.cli.demo.watching import Message, Proof, watched
from hub.cli.rest import Rest
from hub.errors import Conflict, HubError
from hub.lifecycle.types import legible
from hub.wire.accounts import TokenIn, TokenMade

TOKEN_LIFE_S = 3_600
CANCEL_S = 3.0

SAID_OF = {
    "acquire": "acquired by node {node}",
    "start": "started by node {node}",
    "finish": "finished",
    "error": "failed: {error}",
    "cancel": "canceled",
}


class JobNotDone(Conflict):
    """The job did not finish."""

    code = "job_not_done"


class Options(msgspec.Struct, frozen=True):
    """What the user chose; ``folder`` is what the job reads."""

    place: Place
    folder: Path
    port: int = 0
    keep: bool = False


class Done(msgspec.Struct, frozen=True):
    """What a finished demo can tell."""

    hub: RunningHub
    job: int
    proof: Proof
    outputs: list[Fetched]
    check: Verified


async def perform(options: Options, screen: Screen, kept: asyncio.Event) -> None:
    """Play the demo; with ``keep`` set ``kept`` at its end and then wait until the hub ends.

    Whatever happens, no process of it is left.

    Raises:
        HubError: the first thing that went wrong.
        OSError: there is no room, or a folder may not be written.
    """
    began_s = clock.monotonic_s()
    async with hub_running(options.place, options.port) as hub:
        screen.say(f"hub        {hub.url} on {hub.database}, data in {options.place.data}")
        done = await unless([hub.child.loss()], _job_done(options, hub, screen))
        for line in report(done, options.place):
            screen.say(line)
        screen.say(f"took       {clock.monotonic_s() - began_s:.1f} s")
        if options.keep:
            screen.say(f"The hub runs on at {hub.url} until Ctrl-C stops it.")
            screen.say(f"Sign in as {FIRST_ADMIN} with the password {hub.password}")
            kept.set()
            await hub.child.loss()


async def _job_done(options: Options, hub: RunningHub, screen: Screen) -> Done:
    place = options.place
    async with Rest(hub.url) as rest, _token(rest, hub.password) as token:
        description = f"hash and count the .py files of {options.folder} ({secrets.token_hex(3)})"
        signed = {"HUB_URL": hub.url, "HUB_TOKEN": token}
        worker = ["hub.cli.demo.node", description]
        async with running("the node", worker, signed, place.node_log) as node:
            screen.say(f"node       process {node.pid}, works over HTTP")
            job, cursor = await _submitted(rest, options.folder, description)
            screen.say(f"job {job:<6} {description}")
            async with _canceled_on_failure(rest, job):
                watching = watched(rest, job, cursor, lambda message: _tell(screen, message))
                proof = await unless([node.loss(may_end_well=True)], watching)
        if proof.last.transition != "finish":
            raise JobNotDone(f"the job did not finish: {_sentence(proof.last)}")
        outputs = await fetched(rest, job, place.folder)
        return Done(hub, job, proof, outputs, await verified(place.folder, screen))


@asynccontextmanager
async def _token(rest: Rest, password: str) -> AsyncIterator[str]:
    """Sign ``rest`` with a token for watcher and node that is worthless after the block."""
    await sign_in(rest, password)
    asked = TokenIn(name="hub demo", expires_in_s=TOKEN_LIFE_S)
    made = await rest.ask("POST", "/v1/tokens", TokenMade, asked)
    rest.headers["Authorization"] = f"Bearer {made.token}"
    try:
        yield made.token
    finally:
        await _attempt(rest, f"/v1/tokens/{made.pk}")


async def _submitted(rest: Rest, folder: Path, description: str) -> tuple[int, str]:
    """Return the number of a new job, and the cursor of its creation in the log."""
    order = job_in(await _template(rest), str(folder), description)
    answer = await rest.call("POST", "/v1/jobs", order)
    job = msgspec.json.decode(answer.content, type=JobSeen)
    return job.pk, answer.headers["X-Hub-Cursor"]


async def _template(rest: Rest) -> int:
    """Return the number of the demo's template; an earlier demo may have declared it."""
    path = "/v1/job-templates"
    for seen in await rest.ask("POST", f"{path}/list", list[TemplateSeen], versions()):
        if seen.fits:
            return seen.pk
    return (await rest.ask("POST", path, TemplateSeen, TEMPLATE)).pk


@asynccontextmanager
async def _canceled_on_failure(rest: Rest, job: int) -> AsyncIterator[None]:
    """Leave no job behind in a database that outlives us."""
    try:
        yield
    except BaseException:
        await _attempt(rest, f"/v1/jobs/{job}/cancel")
        raise


async def _attempt(rest: Rest, path: str) -> None:
    with suppress(HubError, TimeoutError):
        async with asyncio.timeout(CANCEL_S):
            await rest.call("DELETE", path)


def _tell(screen: Screen, message: Message) -> None:
    if message.transition == "progress":
        screen.show(message.progress, str(message.transition_data.get("message", "")))
    else:
        screen.say(f"           {_sentence(message)}")


def _sentence(message: Message) -> str:
    said = SAID_OF.get(message.transition, message.transition)
    return said.format(node=message.node, error=legible(message.error, limit=300))


def report(done: Done, place: Place) -> Iterator[str]:
    """Yield what to tell the user in the end."""
    summary, proof = done.check.summary, done.proof
    yield (
        f"counted    {summary.files:,} files, {summary.bytes:,} bytes, {summary.lines:,} lines, "
        f"{summary.skipped} skipped, in {summary.took_s:.1f} s"
    )
    yield (
        f"watched    {proof.messages} messages, none missing: the log has the events 1 to "
        f"{proof.events}, of which {proof.events - proof.messages} are not for this socket"
    )
    for output in done.outputs:
        about = output.about
        yield f"{about.name:<10} {output.path}"
        yield f"           {about.size:,} bytes, sha256 {about.sha256}"
    gone = f", {done.check.gone} are gone since" if done.check.gone else ""
    yield (
        f"verified   both downloads against the hub's digests, "
        f"{summary.files - done.check.gone:,} files against the table{gone}"
    )
    yield f"logs       {place.hub_log}, {place.node_log}"
