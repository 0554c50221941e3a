"""What an example of a call is made of."""

from typing import Any

import msgspec


class Example(msgspec.Struct, frozen=True):
    """A call: what is sent, and the struct, the structs or the text that come back.

    ``other`` comes back to those who ask for the other form of the answer.
    """

    request: Any = None
    response: Any = None
    other: Any = None

    def answer(self) -> Any:
        """Return the answer as it is on the wire, decoded."""
        return msgspec.to_builtins(self.response)


def where(field: str, value: Any) -> dict[str, Any]:
    """Return a list filter for one exact value."""
    return {"expressions": [{"type": "exact", "field": field, "value": value}]}
