"""Print notifications: lines in the log."""

import asyncio
import logging
from collections.abc import Sequence

from channels.events import Event
from hub.lifecycle.placeholders import filled
from hub.notify.values import values_of
from hub.notify.wishes import Call, Wishes
from hub.wire.templates import PrintAction

log = logging.getLogger("hub.notification")

MESSAGE_MAX = 4_096
"""The most characters of a message in the log, before it is escaped."""


class Prints:
    """Writes print notifications: at info those that somebody asked for, at debug the defaults.

    The defaults say what the log of events has anyway, twice a job: they would bury all else.
    """

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes

    async def tell(self, events: Sequence[Event]) -> None:
        """Write what these events call for.

        Raises:
            StorageError: the database does not answer; nothing was written.
        """
        for call in await self._wishes.called_for(events, PrintAction):
            level = logging.DEBUG if call.is_default else logging.INFO
            if log.isEnabledFor(level):
                _write(level, call)
                await asyncio.sleep(0)  # calls go first


def _write(level: int, call: Call[PrintAction]) -> None:
    try:
        log.log(level, line(call))
    except Exception:  # one bad event must not silence all behind it
        log.exception("print failed job=%d", call.event.job)


def line(call: Call[PrintAction]) -> str:
    """Return the line of one notification; nothing in it can end the line or look like another."""
    values = values_of(call.event)
    message = quoted(filled(call.action.message, values, limit=MESSAGE_MAX))
    return f"print job={call.event.job} transition={values['transition']} message={message}"


def quoted(text: str) -> str:
    r"""Return ``text`` in double quotes, what cannot be seen as ``\n``, ``\x1b`` or ``\u2028``."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode()
