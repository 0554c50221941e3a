"""What a client of ``hub.v1`` can check by itself: each message begins where the last one ended."""

from typing import Any

Json = Any


class Chain:
    """The messages of one connection so far.

    Args:
        is_whole: Whether all types of events are subscribed, so that each job's own numbers must
            be dense as well, with what was left out counted by ``skip``.
    """

    def __init__(self, *, is_whole: bool = False) -> None:
        self.places: dict[str, str] = {}
        self._is_whole = is_whole
        self._last: dict[str, int] = {}
        self._jobs: dict[tuple[str, int], tuple[int, int]] = {}

    def follow(self, message: Json) -> None:
        """Check the next message.

        Raises:
            AssertionError: something is missing, twice, or out of order.
        """
        name, op = message.get("id"), message["op"]
        if op == "subscribed":
            self.places[name] = message["from"]
        elif op == "snapshot":
            assert message["at"] == self.places.setdefault(name, message["at"])
            for row in message["jobs"]:
                self._jobs[name, row["pk"]] = row["seq"], row["tseq"]
        elif op == "reset":
            self.places.pop(name)
        elif op in ("events", "bookmark"):
            assert message["from"] == self.places[name], "the chain is broken"
            self.places[name] = message["to" if op == "events" else "cursor"]
            for event in message.get("events", ()):
                self._check(name, event)

    def _check(self, name: str, event: Json) -> None:
        assert event["g"] > self._last.get(name, -1), "an event came late or twice"
        self._last[name] = event["g"]
        known = self._jobs.get((name, event["job"]))
        if self._is_whole and known is not None:
            seq, tseq = known
            if event["seq"] <= seq:  # the page of the snapshot was newer than its first one
                return
            assert event["seq"] == seq + 1 + event["skip"], "an event is missing"
            is_transition = event["type"] != "job.progress"
            assert event["tseq"] == tseq + is_transition, "a transition is missing"
        self._jobs[name, event["job"]] = event["seq"], event["tseq"]
