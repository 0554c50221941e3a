"""The text of an e-mail, made of an event and an action."""

import re
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

import msgspec

from channels.events import Event
from hub.lifecycle.notifications import BREAKS
from hub.lifecycle.placeholders import filled
from hub.notify.values import values_of
from hub.wire.templates import EmailAction

SUBJECT_MAX = 200
BODY_MAX = 65_536

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Mail(msgspec.Struct, frozen=True):
    """One e-mail, not written yet: ``number`` counts those of its event."""

    event: Event
    action: EmailAction
    number: int
    to: tuple[str, ...]

    @property
    def recipients(self) -> list[str]:
        """Everybody who gets it, each once."""
        return list(dict.fromkeys((*self.to, *(self.action.cc or ()), *(self.action.bcc or ()))))


def letter(mail: Mail, *, sender: str, epoch: str) -> EmailMessage:
    """Return the message. Written again it is the same one, by its ``Message-ID`` too."""
    event, action = mail.event, mail.action
    values = values_of(event)
    message = EmailMessage(policy=SMTP)
    message["Subject"] = BREAKS.sub(" ", filled(action.subject, values, limit=SUBJECT_MAX))
    message["From"] = sender
    if mail.to:
        message["To"] = ", ".join(mail.to)
    if action.cc:
        message["Cc"] = ", ".join(action.cc)
    message["Date"] = formatdate(event.time_us / 1_000_000)
    host = sender.partition("@")[2]
    message["Message-ID"] = f"<{epoch}.{event.gseq}.{mail.number}@{host}>"
    message["Auto-Submitted"] = "auto-generated"
    text = filled(action.body, values, limit=BODY_MAX).replace("\r\n", "\n")
    message.set_content(_UNSEEN.sub(" ", text), cte="quoted-printable")
    return message
