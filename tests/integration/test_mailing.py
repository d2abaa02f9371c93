"""Emails of notifications, through a real mail server: each in one mail at most, and none for who wants none."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest
import pytest_asyncio
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

from services.analytics import notifications
from services.analytics.domain.notices import notice
from services.analytics.domain.settling import Settled
from services.analytics.mailing import Mailing
from services.analytics.notifications import Notifications
from services.analytics.settings import Mail, Settings
from services.analytics.store import AnalyticsStore
from shared.contracts.build import make_event
from shared.contracts.notification_views import NotificationCode
from shared.contracts.profile import PreferencesUpdated
from shared.folds.facts import facts_of
from shared.plumbing import mongo
from shared.plumbing.mongo import Database
from tests.servers.mail import MailServer, mail_server

NOW = timedelta(0)
_numbers = count()


@pytest_asyncio.fixture(loop_scope="session")
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as made:
        yield made


@pytest.fixture
def mail(server: MailServer) -> Mail:
    return Mail("127.0.0.1", server.port, False, None, None, "dashboard@mycelium.example", "https://dash.example")


class Somebody:
    """A user who is to be told something."""

    def __init__(self, database: Database) -> None:
        self.email = f"{uuid4().hex}@example.org"
        self._database = database
        self.kept = Notifications(database)

    async def is_told(self, code: NotificationCode, ago: timedelta = NOW, **params: str) -> None:
        """Keeps a notification of something that was so long ago."""
        made = notice(self.email, code, (str(next(_numbers)),), datetime.now(UTC) - ago, params)
        await self.kept.keep(self.email, Settled((made,), frozenset()))

    async def wishes(self, **wishes: bool) -> None:
        """Chooses preferences."""
        event = make_event(PreferencesUpdated(user_email=self.email, **wishes), source="/profile")
        await AnalyticsStore(self._database).merge(facts_of(event))

    async def states(self) -> list[str | None]:
        """What became of each notification's mail."""
        found = self._database["notifications"].find({"user": self.email})
        return [each.get("mail", {}).get("state") async for each in found]

    async def time_passes(self) -> None:
        """So that what waits is due."""
        due = {"$set": {"mail.next": datetime.now(UTC)}}
        await self._database["notifications"].update_many({"user": self.email, "mail.state": "waits"}, due)


@pytest_asyncio.fixture(loop_scope="session")
async def ada(database: Database) -> Somebody:
    await mongo.ensure_indexes(database, notifications.INDEXES)
    return Somebody(database)


def mailing(database: Database, mail: Mail) -> Mailing:
    """One that waits for nothing more to come."""
    return Mailing(database, mail, gathered_for=NOW)


async def test_what_came_together_is_one_mail(
    database: Database, server: MailServer, mail: Mail, ada: Somebody
) -> None:
    await ada.is_told("password_changed", timedelta(minutes=2))
    await ada.is_told("deployment_error", product="Solar\r\nBcc: eve@example.org", region="eu", reason="no answer")
    bob = Somebody(database)
    await bob.is_told("data_exported", items="3")
    await mailing(database, mail).send()
    assert len(server.sent) == 2
    ((_, message),) = [each for each in server.sent if each[0] == [ada.email]]
    text = message.get_content()
    assert (message["To"], message["From"], message["Bcc"]) == (ada.email, mail.sender, None)
    assert message["Subject"] == "2 things need your attention"
    assert text.index("Solar Bcc: eve@example.org has failed") < text.index("Your password was changed")
    assert "See all of it: https://dash.example" in text
    ((_, single),) = [each for each in server.sent if each[0] == [bob.email]]
    assert single["Subject"] == "A copy of your data was taken"
    await mailing(database, mail).send()
    assert len(server.sent) == 2
    assert await ada.states() == ["sent", "sent"]


async def test_what_is_fresh_waits_for_more_to_come(
    database: Database, server: MailServer, mail: Mail, ada: Somebody
) -> None:
    await ada.is_told("password_changed")
    await Mailing(database, mail).send()
    assert (server.tries, await ada.states()) == (0, [None])


async def test_replicas_send_each_once(database: Database, server: MailServer, mail: Mail) -> None:
    people = [Somebody(database) for _ in range(8)]
    for person in people:
        for _ in range(3):
            await person.is_told("password_changed")
    await asyncio.gather(*(mailing(database, mail).send() for _ in range(4)))
    text = [(to, message.get_content().count("Your password was changed")) for (to,), message in server.sent]
    for person in people:
        assert sum(number for to, number in text if to == person.email) == 3
        claims = database["notifications"].find({"user": person.email})
        assert [each["mail"]["tries"] async for each in claims] == [1, 1, 1]


async def test_those_who_want_no_mail_hold_nobody_up(
    database: Database, server: MailServer, mail: Mail, ada: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.analytics.mailing._MOST_MAILS", 2)
    for number in range(3):
        silent = Somebody(database)
        silent.email = f"000{number}{silent.email}"  # they come first
        await silent.wishes(email_notifications=False)
        await silent.is_told("password_changed")
    people = [ada, Somebody(database), Somebody(database)]
    for person in people:
        await person.is_told("password_changed")
    await mailing(database, mail).send()
    assert len(server.sent) == 2
    await mailing(database, mail).send()
    assert sorted(to for (to,), _ in server.sent) == sorted(person.email for person in people)


async def test_a_server_that_is_busy_gets_it_again_later(
    database: Database, server: MailServer, mail: Mail, ada: Somebody
) -> None:
    await ada.is_told("password_changed")
    server.answers = ["451 4.3.0 Try again later", "421 Too busy"]
    with capture_logs() as logs:
        await mailing(database, mail).send()
        assert (server.tries, await ada.states()) == (1, ["waits"])
        await mailing(database, mail).send()
        assert server.tries == 1  # not before its time
        await ada.time_passes()
        await mailing(database, mail).send()
        assert (server.tries, await ada.states()) == (2, ["waits"])
        await ada.time_passes()
        await mailing(database, mail).send()
    assert (server.tries, await ada.states(), len(server.sent)) == (3, ["sent"], 1)
    await ada.time_passes()
    await mailing(database, mail).send()
    assert len(server.sent) == 1
    assert [log["code"] for log in logs] == [451, 421]
    assert ada.email not in str(logs)


async def test_what_is_refused_for_good_is_not_sent_again(
    database: Database, server: MailServer, mail: Mail, ada: Somebody
) -> None:
    await ada.is_told("password_changed")
    server.answers = [f"550 5.1.1 <{ada.email}> is unknown"]
    with capture_logs() as logs:
        await mailing(database, mail).send()
    await ada.time_passes()
    await mailing(database, mail).send()
    assert (server.tries, await ada.states()) == (1, ["refused"])
    assert logs
    assert ada.email not in str(logs)


async def test_a_server_that_is_away_is_waited_for_and_given_up_after_a_day(
    database: Database, server: MailServer, mail: Mail, ada: Somebody
) -> None:
    await ada.is_told("password_changed")
    with capture_logs() as logs:
        await mailing(database, mail._replace(port=9)).send()
    assert (logs[0]["error"], logs[0]["code"]) == ("SMTPConnectError", None)
    assert await ada.states() == ["waits"]
    await ada.time_passes()
    long_ago = {"$set": {"made": datetime.now(UTC) - timedelta(hours=25)}}
    await database["notifications"].update_many({"user": ada.email}, long_ago)
    await mailing(database, mail).send()
    assert server.sent == []


async def test_whoever_was_killed_on_the_way_sends_nothing_twice(
    database: Database, server: MailServer, mail: Mail, ada: Somebody
) -> None:
    await ada.is_told("password_changed")
    claimed = {"$set": {"mail": {"state": "claimed", "claim": "of a dead one", "tries": 1}}}
    await database["notifications"].update_many({"user": ada.email}, claimed)
    await mailing(database, mail).send()
    assert server.tries == 0


async def test_only_what_is_wanted_young_open_and_unread_is_sent(
    database: Database, server: MailServer, mail: Mail, ada: Somebody
) -> None:
    await ada.is_told("password_changed", timedelta(minutes=61))
    await ada.wishes(email_notifications=True, security_alerts=True, billing_alerts=False)
    await ada.is_told("request_refused", reason="No.")
    read = Somebody(database)
    await read.is_told("password_changed")
    await read.kept.read_all(read.email)
    silent = Somebody(database)
    await silent.wishes(email_notifications=False, security_alerts=True)
    await silent.is_told("password_changed")
    await mailing(database, mail).send()
    assert server.tries == 0
    await silent.wishes(email_notifications=True)
    await mailing(database, mail).send()
    assert [to for to, _ in server.sent] == [[silent.email]]


async def test_an_address_that_no_header_can_hold_harms_nobody(
    database: Database, server: MailServer, mail: Mail, ada: Somebody
) -> None:
    ada.email = f'a,b<{uuid4().hex}@x.example>"@example.org'.replace("@x", ".x")
    await ada.is_told("password_changed")
    bob = Somebody(database)
    await bob.is_told("password_changed")
    with capture_logs() as logs:
        await mailing(database, mail).send()
    assert [to for to, _ in server.sent] == [[bob.email]]
    assert await ada.states() == ["refused"]
    assert ada.email not in str(logs)


async def test_a_password_is_never_sent_in_the_clear(
    database: Database, server: MailServer, mail: Mail, ada: Somebody
) -> None:
    await ada.is_told("password_changed")
    with capture_logs() as logs:
        await mailing(database, mail._replace(username="u", password=SecretStr("a secret"))).send()
    assert (server.tries, await ada.states()) == (0, ["waits"])
    assert "a secret" not in str(logs)


REQUIRED = {"kafka_bootstrap_servers": "x:1", "mongo_url": "mongodb://x", "internal_key": "k" * 32}


def test_the_settings_name_a_server() -> None:
    given = {"smtp_url": "smtps://me%40x:p%40ss@mail.example", "mail_from": "Me@X.example"}
    mail = Settings.model_validate(REQUIRED | given | {"dashboard_url": "https://dash.example"}).mail
    assert mail
    assert (mail.host, mail.port, mail.is_encrypted, mail.username) == ("mail.example", 465, True, "me@x")
    assert (mail.password and mail.password.get_secret_value(), mail.sender) == ("p@ss", "me@x.example")
    assert Settings.model_validate(REQUIRED).mail is None


@pytest.mark.parametrize(
    "given",
    [
        {"smtp_url": "smtp://mail.example"},
        {"mail_from": "me@x.example"},
        {"smtp_url": "http://mail.example", "mail_from": "me@x.example"},
        {"smtp_url": "smtp://", "mail_from": "me@x.example"},
        {"smtp_url": "smtp://secret@mail.example", "mail_from": "me@x.example"},
        {"smtp_url": "smtp://u:secret@mail.example:x", "mail_from": "me@x.example"},
        {"smtp_url": "smtp://mail.example", "mail_from": "me"},
        {"smtp_url": "smtp://mail.example", "mail_from": "me@x.example", "dashboard_url": "javascript:1"},
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate(REQUIRED | given)
    assert "secret" not in str(refused.value)
