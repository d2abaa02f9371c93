"""A mail server that keeps what it is given, and refuses what it is told to."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SmtpSession

from mycelium.stack.ports import free_ports

logging.getLogger("mail.log").setLevel(logging.ERROR)  # the server's own log, which tells what was said to it


@dataclass
class MailServer:
    """Listens at `port`. `answers` are what it says to the next mails, `250 OK` once there are none left."""

    port: int
    sent: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    tries: int = 0

    async def handle_DATA(self, _server: SMTP, _session: SmtpSession, envelope: Envelope) -> str:  # noqa: N802
        """aiosmtpd's hook: a mail is there."""
        self.tries += 1
        if self.answers:
            return self.answers.pop(0)
        content = envelope.content or b""
        message = message_from_bytes(content if isinstance(content, bytes) else content.encode(), policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.sent.append((list(envelope.rcpt_tos), message))
        return "250 OK"


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    """A mail server without TLS and without passwords, on loopback."""
    (port,) = free_ports(1)
    kept = MailServer(port)
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(kept, enable_SMTPUTF8=True), "127.0.0.1", port)
    try:
        yield kept
    finally:
        server.close()
        await server.wait_closed()
