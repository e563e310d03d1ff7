"""Notifications by e-mail: SMTP of the standard library, in threads of its own."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

from tongban_registry.channels import PermanentError, TemporaryError
from tongban_shared.clock import BEIJING

if TYPE_CHECKING:
    from tongban_registry.channels import Letter

SOCKET_S = 8.0
AT_ONCE = 4
GIVEN_UP_FROM = 500


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail goes. starttls: refuse a server without it. user: None: no login."""

    host: str
    port: int
    sender: str
    starttls: bool = True
    user: str | None = None
    password: str = field(default="", repr=False)


class SmtpChannel:
    """Sends one message for each letter; the same `Message-ID` each time."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._threads = ThreadPoolExecutor(AT_ONCE, "smtp")

    async def send(self, letter: Letter) -> None:
        """A refusal of the recipient is final; one of ourselves (login, TLS) is put right by operators."""
        mail = mail_of(letter, self._server.sender)
        await asyncio.get_running_loop().run_in_executor(self._threads, self._deliver, mail)

    def _deliver(self, mail: EmailMessage) -> None:
        server = self._server
        try:
            with smtplib.SMTP(
                server.host, server.port, local_hostname=_domain(server.sender), timeout=SOCKET_S
            ) as line:
                if server.starttls:
                    line.starttls(context=ssl.create_default_context())
                if server.user is not None:
                    line.login(server.user, server.password)
                line.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            raise _refused(next(iter(error.recipients.values()))[0]) from None
        except smtplib.SMTPAuthenticationError:
            raise TemporaryError("login") from None
        except smtplib.SMTPDataError as error:
            raise _refused(error.smtp_code) from None
        except (smtplib.SMTPException, OSError):
            raise TemporaryError("unreachable") from None

    async def close(self) -> None:
        """Whoever is under way ends by itself, within the socket's time."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def mail_of(letter: Letter, sender: str) -> EmailMessage:
    """The letter as a message: text, and the footer below it."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = letter.address
    mail["Subject"] = letter.subject
    mail["Date"] = format_datetime(letter.made_at.astimezone(BEIJING))
    mail["Message-ID"] = f"<{letter.id}@{_domain(sender)}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["Content-Language"] = "en" if letter.language == "en" else "zh-CN"
    mail.set_content(f"{letter.text}\n\n{letter.footer}\n")
    return mail


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _refused(status: int) -> PermanentError | TemporaryError:
    return PermanentError("refused") if status >= GIVEN_UP_FROM else TemporaryError("refused_for_now")
