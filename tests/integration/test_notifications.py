"""What jobs tell: lines in the log and e-mail, sent beside the calls, and never lost."""

import asyncio
import base64
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from hub.notify import follower, mails, postman, prints, wishes
from hub.notify.follower import Follower
from hub.notify.letters import letter
from hub.notify.prints import line
from hub.settings import load
from orm.errors import DatabaseAway
from orm.queries import notifications
from tests.integration.conftest import HubClient, Json, as_node, running_hub
from tests.mail_server import HOST, MailServer

LIMIT_S = 20.0
CALL_LIMIT_S = 2.0
SECRET = "canary-5d1q"

PRINT = {"message": "{pk} {transition}"}
MAIL = {"subject": "Job {pk}: {transition}", "body": "{description}", "to": ["box@example.org"]}

StartHub = Callable[..., AbstractAsyncContextManager[HubClient]]


class Lines(logging.Handler):
    """What loggers say, and a way to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self._said = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self._said.set()

    def of(self, logger: str, level: int = logging.DEBUG) -> list[str]:
        found = [r for r in self.records if r.name == logger and r.levelno >= level]
        return [record.getMessage() for record in found]

    async def heard(self, text: str) -> str:
        """Wait until a line has ``text``, and return it."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                for record in self.records:
                    if text in record.getMessage():
                        return record.getMessage()
                self._said.clear()
                await self._said.wait()

    @property
    def prints(self) -> list[str]:
        return [text.removeprefix("print ") for text in self.of("hub.notification")]


@pytest.fixture
async def lines() -> AsyncIterator[Lines]:
    """All that is logged, at every level."""
    handler, root = Lines(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
async def mailbox() -> AsyncIterator[MailServer]:
    async with MailServer().listening() as server:
        yield server


@pytest.fixture
def start(fresh_url: str, tmp_path: Path) -> StartHub:
    """Start a hub; all of one test are on one database."""

    def start(mailbox: MailServer | None = None, **settings: str) -> Any:
        if mailbox is not None:
            settings = {"smtp_url": mailbox.url} | settings
        return running_hub(load({}, data=str(tmp_path), database_url=fresh_url, **settings))

    return start


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell news without waiting for more of it."""
    monkeypatch.setattr(follower, "GATHER_S", 0.02)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again soon what the mail server did not take."""
    monkeypatch.setattr(mails, "PAUSES_S", (0.05, 0.05, 0.05))


async def make(hub: HubClient, actions: Json | None = None, **more: Any) -> int:
    """Make a job, and its template when there is none yet."""
    if not (await hub.admin.get("/v1/job-templates/1")).is_success:
        await hub.template()
    body: Json = {"input_values": {}} | more
    if actions is not None:
        body["notification_override"] = {"actions": actions}
    answer = await hub.user.post("/v1/job-templates/1/create-job", json=body)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["pk"])


async def run(hub: HubClient, job: int, *, error: str | None = None, progress: int = 0) -> float:
    """Let a node acquire, start, report on and finish a job; return what its slowest call took."""
    nodes = (await hub.user.post("/v1/nodes/list", json={})).json()
    node = as_node(nodes[0] if nodes else await hub.node())
    done: Json = {"success": error is None, "send_notification": "email"}
    calls: list[tuple[str, str, Json | None]] = [
        ("GET", "acquire", None),
        ("POST", "start", {"send_notification": "email"}),
        *[("POST", f"progress/0.{n}", {"step": n}) for n in range(progress)],
        ("POST", "finish", done | ({} if error is None else {"error": error})),
    ]
    slowest_s = 0.0
    for method, action, body in calls:
        began_s = time.monotonic()
        path = f"/v1/jobs/{job}/{action}"
        answer = await hub.user.request(method, path, headers=node, json=body)
        assert answer.status_code == 200, answer.text
        slowest_s = max(slowest_s, time.monotonic() - began_s)
    return slowest_s


async def known_as(hub: HubClient, email: str) -> None:
    """Give the plain user an address."""
    async with hub.hub.engine.transaction() as transaction:
        await transaction.fetch("UPDATE users SET email = ? WHERE username = 'uma'", (email,))


# --- Prints ---------------------------------------------------------------------------------------


async def test_a_job_prints_what_it_was_asked_to_in_the_order_of_its_transitions(
    start: StartHub, lines: Lines
) -> None:
    everything = {f"on_{name}": [PRINT] for name in ("acquire", "start", "finish")}
    report = {"message": "{progress} of {description} on {node}: {transition_data}"}
    async with start() as hub:
        job = await make(hub, everything | {"on_progress": [report]}, description='a "b"')
        await run(hub, job, progress=2)
        await lines.heard("transition=finish")

    assert lines.of("hub.notification", logging.INFO) == [
        f'print job={job} transition=acquire message="{job} acquire"',
        f'print job={job} transition=start message="{job} start"',
        rf'print job={job} transition=progress message="0.0 of a \"b\" on 1: {{\"step\":0}}"',
        rf'print job={job} transition=progress message="0.1 of a \"b\" on 1: {{\"step\":1}}"',
        f'print job={job} transition=finish message="{job} finish"',
    ]


async def test_the_defaults_are_printed_at_debug(start: StartHub, lines: Lines) -> None:
    async with start() as hub:
        job = await make(hub)
        await run(hub, job, error="it broke")
        await lines.heard("transition=error")

    assert lines.of("hub.notification", logging.INFO) == []
    assert lines.prints == [
        f'job={job} transition=start message="job {job} started"',
        f'job={job} transition=error message="job {job} failed: it broke"',
    ]


async def test_a_loss_is_told_as_an_abort(start: StartHub, lines: Lines) -> None:
    async with start() as hub:
        job = await make(hub, {"on_abort": [PRINT], "on_cancel": [PRINT]})
        node = as_node(await hub.node())
        await hub.user.get(f"/v1/jobs/{job}/acquire", headers=node)
        await hub.admin.delete(f"/v1/jobs/{job}/abort")
        await hub.user.delete(f"/v1/jobs/{job}/cancel")
        await lines.heard("transition=cancel")

    assert [text.split()[1] for text in lines.prints] == ["transition=abort", "transition=cancel"]


async def test_a_child_is_silent_unless_told_otherwise(start: StartHub, lines: Lines) -> None:
    loud = {"message": "loud", "suppress_for_parent": False}
    async with start() as hub:
        parent = await make(hub)
        child = await make(hub, {"on_start": [PRINT, loud], "on_finish": [loud]})
        async with hub.hub.engine.transaction() as transaction:
            await transaction.fetch("UPDATE jobs SET parent = ? WHERE pk = ?", (parent, child))
        await run(hub, child)
        await lines.heard("transition=finish")

    assert [text for text in lines.prints if f"job={child} " in text] == [
        f'job={child} transition=start message="loud"',
        f'job={child} transition=finish message="loud"',
    ]


async def test_a_job_that_was_removed_says_nothing(start: StartHub, lines: Lines) -> None:
    async with start() as hub:
        gone = await make(hub, {"on_cancel": [PRINT]})
        await hub.user.delete(f"/v1/jobs/{gone}/cancel")
        await hub.admin.delete(f"/v1/jobs/{gone}/hard")
        other = await make(hub, {"on_cancel": [PRINT]})
        await hub.user.delete(f"/v1/jobs/{other}/cancel")
        await lines.heard(f"job={other} transition=cancel")

    assert [text.split()[0] for text in lines.prints] == [f"job={other}"]


async def test_more_jobs_than_are_kept_in_memory_all_have_their_say(
    start: StartHub, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wishes, "JOBS_MAX", 2)
    monkeypatch.setattr(wishes, "TEXTS_MAX", 200)
    async with start() as hub:
        jobs = [await make(hub, {"on_start": [PRINT], "on_finish": [PRINT]}) for _ in range(5)]
        for job in jobs:
            await run(hub, job)
        await lines.heard(f"job={jobs[-1]} transition=finish")

    assert len(lines.prints) == 2 * len(jobs)


async def test_one_line_that_cannot_be_written_silences_no_other(
    start: StartHub, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(call: Any) -> str:
        if call.event.type == "start":
            raise ZeroDivisionError
        return line(call)

    monkeypatch.setattr(prints, "line", breaks)
    async with start() as hub:
        await run(hub, await make(hub, {"on_start": [PRINT], "on_finish": [PRINT]}))
        await lines.heard("transition=finish")

    assert lines.prints == ["failed job=1", 'job=1 transition=finish message="1 finish"']


# --- Mail -----------------------------------------------------------------------------------------


async def test_the_creator_gets_mail_when_the_job_starts(
    start: StartHub, mailbox: MailServer
) -> None:
    async with start(mailbox, smtp_from="hub@example.org") as hub:
        await known_as(hub, "uma@example.org")
        job = await make(hub, description="holiday\r\nBcc: evil@example.org")
        await run(hub, job)
        (letter,) = await mailbox.have(1)

    assert (letter.sender, letter.recipients) == ("hub@example.org", ["uma@example.org"])
    assert letter.message["To"] == "uma@example.org"
    assert letter.message["Subject"] == f"Job {job} started"
    assert letter.message["Bcc"] is None
    assert "Description: holiday\nBcc: evil@example.org\nNode: 1\n" in letter.text


async def test_mail_goes_to_everybody_named_and_only_shows_who_may_be_seen(
    start: StartHub, mailbox: MailServer
) -> None:
    mail = MAIL | {
        "subject": "{description}",
        "to": ["a@example.org", "b@example.org"],
        "cc": ["c@example.org"],
        "bcc": ["d@example.org", "a@example.org"],
    }
    async with start(mailbox) as hub:
        await run(hub, await make(hub, {"on_finish": [mail]}, description="Grüße\nan alle"))
        (letter,) = await mailbox.have(1)

    assert letter.recipients == [f"{name}@example.org" for name in "abcd"]
    assert letter.message["To"] == "a@example.org, b@example.org"
    assert letter.message["Cc"] == "c@example.org"
    assert b"d@example.org" not in letter.raw
    assert letter.message["Subject"] == "Grüße an alle"


@pytest.mark.parametrize("email", ["", "uma", "uma@example.org, evil@example.org"])
async def test_a_creator_who_cannot_be_written_to_gets_none(
    start: StartHub, mailbox: MailServer, email: str
) -> None:
    async with start(mailbox) as hub:
        await known_as(hub, email)
        nowhere: Json = {"subject": "s", "body": "b"}
        await run(hub, await make(hub, {"on_start": [nowhere], "on_finish": [MAIL]}))
        (letter,) = await mailbox.have(1)

    assert letter.recipients == ["box@example.org"]


async def test_a_disabled_account_gets_none(start: StartHub, mailbox: MailServer) -> None:
    async with start(mailbox) as hub:
        await known_as(hub, "uma@example.org")
        job = await make(hub, {"on_cancel": [{"subject": "s", "body": "b"}, MAIL]})
        assert (await hub.admin.delete("/v1/users/2")).is_success
        await hub.admin.delete(f"/v1/jobs/{job}/cancel")
        (letter,) = await mailbox.have(1)

    assert letter.recipients == ["box@example.org"]


async def test_without_a_server_mail_is_accepted_and_not_sent_later_either(
    start: StartHub, mailbox: MailServer, lines: Lines
) -> None:
    async with start() as hub:
        await run(hub, await make(hub, {"on_start": [MAIL], "on_finish": [PRINT]}))
        await lines.heard("transition=finish")
    assert lines.of("hub.notify", logging.INFO) == ["e-mail off: HUB_SMTP_URL is empty"]

    async with start(mailbox) as hub:
        later = await make(hub, {"on_cancel": [MAIL]})
        await hub.user.delete(f"/v1/jobs/{later}/cancel")
        (letter,) = await mailbox.have(1)

    assert letter.message["Subject"] == f"Job {later}: cancel"


# --- Mail servers that fail -----------------------------------------------------------------------


@pytest.mark.usefixtures("hasty")
async def test_what_a_server_cannot_take_now_it_gets_again(
    start: StartHub, mailbox: MailServer, lines: Lines
) -> None:
    mailbox.answers["CONNECT"].append("421 too busy")
    mailbox.answers["MAIL"].append("451 later")
    mailbox.answers["RCPT"].append("450 later")
    async with start(mailbox) as hub:
        await run(hub, await make(hub, {"on_start": [MAIL], "on_finish": [MAIL]}))
        await mailbox.have(2)

    assert "mail put off count=2 again_in_s=0 error=SMTPConnectError code=421" in lines.of(
        "hub.notify"
    )


@pytest.mark.usefixtures("hasty")
async def test_a_session_that_breaks_sends_nothing_twice(
    start: StartHub, mailbox: MailServer
) -> None:
    many = {"on_start": [MAIL | {"subject": f"{n}"} for n in range(4)]}
    mailbox.answers["MAIL"] += ["250 fine", "250 fine", "421 good night"]
    async with start(mailbox) as hub:
        await run(hub, await make(hub, many))
        letters = await mailbox.have(4)

    assert sorted(letter.message["Subject"] for letter in letters) == ["0", "1", "2", "3"]


async def test_a_mail_that_is_refused_for_good_holds_up_no_other(
    start: StartHub, mailbox: MailServer, lines: Lines
) -> None:
    mailbox.answers["RCPT"] += ["550 nobody here", "250 fine", "550 nobody", "250 fine"]
    mailbox.answers["END"].append("554 no spam")
    some = MAIL | {"to": ["a@example.org", "b@example.org"]}
    async with start(mailbox) as hub:
        job = await make(hub, {"on_acquire": [MAIL], "on_start": [MAIL], "on_finish": [some]})
        await run(hub, job)
        (letter,) = await mailbox.have(1)
        await lines.heard("recipients_refused")

    assert letter.message["Subject"] == f"Job {job}: finish"
    assert lines.of("hub.notify", logging.WARNING) == [
        f"mail refused job={job} error=SMTPRecipientsRefused code=550",
        f"mail refused job={job} error=SMTPDataError code=554",
        f"mail refused job={job} recipients_refused=1",
    ]


@pytest.mark.usefixtures("hasty")
async def test_mail_is_given_up_after_some_tries_and_the_next_has_its_turn(
    start: StartHub, mailbox: MailServer, lines: Lines
) -> None:
    mailbox.answers["MAIL"] += ["451 later"] * (len(mails.PAUSES_S) + 1)
    async with start(mailbox) as hub:
        await run(hub, await make(hub, {"on_finish": [MAIL]}))
        await lines.heard("mail given up count=1")
        job = await make(hub, {"on_cancel": [MAIL]})
        await hub.user.delete(f"/v1/jobs/{job}/cancel")
        (letter,) = await mailbox.have(1)

    assert letter.message["Subject"] == f"Job {job}: cancel"


async def test_news_of_yesterday_is_not_mailed(
    start: StartHub, mailbox: MailServer, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mails, "NEWS_US", -1_000_000_000)
    async with start(mailbox) as hub:
        await run(hub, await make(hub, {"on_finish": [MAIL]}))
        await lines.heard("mail too old count=1")

    assert mailbox.sessions == 0


async def test_one_letter_that_cannot_be_written_holds_up_no_other(
    start: StartHub, mailbox: MailServer, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(mail: Any, **how: Any) -> Any:
        if mail.event.type == "start":
            raise ZeroDivisionError
        return letter(mail, **how)

    monkeypatch.setattr(postman, "letter", breaks)
    async with start(mailbox) as hub:
        job = await make(hub, {"on_start": [MAIL], "on_finish": [MAIL]})
        await run(hub, job)
        (taken,) = await mailbox.have(1)
        await lines.heard(f"mail refused job={job} error=ZeroDivisionError")

    assert taken.message["Subject"] == f"Job {job}: finish"


async def test_a_server_that_says_nothing_delays_neither_calls_nor_prints_nor_the_stop(
    start: StartHub, mailbox: MailServer, lines: Lines
) -> None:
    mailbox.is_deaf = True
    both = {"on_start": [MAIL, PRINT], "on_finish": [PRINT]}
    async with start(mailbox) as hub:
        await run(hub, await make(hub, both))
        await mailbox.met(1)
        slowest_s = max([await run(hub, await make(hub, both), progress=5) for _ in range(5)])
        await lines.heard("job=6 transition=finish")
        began_s = time.monotonic()

    assert time.monotonic() - began_s < CALL_LIMIT_S
    assert slowest_s < CALL_LIMIT_S
    assert len(lines.prints) == 2 * 6


async def test_a_server_that_is_not_there_delays_neither_calls_nor_prints(
    start: StartHub, lines: Lines
) -> None:
    async with MailServer().listening() as gone:
        pass
    async with start(gone) as hub:
        job = await make(hub, {"on_start": [MAIL, PRINT], "on_finish": [PRINT]})
        assert await run(hub, job, progress=5) < CALL_LIMIT_S
        await lines.heard("transition=finish")
        await lines.heard("mail put off count=1 again_in_s=1 error=ConnectionRefusedError")


# --- Passwords ------------------------------------------------------------------------------------


def with_password(server: MailServer) -> str:
    return f"smtp://hub:{SECRET}@{HOST}:{server.port}"


async def test_the_hub_signs_in_where_it_is_told_to(start: StartHub, mailbox: MailServer) -> None:
    mailbox.login = f"hub\0{SECRET}"
    async with start(mailbox, smtp_url=with_password(mailbox)) as hub:
        await run(hub, await make(hub, {"on_finish": [MAIL]}))
        await mailbox.have(1)

    assert mailbox.signed_in == [("hub", False)]


@pytest.mark.usefixtures("hasty")
async def test_a_password_that_is_wrong_is_in_no_log(
    start: StartHub, mailbox: MailServer, lines: Lines
) -> None:
    mailbox.login = "hub\0another"
    async with start(mailbox, smtp_url=with_password(mailbox)) as hub:
        await run(hub, await make(hub, {"on_finish": [MAIL]}))
        await lines.heard("mail given up count=1")

    assert "error=SMTPAuthenticationError code=535" in "".join(lines.of("hub.notify"))
    formatter = logging.Formatter()
    said = "\n".join(formatter.format(record) for record in lines.records)
    # The server repeated what it was sent, as it came and decoded.
    assert SECRET not in said
    assert base64.b64encode(f"\0hub\0{SECRET}".encode()).decode() not in said


# --- Stops, crashes, several processes ------------------------------------------------------------


async def never(self: Follower) -> None:
    """Forget to store how far the log was told, as a process that dies does."""


async def test_a_stop_in_good_order_repeats_nothing(start: StartHub, lines: Lines) -> None:
    for _ in range(3):
        async with start() as hub:
            job = await make(hub, {"on_cancel": [PRINT]})
            await hub.user.delete(f"/v1/jobs/{job}/cancel")
            await lines.heard(f"job={job} transition=cancel")

    assert len(lines.prints) == 3


async def test_a_crash_behind_the_sending_repeats_the_tail_and_loses_nothing(
    start: StartHub, mailbox: MailServer, lines: Lines
) -> None:
    with pytest.MonkeyPatch.context() as dying:
        dying.setattr(Follower, "keep", never)
        async with start(mailbox) as hub:
            await run(hub, await make(hub, {"on_start": [MAIL], "on_finish": [PRINT]}))
            await mailbox.have(1)
            await lines.heard("transition=finish")
    async with start(mailbox):
        first, second = await mailbox.have(2)

    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert first.text == second.text


@pytest.mark.usefixtures("hasty")
async def test_a_crash_before_the_sending_loses_nothing(
    start: StartHub, mailbox: MailServer
) -> None:
    mailbox.is_deaf = True
    async with start(mailbox) as hub:
        job = await make(hub, {"on_start": [MAIL], "on_finish": [MAIL]})
        await run(hub, job)
        await mailbox.met(1)
    mailbox.is_deaf = False
    async with start(mailbox):
        letters = await mailbox.have(2)

    assert [letter.message["Subject"] for letter in letters] == [
        f"Job {job}: start",
        f"Job {job}: finish",
    ]


async def test_the_place_in_the_log_is_stored_while_the_hub_runs(
    start: StartHub, mailbox: MailServer, lines: Lines
) -> None:
    async with start(mailbox) as hub:
        await run(hub, await make(hub, {"on_finish": [PRINT, MAIL]}))
        await mailbox.have(1)
        await lines.heard("transition=finish")
        async with asyncio.timeout(LIMIT_S):
            while True:
                sql = "SELECT gseq, notified_gseq, mailed_gseq FROM hub_meta"
                ((head, *places),) = await hub.hub.engine.fetch(sql)
                if places == [head, head]:
                    break
                await asyncio.sleep(0.05)

    assert head >= 4


async def test_a_database_that_goes_away_is_asked_again(
    start: StartHub, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def stumble(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked <= 2:
            raise DatabaseAway("gone")
        return await notifications.wishes(*arguments)

    monkeypatch.setattr(wishes, "wishes", stumble)
    async with start() as hub:
        await run(hub, await make(hub, {"on_start": [PRINT], "on_finish": [PRINT]}))
        await lines.heard("transition=finish")

    assert [text.split()[1] for text in lines.prints] == ["transition=start", "transition=finish"]
    assert "chore put off name=notifications error=gone" in lines.of("hub.upkeep")
