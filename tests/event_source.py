"""What a browser understands of an event stream, after the HTML standard, 9.2.6."""

import codecs
import re
from typing import NamedTuple

_LINE_END = re.compile(r"\r\n|\n|\r")


class Message(NamedTuple):
    """What a page is given."""

    name: str
    data: str
    last_id: str


class EventSource:
    """Takes bytes, cut anywhere, and says what a page would hear.

    Attributes:
        last_id: What it would send as ``Last-Event-ID``.
        retry_ms: How long it would wait before it comes back.
        comments: Lines that a page does not hear of.
    """

    def __init__(self) -> None:
        self.last_id = ""
        self.retry_ms: int | None = None
        self.comments: list[str] = []
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._rest = ""
        self._name = ""
        self._data: list[str] = []
        self._id = ""

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that end in ``data``."""
        text = self._rest + self._decoder.decode(data)
        # A carriage return at the end may be half of a line end.
        kept = "\r" if text.endswith("\r") else ""
        *lines, rest = _LINE_END.split(text.removesuffix(kept))
        self._rest = rest + kept
        found = [self._take(line) for line in lines]
        return [message for message in found if message is not None]

    def _take(self, line: str) -> Message | None:
        if not line:
            return self._dispatch()
        if line.startswith(":"):
            self.comments.append(line[1:])
            return None
        field, _, value = line.partition(":")
        self._set(field, value.removeprefix(" "))
        return None

    def _set(self, field: str, value: str) -> None:
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        elif field == "id" and "\0" not in value:
            self._id = value
        elif field == "retry" and re.fullmatch("[0-9]+", value):
            self.retry_ms = int(value)

    def _dispatch(self) -> Message | None:
        self.last_id = self._id
        name, data = self._name or "message", self._data
        self._name, self._data = "", []
        return Message(name, "\n".join(data), self.last_id) if data else None
