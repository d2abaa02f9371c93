"""The activity service: the only place where it is wired together."""

from functools import partial
from typing import NoReturn

from fastapi import FastAPI

from services.activity import api, consumer, portable
from services.activity.settings import Settings
from services.activity.store import INDEXES, ActivityStore
from shared.plumbing import mongo
from shared.plumbing.consume import Consumer
from shared.plumbing.erasure import Erasure
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.publish import Publisher
from shared.plumbing.repeat import Every
from shared.plumbing.runtime import Runtime
from shared.plumbing.serve import serve
from shared.plumbing.service import service_app
from shared.plumbing.settings import load
from shared.plumbing.topics import ensure_topics
from shared.plumbing.watchdog import Watchdog

NAME = "activity"


def build_app(settings: Settings) -> FastAPI:
    """The service, ready to be served: the same one in production and in the tests."""
    client = mongo.connect(settings.mongo_url)
    database = client[NAME]
    store = ActivityStore(database, settings.keep_per_user)
    publisher = Publisher(NAME, settings)
    erasure = Erasure(NAME, settings, database, publisher, store.erase)
    consuming = Consumer(
        NAME, settings, consumer.TOPICS, consumer.reader(), partial(consumer.apply, store), publisher, erasure
    )
    runtime = Runtime(
        prepare=[
            partial(ensure_topics, settings.kafka_bootstrap_servers),
            partial(mongo.ensure_indexes, database, INDEXES),
            publisher.start,
            erasure.prepare,
        ],
        jobs=[consuming, Watchdog(consuming, settings.stuck_after_seconds), Every(1.0, "trim", store.settle)],
        close=[publisher.stop, partial(mongo.close, client)],
    )
    app = service_app("Activity", runtime, client, consuming.trouble, {"lag": consuming.lag})
    tokens = InternalTokens(settings.internal_key)
    app.include_router(api.routes(store, tokens))
    app.include_router(portable.routes(store, database, settings.keep_per_user, erasure, publisher, tokens))
    return app


def main() -> NoReturn:
    """Serves the service with the settings of the environment."""
    settings = load(Settings)
    app = build_app(settings)
    serve(NAME, app, app.state.runtime, settings)
