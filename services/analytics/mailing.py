"""Emails of what users should know, where a mail server is set and they want them.

Each notification is in one mail at most, whichever replica sends it and wherever one is killed: it is claimed in its
document before the mail is handed over, and only a server that refused it for the time being gets it again. What came
within a minute is one mail.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Final, Literal
from uuid import uuid4

import aiosmtplib
from aiosmtplib.errors import SMTPException, SMTPRecipientsRefused, SMTPResponseException
from pymongo import DESCENDING

from services.analytics.notifications import view_of, wanted_kinds
from services.analytics.settings import Mail
from shared.contracts.notification_views import Notification, NotificationKind
from shared.contracts.times import microseconds
from shared.folds.facts import SETTINGS, key_of
from shared.folds.state import value
from shared.plumbing.logs import get
from shared.plumbing.mongo import Database, Document

_log = get(__name__)
_GATHERED_FOR: Final = timedelta(minutes=1)
_YOUNG: Final = timedelta(hours=1)
_GIVEN_UP_AFTER: Final = timedelta(days=1)
_FIRST_DELAY: Final = timedelta(minutes=1)
_LONGEST_DELAY: Final = timedelta(hours=1)
_SECONDS: Final = 30.0
_MOST_IN_A_MAIL, _MOST_MAILS = 20, 100  # at a time

Outcome = Literal["sent", "waits", "refused"]


class Mailing:
    """Sends what waits to be sent. `gathered_for` is how long it is waited for more to come."""

    def __init__(self, database: Database, mail: Mail, gathered_for: timedelta = _GATHERED_FOR) -> None:
        self._notifications, self._settings = database["notifications"], database["settings"]
        self._mail, self._gathered_for = mail, gathered_for

    async def send(self) -> None:
        """Sends each user what waits for them, one mail each. Raises PyMongoError.

        Who wants no mail keeps what waits, too, so only those count who get one.
        """
        now, mails = datetime.now(UTC), 0
        users = await self._notifications.distinct("user", self._ripe(now))
        of = {"_id": {"$in": [key_of(user, SETTINGS) for user in users]}}
        settings = {said["_id"]: said async for said in self._settings.find(of)}
        for user in users:
            if kinds := _wanted(settings.get(key_of(user, SETTINGS))):
                mails += await self._send_to(user, kinds, now)
            if mails == _MOST_MAILS:
                return

    async def _send_to(self, user: str, kinds: Sequence[str], now: datetime) -> bool:
        """Whether there was a mail for the user."""
        theirs = {"user": user, "kind": {"$in": list(kinds)}}
        if not await self._notifications.find_one(theirs | self._ripe(now), {"_id": 1}):
            return False
        claim = uuid4().hex
        claimed: Document = {"$set": {"mail.state": "claimed", "mail.claim": claim}, "$inc": {"mail.tries": 1}}
        await self._notifications.update_many(theirs | _waiting(now), claimed)
        mine = await self._notifications.find({"mail.claim": claim}).sort("at", DESCENDING).to_list(None)
        if mine:
            outcome = await self._handed_over(user, [view_of(each) for each in mine])
            wait = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** (max(each["mail"]["tries"] for each in mine) - 1))
            became = {"mail.state": outcome, "mail.next": now + wait}
            await self._notifications.update_many({"mail.claim": claim}, {"$set": became})
        return bool(mine)

    async def _handed_over(self, user: str, news: Sequence[Notification]) -> Outcome:
        """What the server said. Of an error only its kind and code are logged: the rest may quote the address."""
        mail = self._mail
        try:
            await aiosmtplib.send(
                _message(mail, user, news),
                sender=mail.sender,
                recipients=[user],
                hostname=mail.host,
                port=mail.port,
                username=mail.username,
                password=mail.password.get_secret_value() if mail.password else None,
                use_tls=mail.is_encrypted,
                start_tls=True if mail.username and not mail.is_encrypted else None,
                timeout=_SECONDS,
            )
        except (SMTPException, OSError, MessageError, ValueError, IndexError) as error:
            code = _code_of(error)
            _log.warning("mail_not_sent", error=type(error).__name__, code=code)
            lasting = not isinstance(error, SMTPException | OSError) or (code is not None and code >= 500)
            return "refused" if lasting else "waits"
        return "sent"

    def _ripe(self, now: datetime) -> Document:
        """What waits, and has waited long enough for more to come."""
        return {"$and": [_waiting(now), {"made": {"$lte": now - self._gathered_for}}]}


def _wanted(settings: Document | None) -> list[NotificationKind]:
    """The kinds that the user of these settings wants mails of."""
    wants = value(settings or {"fields": {}}, "email_notifications", default=True) is True
    return wanted_kinds(settings) if wants else []


def _waiting(now: datetime) -> Document:
    """What was not handed over yet: what is new and young, and what a server refused for the time being."""
    new = {"mail.state": None, "at": {"$gte": microseconds(now - _YOUNG)}, "resolved_at": None, "read_at": None}
    again = {"mail.state": "waits", "mail.next": {"$lte": now}, "made": {"$gte": now - _GIVEN_UP_AFTER}}
    return {"$or": [new, again]}


def _code_of(error: Exception) -> int | None:
    """The server's code: of several recipients, whom there never are, the first one's."""
    if isinstance(error, SMTPRecipientsRefused):
        return error.recipients[0].code
    return error.code if isinstance(error, SMTPResponseException) else None


def _message(mail: Mail, user: str, news: Sequence[Notification]) -> EmailMessage:
    """The mail. Raises a MessageError, ValueError or IndexError for an address that no header can hold."""
    message = EmailMessage()
    message["From"] = mail.sender
    message["To"] = Address(addr_spec=user)
    message["Subject"] = news[0].title if len(news) == 1 else f"{len(news)} things need your attention"
    message["Auto-Submitted"] = "auto-generated"  # so that nobody's absence is answered (RFC 3834)
    parts = [f"{each.title}\n{each.body}" for each in news[:_MOST_IN_A_MAIL]]
    more = [f"And {len(news) - _MOST_IN_A_MAIL} more."] if len(news) > _MOST_IN_A_MAIL else []
    where = [f"See all of it: {mail.dashboard_url}"] if mail.dashboard_url else []
    why = "You get this because email notifications are switched on in your preferences."
    message.set_content("\n\n".join([*parts, *more, *where, why]) + "\n")
    return message
