"""Every state, every action, every caller: the page's table, written down once more.

What is not in ``RULES`` is refused with 403. A refusal changes nothing at all; what is accepted
changes the status as the table says and writes exactly the event that it names.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import httpx
import pytest

from tests.conformance.foreign import Client, Json, World, good, problem

# --- The table ------------------------------------------------------------------------------------

STATES = (
    "QUEUED",
    "ACQUIRED",
    "RUNNING",
    "COMPLETED",
    "FAILED, held",
    "FAILED, free",
    "CANCELED, never held",
    "CANCELED, was acquired",
    "CANCELED, was running",
)
FREE_STATES = {"QUEUED", "FAILED, free", "CANCELED, never held"}
HELD_STATES = tuple(state for state in STATES if state not in FREE_STATES)
OPEN = ("QUEUED", "ACQUIRED", "RUNNING", "FAILED, held", "FAILED, free")
FAILED = ("FAILED, held", "FAILED, free")
CANCELED = ("CANCELED, never held", "CANCELED, was acquired", "CANCELED, was running")
CANCELED_HELD = ("CANCELED, was acquired", "CANCELED, was running")

CALLERS = (
    "holder",
    "former holder",
    "other node",
    "node of the admin",
    "admin",
    "creator",
    "stranger",
    "viewer",
)
NODES = ("holder", "former holder", "other node", "node of the admin")
OTHER_NODES = ("former holder", "other node", "node of the admin")
ADMINS = ("admin", "node of the admin")


class Outcome(NamedTuple):
    """An answer's status; what it changes the job's status to, and the event that it writes."""

    answer: int
    after: str | None = None
    event: str | None = None


def moves(after: str, event: str) -> Outcome:
    return Outcome(200, after, event)


def writes(event: str, answer: int = 200) -> Outcome:
    return Outcome(answer, None, event)


UNCHANGED = Outcome(200)
CONFLICT = Outcome(409)
FORBIDDEN = Outcome(403)
GONE = Outcome(200, "gone")

Rule = tuple[tuple[str, ...], str, tuple[str, ...], Outcome]
RULES: tuple[Rule, ...] = (
    (("QUEUED",), "acquire", NODES, moves("ACQUIRED", "acquire")),
    (("FAILED, free",), "acquire", NODES, moves("FAILED", "acquire")),
    (("ACQUIRED", "RUNNING", "FAILED, held"), "acquire", ("holder",), UNCHANGED),
    (("ACQUIRED", "RUNNING", "FAILED, held"), "acquire", OTHER_NODES, CONFLICT),
    (("COMPLETED", *CANCELED), "acquire", NODES, CONFLICT),
    #
    (("ACQUIRED",), "release", ("holder",), moves("QUEUED", "release")),
    (("FAILED, held",), "release", ("holder",), moves("FAILED", "release")),
    (("RUNNING", "COMPLETED", *CANCELED_HELD), "release", ("holder",), CONFLICT),
    (STATES, "release", ("former holder",), UNCHANGED),
    #
    (("ACQUIRED",), "start", ("holder",), moves("RUNNING", "start")),
    (("RUNNING",), "start", ("holder",), UNCHANGED),
    (("COMPLETED", "FAILED, held", *CANCELED_HELD), "start", ("holder",), CONFLICT),
    #
    (("RUNNING",), "progress", ("holder",), writes("progress")),
    (("ACQUIRED", "COMPLETED", "FAILED, held"), "progress", ("holder",), CONFLICT),
    (CANCELED_HELD, "progress", ("holder",), CONFLICT),
    #
    (("RUNNING",), "finish", ("holder",), moves("COMPLETED", "finish")),
    (("COMPLETED", *CANCELED_HELD), "finish", ("holder",), UNCHANGED),
    (("ACQUIRED", "FAILED, held"), "finish", ("holder",), CONFLICT),
    (STATES, "finish", ("former holder",), UNCHANGED),
    #
    (("RUNNING",), "finish with an error", ("holder",), moves("FAILED", "error")),
    (("FAILED, held", *CANCELED_HELD), "finish with an error", ("holder",), UNCHANGED),
    (("ACQUIRED", "COMPLETED"), "finish with an error", ("holder",), CONFLICT),
    (STATES, "finish with an error", ("former holder",), UNCHANGED),
    #
    (("FAILED, held",), "reset", ("holder",), moves("ACQUIRED", "reset")),
    (("ACQUIRED", "RUNNING", "COMPLETED", *CANCELED_HELD), "reset", ("holder",), CONFLICT),
    #
    (("ACQUIRED", "RUNNING", *FAILED), "abort", ADMINS, moves("QUEUED", "abort")),
    (("QUEUED",), "abort", ADMINS, UNCHANGED),
    (("COMPLETED", *CANCELED), "abort", ADMINS, CONFLICT),
    #
    (OPEN, "cancel", (*ADMINS, "creator"), moves("CANCELED", "cancel")),
    (("COMPLETED", *CANCELED), "cancel", (*ADMINS, "creator"), UNCHANGED),
    #
    ((*FAILED, *CANCELED), "requeue", ADMINS, moves("QUEUED", "requeue")),
    (("QUEUED", "ACQUIRED", "RUNNING", "COMPLETED"), "requeue", ADMINS, CONFLICT),
    #
    (("RUNNING", "FAILED, held"), "upload", ("holder",), writes("output")),
    (CANCELED_HELD, "upload", ("holder",), writes("output")),
    (("ACQUIRED", "COMPLETED"), "upload", ("holder",), CONFLICT),
    (("RUNNING", *FAILED), "upload", ("admin",), writes("output")),
    (("QUEUED", "ACQUIRED", "COMPLETED", *CANCELED), "upload", ("admin",), CONFLICT),
    #
    (STATES, "update", ADMINS, writes("update")),
    (STATES, "reinstate", ADMINS, UNCHANGED),
    (("ACQUIRED", "RUNNING"), "destroy", ADMINS, CONFLICT),
    (("QUEUED", "COMPLETED", *FAILED, *CANCELED), "destroy", ADMINS, writes("destroy", 204)),
    (("ACQUIRED", "RUNNING"), "hard", ADMINS, CONFLICT),
    (("QUEUED", "COMPLETED", *FAILED, *CANCELED), "hard", ADMINS, GONE),
)

ACTIONS: dict[str, Callable[[Client, int], httpx.Response]] = {
    "acquire": Client.acquire,
    "release": Client.release,
    "start": Client.start,
    "progress": lambda caller, job: caller.progress(job, 0.75, {"step": 3}),
    "finish": Client.finish,
    "finish with an error": lambda caller, job: caller.finish(job, "it broke again"),
    "reset": Client.reset,
    "abort": Client.abort,
    "cancel": Client.cancel,
    "requeue": lambda caller, job: caller.post(f"/v1/jobs/{job}/requeue"),
    "upload": Client.upload,
    "update": lambda caller, job: caller.patch(f"/v1/jobs/{job}", {"description": "changed"}),
    "reinstate": lambda caller, job: caller.delete(f"/v1/jobs/{job}/reinstate"),
    "destroy": lambda caller, job: caller.delete(f"/v1/jobs/{job}"),
    "hard": lambda caller, job: caller.delete(f"/v1/jobs/{job}/hard"),
}

Cell = tuple[str, str, str]


def cells() -> Iterator[Cell]:
    for state in STATES:
        for action in ACTIONS:
            yield from (
                (state, action, caller)
                for caller in CALLERS
                if not (caller == "holder" and state in FREE_STATES)
            )


def rules_for(cell: Cell) -> list[Outcome]:
    state, action, caller = cell
    return [
        outcome
        for states, of_action, callers, outcome in RULES
        if state in states and action == of_action and caller in callers
    ]


def expected(cell: Cell) -> Outcome:
    return next(iter(rules_for(cell)), FORBIDDEN)


MOVING = [cell for cell in cells() if expected(cell)[1:] != (None, None)]
STILL = [cell for cell in cells() if expected(cell)[1:] == (None, None)]


# --- The stage ------------------------------------------------------------------------------------


class Scene:
    """A job in a state, everybody who may call about it, and how it was."""

    def __init__(self, world: World, cast: dict[str, Client], state: str) -> None:
        self._world = world
        self.job = world.new_job()
        self.callers = cast | {"holder": world.new_node()}
        good(cast["former holder"].acquire(self.job))
        good(cast["former holder"].release(self.job))
        for step in STEPS[state]:
            step(self)
        self.before = self.seen()
        status = state.partition(",")[0]
        assert self.before[0]["status"] == status
        assert (self.before[0]["node"] is None) == (state in FREE_STATES)

    @property
    def holder(self) -> Client:
        return self.callers["holder"]

    @property
    def creator(self) -> Client:
        return self.callers["creator"]

    def seen(self) -> tuple[Json, Json]:
        """Return the job as it is shown, and its events."""
        return self._world.job(self.job), self._world.events(self.job)

    def call(self, cell: Cell) -> httpx.Response:
        """Return the answer to the action of ``cell``, called by its caller."""
        _, action, caller = cell
        return ACTIONS[action](self.callers[caller], self.job)


Step = Callable[[Scene], Json]


def acquire(scene: Scene) -> Json:
    return good(scene.holder.acquire(scene.job))


def start(scene: Scene) -> Json:
    return good(scene.holder.start(scene.job))


def progress(scene: Scene) -> Json:
    return good(scene.holder.progress(scene.job, 0.25, {"step": 1}))


def finish(scene: Scene) -> Json:
    return good(scene.holder.finish(scene.job))


def fail(scene: Scene) -> Json:
    return good(scene.holder.finish(scene.job, "it broke"))


def release(scene: Scene) -> Json:
    return good(scene.holder.release(scene.job))


def cancel(scene: Scene) -> Json:
    return good(scene.creator.cancel(scene.job))


STEPS: dict[str, tuple[Step, ...]] = {
    "QUEUED": (),
    "ACQUIRED": (acquire,),
    "RUNNING": (acquire, start, progress),
    "COMPLETED": (acquire, start, progress, finish),
    "FAILED, held": (acquire, start, progress, fail),
    "FAILED, free": (acquire, start, progress, fail, release),
    "CANCELED, never held": (cancel,),
    "CANCELED, was acquired": (acquire, cancel),
    "CANCELED, was running": (acquire, start, progress, cancel),
}


@pytest.fixture(scope="module")
def cast(world: World) -> dict[str, Client]:
    """Everybody but the holder, who is another one in each scene: a node runs one job."""
    return {
        "former holder": world.new_node(),
        "other node": world.new_node(),
        "node of the admin": world.new_node(world.admin),
        "admin": world.admin,
        "creator": world.creator,
        "stranger": world.stranger,
        "viewer": world.viewer,
    }


@pytest.fixture(scope="module")
def scenes(world: World, cast: dict[str, Client]) -> dict[str, Scene]:
    """One scene for each state, for the calls that change nothing."""
    return {state: Scene(world, cast, state) for state in STATES}


# --- The tests ------------------------------------------------------------------------------------


def test_no_cell_of_the_table_is_decided_twice() -> None:
    assert [cell for cell in cells() if len(rules_for(cell)) > 1] == []


@pytest.mark.parametrize("cell", MOVING, ids=" - ".join)
def test_what_is_legal_happens_with_one_event_that_says_so(
    world: World, cast: dict[str, Client], cell: Cell
) -> None:
    outcome = expected(cell)
    scene = Scene(world, cast, cell[0])
    job, events = scene.before

    answer = scene.call(cell)

    assert answer.status_code == outcome.answer, answer.text
    if outcome == GONE:
        problem(world.admin.get(f"/v1/jobs/{scene.job}"), 404)
        return
    after, events_after = scene.seen()
    assert after["status"] == (outcome.after or job["status"])
    assert events_after[:-1] == events
    assert events_after[-1]["transition"] == outcome.event


@pytest.mark.parametrize("cell", STILL, ids=" - ".join)
def test_what_is_refused_or_done_already_changes_neither_job_nor_log(
    scenes: dict[str, Scene], cell: Cell
) -> None:
    outcome, scene = expected(cell), scenes[cell[0]]

    answer = scene.call(cell)

    assert answer.status_code == outcome.answer, answer.text
    assert scene.seen() == scene.before
    if outcome == UNCHANGED:
        assert answer.json() == scene.before[0]
        return
    said = problem(answer, outcome.answer)
    if outcome == CONFLICT:
        assert scene.before[0]["status"] in said["detail"]
