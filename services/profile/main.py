"""The profile service: the only place where it is wired together."""

from collections.abc import Set
from datetime import UTC, datetime
from functools import partial
from typing import NoReturn

from fastapi import FastAPI

from services.profile import consumer, erasures, overview, portable, session_store, store, throttling
from services.profile.api import accounts, profiles, sessions
from services.profile.erasures import Erasures
from services.profile.guard import Guard
from services.profile.leaving import Leavers
from services.profile.passwords import Passwords
from services.profile.registering import Registrar
from services.profile.session_store import SessionStore
from services.profile.settings import Settings
from services.profile.store import UserStore
from services.profile.throttling import Throttle
from shared.plumbing import mongo
from shared.plumbing.consume import Consumer
from shared.plumbing.erasure import Erasure
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.outbox import Relay
from shared.plumbing.publish import Publisher
from shared.plumbing.repeat import Every
from shared.plumbing.runtime import Runtime
from shared.plumbing.serve import serve
from shared.plumbing.service import service_app
from shared.plumbing.settings import load
from shared.plumbing.topics import ensure_topics
from shared.plumbing.watchdog import Watchdog

NAME = "profile"
_WITH_AN_OUTBOX = ("users", "sessions", erasures.COLLECTION)
_INDEXES = {**store.INDEXES, **session_store.INDEXES, **throttling.INDEXES, **erasures.INDEXES}


def build_app(settings: Settings) -> FastAPI:
    """The service, ready to be served: the same one in production and in the tests."""
    client = mongo.connect(settings.mongo_url)
    database = client[NAME]
    users, kept_sessions = UserStore(database), SessionStore(database)
    throttle, passwords = Throttle(database, settings.free_failures_per_address), Passwords()
    guard, leavers = Guard(users, passwords, throttle), Leavers(users, kept_sessions)
    publisher = Publisher(NAME, settings)
    relay = Relay(database, _WITH_AN_OUTBOX, publisher)
    erase = partial(_erase, users, kept_sessions, throttle)
    erasure = Erasure(NAME, settings, database, publisher, erase)
    departures = Erasures(database, erasure)
    apply = partial(consumer.apply, users, departures)
    consuming = Consumer(NAME, settings, consumer.TOPICS, consumer.reader(), apply, publisher, erasure)
    runtime = Runtime(
        prepare=[
            partial(mongo.ensure_indexes, database, _INDEXES),
            partial(ensure_topics, settings.kafka_bootstrap_servers),
            publisher.start,
            erasure.prepare,
        ],
        jobs=[
            consuming,
            Watchdog(consuming, settings.stuck_after_seconds),
            relay,
            Every(5.0, "leaving", leavers.see_off),
        ],
        close=[publisher.stop, partial(mongo.close, client), passwords.close],
    )
    figures = {"lag": consuming.lag, "outbox": relay.pending, "erasures": departures.unfinished}
    app = service_app("Profile", runtime, client, consuming.trouble, figures)
    tokens, registrar = InternalTokens(settings.internal_key), Registrar(users, departures.reopen)
    app.include_router(accounts.routes(users, registrar, passwords, guard, leavers, tokens, relay.wake))
    app.include_router(sessions.routes(kept_sessions, guard, registrar, erasure, tokens, relay.wake))
    app.include_router(profiles.routes(users, tokens, relay.wake))
    app.include_router(overview.routes(users, tokens))
    app.include_router(portable.routes(users, kept_sessions, tokens, relay.wake))
    app.include_router(erasures.routes(departures, guard.check, relay.wake, tokens))
    return app


async def _erase(users: UserStore, kept_sessions: SessionStore, throttle: Throttle, emails: Set[str]) -> int:
    """Removes all that is kept of the users but their erasures; how many documents there were."""
    for email in emails:
        await throttle.forget(email)
    return await users.erase(emails) + await kept_sessions.erase(emails, datetime.now(UTC))


def main() -> NoReturn:
    """Serves the service with the settings of the environment."""
    settings = load(Settings)
    app = build_app(settings)
    serve(NAME, app, app.state.runtime, settings)
