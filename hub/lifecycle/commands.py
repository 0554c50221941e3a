"""Every change to a job as a frozen struct: what is asked, by whom, with which facts."""

import msgspec


class Actor(msgspec.Struct, frozen=True, gc=False):
    """Who asks; ``account`` is ``None`` for the hub itself.

    ``node`` is set only when the account owns that node.
    """

    account: int | None
    is_admin: bool = False
    node: int | None = None
    session: str | None = None
    address: str | None = None


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A change to job ``job``; creation learns its number from the ledger."""

    actor: Actor
    job: int = 0


class Create(Command, frozen=True, kw_only=True, gc=False):
    """Make a job from a template whose interface already accepted its values (JSON texts).

    ``notifications`` is what ``lifecycle.notifications.stored`` made of an override.
    """

    template: int
    priority: int
    max_tries: int
    silence_s: int
    timeout_s: int | None
    description: str
    labels: str
    inputs: str
    parameters: str
    members: tuple["Member", ...] = ()
    notifications: str | None = None


class Member(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A job that is made together with a meta-job.

    ``parent`` is the place of its own parent among the members, -1 for the meta-job itself; it
    stands behind its parent. ``wires`` (JSON) tells which outputs of siblings it waits for.
    """

    parent: int
    name: str
    template: int
    priority: int
    max_tries: int
    silence_s: int
    timeout_s: int | None
    description: str
    labels: str
    inputs: str
    parameters: str
    wires: str | None = None
    notifications: str | None = None


class Acquire(Command, frozen=True, kw_only=True, gc=False):
    """Take the job for the actor's node."""


class Release(Command, frozen=True, kw_only=True, gc=False):
    """Give the job back before it was started."""


class Start(Command, frozen=True, kw_only=True, gc=False):
    """Begin to work."""


class Progress(Command, frozen=True, kw_only=True, gc=False):
    """Report ``value`` (0 to 1) with ``body``, the worker's JSON object as it came."""

    value: float
    body: str


class Finish(Command, frozen=True, kw_only=True, gc=False):
    """End the work: ``error`` is ``None`` for success; ``outputs`` must all be there by name."""

    error: str | None = None
    outputs: tuple[str, ...] = ()


class Reset(Command, frozen=True, kw_only=True, gc=False):
    """Make a failed job ready for another run by the node that holds it."""


class Abort(Command, frozen=True, kw_only=True, gc=False):
    """Take the job from whoever holds it and queue it again."""


class Cancel(Command, frozen=True, kw_only=True, gc=False):
    """End the job for good."""


class Requeue(Command, frozen=True, kw_only=True, gc=False):
    """Queue a failed or canceled job again, optionally with another priority."""

    priority: int | None = None


class Describe(Command, frozen=True, kw_only=True, gc=False):
    """Change the description; ``None`` leaves it."""

    description: str | None = None


class Destroy(Command, frozen=True, kw_only=True, gc=False):
    """Hide the job from lists and nodes."""


class Reinstate(Command, frozen=True, kw_only=True, gc=False):
    """Bring a hidden job back."""


class HardDelete(Command, frozen=True, kw_only=True, gc=False):
    """Remove the job, its outputs and what its events say."""


class AddOutput(Command, frozen=True, kw_only=True, gc=False):
    """Attach bytes that the output store already holds.

    ``run`` is the run (``lifecycle.results.run_of``) in which the upload began: bytes that took
    long must not land in a later one.
    """

    name: str
    type: str
    sha256: str
    size: int
    run: tuple[int, int]


class RemoveOutput(Command, frozen=True, kw_only=True, gc=False):
    """Hide output ``output``."""

    output: int


class ReinstateOutput(Command, frozen=True, kw_only=True, gc=False):
    """Bring a hidden output back."""

    output: int


class HardDeleteOutput(Command, frozen=True, kw_only=True, gc=False):
    """Remove output ``output``; its bytes go when no other output has them."""

    output: int


class Expire(Command, frozen=True, kw_only=True, gc=False):
    """Look at a lease that has run out: extend it, or doubt, lose or end the run.

    ``attempt`` is the one that was seen to run out, ``seen_us`` when its node was last heard of in
    any way; an idle node asks for other work. It changes nothing when that no longer holds.
    """

    attempt: int
    seen_us: int = 0
    is_idle: bool = False


class Touch(Command, frozen=True, kw_only=True, gc=False):
    """Record that the holder was heard of ``ago_us`` microseconds ago: no event, no answer."""

    ago_us: int
