"""What a subscription may ask for: the rules that its members together must keep."""

from collections.abc import Callable

from msgspec import UNSET

from channels.protocol.frames import Filter, Subscribe


def objection(wish: Subscribe) -> str | None:
    """Return what is wrong with a subscription in itself; ``None`` if nothing is."""
    return next((rule for rule, breaks in _RULES.items() if breaks(wish)), None)


def shows_progress(wish: Subscribe) -> bool:
    """Whether progress events are asked for."""
    return wish.progress != "none" and (not wish.filter.type or "progress" in wish.filter.type)


def shows_transitions(wish: Subscribe) -> bool:
    """Whether transition events are asked for."""
    return not wish.filter.type or "transition" in wish.filter.type


def _wants_more_than_nodes(wish: Subscribe) -> bool:
    asked = (wish.jobs, wish.cursor, wish.filter != Filter(), wish.progress is not UNSET)
    return any(asked) or wish.snapshot != "auto"


_RULES: dict[str, Callable[[Subscribe], bool]] = {
    "jobs: topic job names at least one": lambda wish: wish.topic == "job" and not wish.jobs,
    "jobs: only topic job names them": lambda wish: wish.topic != "job" and bool(wish.jobs),
    "topic workers takes no filter, progress, snapshot or cursor": lambda wish: (
        wish.topic == "workers" and _wants_more_than_nodes(wish)
    ),
    "progress: none, but filter.type asks for progress": lambda wish: (
        wish.progress == "none" and "progress" in wish.filter.type
    ),
    "progress: filter.type leaves progress out": lambda wish: (
        wish.progress in ("latest", "all") and not shows_progress(wish)
    ),
}
