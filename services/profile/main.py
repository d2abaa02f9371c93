"""The profile service: the only place where it is wired together."""

from functools import partial
from typing import NoReturn

from fastapi import FastAPI

from services.profile import api
from services.profile.passwords import Passwords
from services.profile.settings import Settings
from services.profile.store import INDEXES, OUTBOXES, ProfileStore
from shared.plumbing import mongo
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.outbox import Relay
from shared.plumbing.publish import Publisher
from shared.plumbing.runtime import Runtime
from shared.plumbing.serve import serve
from shared.plumbing.service import service_app
from shared.plumbing.settings import load
from shared.plumbing.topics import ensure_topics

NAME = "profile"


def build_app(settings: Settings) -> FastAPI:
    """The service, ready to be served: the same one in production and in the tests."""
    client = mongo.connect(settings.mongo_url)
    database = client[NAME]
    publisher = Publisher(NAME, settings)
    relay = Relay(database, OUTBOXES, publisher)
    passwords = Passwords()
    runtime = Runtime(
        prepare=[
            partial(mongo.ensure_indexes, database, INDEXES),
            partial(ensure_topics, settings.kafka_bootstrap_servers),
            publisher.start,
        ],
        jobs=[relay],
        close=[publisher.stop, partial(mongo.close, client), passwords.close],
    )
    app = service_app("Profile", runtime, client, publisher.trouble, {"outbox": relay.pending})
    tokens = InternalTokens(settings.internal_key)
    app.include_router(api.routes(ProfileStore(database), passwords, tokens, relay.wake))
    return app


def main() -> NoReturn:
    """Serves the service with the settings of the environment."""
    settings = load(Settings)
    app = build_app(settings)
    serve(NAME, app, app.state.runtime, settings)
