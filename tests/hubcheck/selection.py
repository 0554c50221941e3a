"""What a subscription has to show of the log, written from its description."""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import UNSET

from channels.protocol.frames import Filter
from tests.hubcheck.oracle import VOID, Logged, Oracle, Row
from tests.hubcheck.streams import Session

PLAIN = {
    "acquire": "acquire",
    "release": "release",
    "start": "start",
    "progress": "progress",
    "finish": "finish",
    "error": "error",
    "reset": "reset",
    "abort": "abort",
    "cancel": "cancel",
    "lost": "abort",
    "requeue": "abort",
    "timeout": "error",
}
"""What the plain job socket shows of the log, and as what."""


class Verdict(NamedTuple):
    """How a subscription has to treat an event.

    Attributes:
        is_due: It must be shown, unless a newer report makes up for it.
        may_show: It may be shown.
        entered: What its mark has to be; ``None``: either.
        left: Likewise.
    """

    is_due: bool
    may_show: bool
    entered: bool | None = False
    left: bool | None = False


HIDDEN = Verdict(is_due=False, may_show=False)
UNKNOWN = Verdict(is_due=False, may_show=True, entered=None, left=None)


class Selection:
    """The events and jobs that a session is about."""

    def __init__(self, session: Session, oracle: Oracle) -> None:
        self._asked = session.asked
        self._account = session.client.account
        self._is_plain = session.client.face == "plain"
        self._oracle = oracle

    @property
    def shows_reports(self) -> bool:
        """Whether reports belong to it."""
        return self._asked.progress != "none" and self._admits("progress")

    @property
    def shows_transitions(self) -> bool:
        """Whether transitions belong to it, all of them."""
        return self._admits("transition") and not self._is_plain

    @property
    def shows_all(self) -> bool:
        """Whether every event of a job that matches belongs to it: then numbers prove it."""
        return self.shows_reports and self.shows_transitions

    @property
    def may_conflate(self) -> bool:
        """Whether a newer report of the same message makes up for an older one."""
        return self._asked.progress == "latest" and not self._is_plain

    def _admits(self, kind: str) -> bool:
        kinds = self._asked.filter.type
        return not kinds or kind in kinds

    def verdict(self, event: Logged) -> Verdict:
        """Return how ``event`` has to be treated."""
        if not self._is_of_jobs(event.job):
            return HIDDEN
        if self._is_plain:
            is_shown = event.type in PLAIN
            return Verdict(is_due=is_shown, may_show=is_shown)
        before = self._oracle.before(event)
        if event.type == VOID or event.after is None:
            return UNKNOWN
        if before is not None and before.after is None:
            return UNKNOWN
        return self._moved(event, None if before is None else before.after)

    def _moved(self, event: Logged, before: Row | None) -> Verdict:
        was = before is not None and self.matches(before)
        is_now = event.after is not None and self.matches(event.after)
        if not was and not is_now:
            return HIDDEN
        is_admitted = self.shows_reports if event.is_progress else self._admits("transition")
        if event.is_progress and not is_admitted:
            return HIDDEN
        # A job that is new did not match before, whoever asked for it by its number.
        entered = None if before is None else not was
        return Verdict(
            is_due=is_admitted,
            may_show=is_admitted or was != is_now,
            entered=entered,
            left=was and not is_now,
        )

    def _is_of_jobs(self, job: int) -> bool:
        return not self._asked.jobs or job in self._asked.jobs

    def has(self, event: Logged) -> bool:
        """Say whether the job belongs to the present state as it stood after ``event``."""
        return (
            event.after is not None
            and self._is_of_jobs(event.job)
            and self.matches(event.after)
            and not (event.type == "destroy" and event.data.get("hard") is True)
        )

    def matches(self, row: Row) -> bool:
        """Say whether a job that stands like this matches; who names a job sees it hidden too."""
        wanted = self._asked.filter
        if self._asked.topic == "job":
            return True
        return not row.is_hidden and all(self._questions(wanted, row))

    def _questions(self, wanted: Filter, row: Row) -> Iterator[bool]:
        if wanted.status:
            yield row.status in wanted.status
        yield all(row.labels.get(name, UNSET) == text for name, text in wanted.label.items())
        if wanted.creator:
            yield row.creator in [self._account_of(one) for one in wanted.creator]
        if wanted.node:
            yield row.node in wanted.node
        if wanted.template:
            yield any(self._is_template(row.template, one) for one in wanted.template)
        if wanted.parent:
            yield row.parent in wanted.parent

    def _account_of(self, wanted: int | str) -> int:
        if isinstance(wanted, int):
            return wanted
        return self._oracle.names.users.get(self._account if wanted == "me" else wanted, 0)

    def _is_template(self, pk: int, wanted: int | str) -> bool:
        if isinstance(wanted, int):
            return pk == wanted
        return pk in self._oracle.names.templates.get(wanted, ())
