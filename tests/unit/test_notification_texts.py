import json
from typing import Any

import pytest

from channels.events import About, Event
from hub.lifecycle.notifications import FIELDS
from hub.notify.letters import BODY_MAX, SUBJECT_MAX, Mail, letter
from hub.notify.prints import MESSAGE_MAX, line, quoted
from hub.notify.values import values_of
from hub.notify.wishes import Call
from hub.wire.templates import EmailAction, PrintAction

Json = dict[str, Any]


def event(**members: Any) -> Event:
    row = {"error_reason": None} | members.pop("row", {})
    about: Json = {
        "gseq": 5,
        "job": 7,
        "seq": 3,
        "tseq": 3,
        "kind": "t",
        "type": "start",
        "time_us": 1_700_000_000_000_000,
        "from_status": "ACQUIRED",
        "to_status": "RUNNING",
        "attempt": 1,
        "node": 2,
        "progress": 0.0,
        "data": json.dumps({"row": row}).encode(),
        "about": About("holiday pictures", 1, None, None, "{}"),
    }
    if "description" in members:
        about["about"] = About(members.pop("description"), 1, None, None, "{}")
    return Event(**about | members)


@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        (
            event(),
            {
                "pk": "7",
                "transition": "start",
                "description": "holiday pictures",
                "progress": "0.0",
                "cancelled": "false",
                "node": "2",
                "error": "",
                "transition_data": "{}",
            },
        ),
        (
            event(kind="p", type="progress", progress=0.5, data=b'{"a": [1]}'),
            {"transition": "progress", "progress": "0.5", "transition_data": '{"a": [1]}'},
        ),
        (
            event(type="error", to_status="FAILED", row={"error_reason": "it broke"}),
            {"transition": "error", "error": "it broke"},
        ),
        (event(type="timeout", to_status="FAILED"), {"transition": "error", "error": ""}),
        (event(type="lost", to_status="QUEUED", node=None), {"transition": "abort", "node": ""}),
        (event(type="cancel", to_status="CANCELED"), {"cancelled": "true", "error": ""}),
    ],
)
def test_placeholders_stand_for_what_the_event_says(happened: Event, expected: Json) -> None:
    values = values_of(happened)
    assert set(values) == set(FIELDS)
    assert values | expected == values


def printed(message: str, **members: Any) -> str:
    return line(Call(event(**members), PrintAction(message), False, None))


def test_a_print_is_one_line_of_key_and_value() -> None:
    assert printed("{pk}: {description}") == (
        'print job=7 transition=start message="7: holiday pictures"'
    )


FORGED = 'x"\n2026-11-22 03:30:00,000 INFO hub.ledger job=1 \r\x1b[31m\u2028\u202e\\ ü'


def test_no_description_can_forge_a_line_of_the_log() -> None:
    text = printed("{description}", description=FORGED)
    assert text.isprintable()
    assert text == (
        r'print job=7 transition=start message="x\"\n2026-11-22 03:30:00,000 INFO hub.ledger '
        r'job=1 \r\x1b[31m\u2028\u202e\\ ü"'
    )


def test_quoted_text_can_be_read_back() -> None:
    escaped = quoted(FORGED)[1:-1].replace("ü", r"\xfc")
    assert escaped.encode("ascii").decode("unicode_escape") == FORGED


def test_a_print_has_a_limit() -> None:
    big = b'{"a":"' + b"x" * 2**20 + b'"}'
    text = printed("{transition_data}" * 100, kind="p", type="progress", data=big)
    assert len(text) < MESSAGE_MAX * 2


def written(action: EmailAction, **members: Any) -> Any:
    mail = Mail(event(**members), action, 1, ("a@b",))
    return letter(mail, sender="hub@example.org", epoch="abc")


def test_a_letter_says_who_what_and_when() -> None:
    message = written(EmailAction("Job {pk} ü", "Grüße von {node}\n", cc=["c@d"], bcc=["e@f"]))
    assert message["Subject"] == "Job 7 ü"
    assert (message["From"], message["To"], message["Cc"]) == ("hub@example.org", "a@b", "c@d")
    assert message["Bcc"] is None
    assert message["Message-ID"] == "<abc.5.1@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"] == "Tue, 14 Nov 2023 22:13:20 -0000"
    assert message.get_content().replace("\r\n", "\n") == "Grüße von 2\n"
    assert bytes(message).isascii()


@pytest.mark.parametrize("evil", ["a\r\nBcc: e@f", "a\nTo: e@f", "a\r\n\r\nbody", "\0\x85\u2028"])
def test_nothing_in_a_job_becomes_a_header(evil: str) -> None:
    harmless = written(EmailAction("{description} {error}", "b"))
    message = written(
        EmailAction("{description} {error}", "b"),
        description=evil,
        type="error",
        to_status="FAILED",
        row={"error_reason": evil},
    )
    head = bytes(message).partition(b"\r\n\r\n")[0]
    names = [row.partition(b":")[0] for row in head.split(b"\r\n") if row[:1] not in b" \t"]
    assert names == [name.encode() for name in harmless.keys()]  # noqa: SIM118  # repeats count
    assert bytes(message).endswith(b"\r\n\r\nb\r\n")


def test_a_letter_has_limits() -> None:
    big = "ü" * 70_000
    message = written(EmailAction("{description}", "{description}" * 100), description=big)
    assert len(message["Subject"]) == SUBJECT_MAX + 1
    assert len(message.get_content()) <= BODY_MAX + 3


def test_a_letter_that_is_written_again_is_the_same_one() -> None:
    action = EmailAction("s", "b")
    assert written(action)["Message-ID"] == written(action)["Message-ID"]


def test_control_characters_are_not_mailed() -> None:
    message = written(EmailAction("s", "{description}"), description="a\0b\x1b[31m\r\nc\td")
    assert message.get_content().replace("\r\n", "\n") == "a b [31m\nc\td\n"


def test_everybody_gets_a_letter_once() -> None:
    action = EmailAction("s", "b", cc=["a@b", "c@d"], bcc=["c@d", "e@f"])
    assert Mail(event(), action, 1, ("a@b",)).recipients == ["a@b", "c@d", "e@f"]
