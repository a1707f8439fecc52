"""Hands a letter over to the mail server.

Rule: neither an address nor what is written is part of an error: it has the server's code, and no more.
"""

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, localtime, make_msgid

import aiosmtplib

from hopwire.config import Mail

TIMEOUT_S = 30.0


class MailError(Exception):
    """It has not left; the text says why."""

    def __init__(self, told: str, *, final: bool = False) -> None:
        """`final`: trying again would not help."""
        super().__init__(told)
        self.final = final


async def send(settings: Mail, name: str, recipient: str, subject: str, body: str) -> None:
    """Hand over a letter of plain text, in the name of this gateway; raises MailError."""
    try:
        await aiosmtplib.send(
            _message(settings.sender, name, recipient, subject, body),
            hostname=settings.host,
            port=settings.port,
            username=settings.login or None,
            password=settings.password or None,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            timeout=TIMEOUT_S,
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        codes = [one.code for one in error.recipients]
        raise MailError(f"recipient refused {codes}", final=all(code >= 500 for code in codes)) from None
    except aiosmtplib.SMTPResponseException as error:
        raise MailError(f"{type(error).__name__} {error.code}") from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise MailError(type(error).__name__) from None


def _message(sender: str, name: str, recipient: str, subject: str, body: str) -> EmailMessage:
    message = EmailMessage(SMTP)
    message["From"] = formataddr((name, sender))
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = localtime()
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # so that nobody's absence is told to us
    message.set_content(body)
    return message
