"""What jobs tell: the actions that an override may ask for, and those of a job without one.

Web-socket actions are accepted and leave nothing to keep: every job can be watched. The defaults
are those of UFDL's server, in our words (settings/UFDLCoreSettings.py).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from hub.errors import InvalidInput
from hub.lifecycle.placeholders import placeholder_problem
from hub.lifecycle.types import legible
from hub.mail import is_address
from hub.wire.templates import EmailAction, NotificationOverride, PrintAction, WebSocketAction

Action = PrintAction | EmailAction

MEMBER = "notification_override"
STORED_MAX = 65_536
"""The most characters that the actions of a job may take as JSON."""

SUBJECT_FIELDS = ("pk", "transition", "description", "progress", "cancelled", "node", "error")
FIELDS = (*SUBJECT_FIELDS, "transition_data")

BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that would end a header, or a line of whoever shows it."""

_NUL = "Null characters are not allowed."
_KIND_OF_MEMBER: dict[str, type[Action]] = {"message": PrintAction, "subject": EmailAction}
_NO_KIND = "An action is {} (web-socket), {message} (print) or {subject, body} (e-mail)."


class Plan(msgspec.Struct, frozen=True):
    """What a job tells, by transition (``start`` …), in the order of its list."""

    actions: Mapping[str, Sequence[Action]]

    def at(self, transition: str, *, is_child: bool) -> list[Action]:
        """Return what to tell then; ``is_child`` says that the job belongs to another one."""
        told = self.actions.get(transition, ())
        return [action for action in told if not (is_child and action.suppress_for_parent)]


DEFAULTS = Plan(
    {
        "start": [
            PrintAction("job {pk} started", suppress_for_parent=False),
            EmailAction(
                "Job {pk} started",
                "Job {pk} has started.\n\nDescription: {description}\nNode: {node}\n",
                suppress_for_parent=False,
            ),
        ],
        "finish": [PrintAction("job {pk} finished", suppress_for_parent=False)],
        "error": [PrintAction("job {pk} failed: {error}", suppress_for_parent=False)],
    }
)


def stored(override: Mapping[str, Any]) -> str:
    """Return an override as it is kept with its job: JSON, for ``plan_of``; each action once.

    Raises:
        InvalidInput: it has not the form of one, or a text or an address in it is of no use.
    """
    try:
        asked = msgspec.convert(override, NotificationOverride)
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from error
    kept = dict(DEFAULTS.actions) if asked.keep_default else {}
    for name, actions in asked.actions.items():
        transition = name.removeprefix("on_")
        wanted = [_read(raw, f"{name}[{n}]") for n, raw in enumerate(actions)]
        kept[transition] = _once([*kept.get(transition, ()), *wanted])
    text = msgspec.json.encode({name: told for name, told in kept.items() if told}).decode()
    if len(text) > STORED_MAX:
        raise _refused(f"All actions together take at most {STORED_MAX} characters of JSON.")
    return text


def plan_of(text: str | None) -> Plan:
    """Return what a job tells, from what ``stored`` made; ``None`` gives the defaults."""
    if text is None:
        return DEFAULTS
    lists = msgspec.json.decode(text, type=dict[str, list[dict[str, Any]]])
    return Plan(
        {name: _once([_converted(raw) for raw in actions]) for name, actions in lists.items()}
    )


def _read(raw: dict[str, Any], where: str) -> Action | WebSocketAction:
    try:
        action = _converted(raw)
    except msgspec.ValidationError as error:
        raise _refused(f"{where}: {error}") from error
    for problem in (check(action) for check in _CHECKS.get(type(action), ())):
        if problem:
            raise _refused(f"{where}: {problem}")
    return action


def _converted(raw: dict[str, Any]) -> Action | WebSocketAction:
    """Return the action that has exactly such members.

    Raises:
        msgspec.ValidationError: there is none.
    """
    for member, kind in _KIND_OF_MEMBER.items():
        if member in raw:
            return msgspec.convert(raw, kind)
    if raw.keys() - {"suppress_for_parent"}:
        raise msgspec.ValidationError(_NO_KIND)
    return msgspec.convert(raw, WebSocketAction)


def _once(actions: Sequence[Action | WebSocketAction]) -> list[Action]:
    """Return the actions that leave something to do, without those that repeat another."""
    once: list[Action] = []
    for action in actions:
        if not isinstance(action, WebSocketAction) and action not in once:
            once.append(action)
    return once


def _text_problem(member: str, known: Sequence[str], action: Action) -> str | None:
    text = getattr(action, member)
    problem = _NUL if "\0" in text else placeholder_problem(text, known)
    return None if problem is None else f"{member}: {problem}"


def _subject_problem(action: EmailAction) -> str | None:
    return "subject: It is one line." if BREAKS.search(action.subject) else None


def _recipients_problem(action: EmailAction) -> str | None:
    for member in ("to", "cc", "bcc"):
        addresses = getattr(action, member) or []
        bad = next((address for address in addresses if not is_address(address)), None)
        if bad is not None:
            return f"{member}: '{legible(bad)}' is no plain address."
        if len(set(addresses)) < len(addresses):
            return f"{member}: It names an address twice."
    return None


_CHECKS: dict[type, Sequence[Callable[[Any], str | None]]] = {
    PrintAction: (partial(_text_problem, "message", FIELDS),),
    EmailAction: (
        partial(_text_problem, "subject", SUBJECT_FIELDS),
        partial(_text_problem, "body", FIELDS),
        _subject_problem,
        _recipients_problem,
    ),
}


def _refused(problem: str) -> InvalidInput:
    return InvalidInput(f"{MEMBER}: {problem}", fields={MEMBER: [problem]})
