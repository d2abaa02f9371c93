"""The analytics service: the only place where it is wired together."""

from functools import partial
from typing import NoReturn

from fastapi import FastAPI

from services.analytics import (
    api,
    catalogue,
    consumer,
    notifications_api,
    outlook_api,
    overview,
    portable,
    presences,
    recommend_api,
    store,
)
from services.analytics import notifications as notices
from services.analytics.advice import Advice
from services.analytics.catalogue import Catalogue
from services.analytics.comparing import Cohorts, Comparing
from services.analytics.erasing import erase
from services.analytics.forecasting import Forecaster
from services.analytics.learning import Learning
from services.analytics.mailing import Mailing
from services.analytics.noticing import Noticing
from services.analytics.notifications import Notifications
from services.analytics.outlook import Outlook
from services.analytics.overview import Insights
from services.analytics.preparing import Preparing
from services.analytics.presences import Presences
from services.analytics.reckoning import Reckoning
from services.analytics.recommending import Recommending
from services.analytics.searching import Search
from services.analytics.settings import Settings
from services.analytics.shelf import Shelf
from services.analytics.store import AnalyticsStore
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

NAME = "analytics"
_INDEXES = {**store.INDEXES, **presences.INDEXES, **catalogue.INDEXES, **notices.INDEXES}


def build_app(settings: Settings) -> FastAPI:
    """The service, ready to be served: the same one in production and in the tests."""
    client = mongo.connect(settings.mongo_url)
    database = client[NAME]
    publisher = Publisher(NAME, settings)
    seen, products = Presences(database), Catalogue(database)
    reckoning, shelf, forecaster = Reckoning(database, seen), Shelf(products), Forecaster()
    outlook, advice = Outlook(database, reckoning, forecaster), Advice(database, reckoning, shelf)
    recommending, comparing = Recommending(database, reckoning, shelf), Comparing(Cohorts(database), reckoning)
    search, facts, notifications = Search(shelf), AnalyticsStore(database), Notifications(database)
    apply = partial(consumer.apply, facts, seen, products, notifications)
    erasure = Erasure(NAME, settings, database, publisher, partial(erase, database))
    noticing = Noticing(database, reckoning, outlook, notifications, erasure, publisher)
    preparing = Preparing(database, reckoning, advice, outlook, publisher)
    mailing = [Every(10.0, "mailing", Mailing(database, settings.mail).send)] if settings.mail else []
    consuming = Consumer(NAME, settings, consumer.TOPICS, consumer.reader(), apply, publisher, erasure)
    runtime = Runtime(
        prepare=[
            partial(ensure_topics, settings.kafka_bootstrap_servers),
            partial(mongo.ensure_indexes, database, _INDEXES),
            publisher.start,
            erasure.prepare,
            shelf.refresh,
            search.refresh,
            recommending.refresh,
        ],
        jobs=[
            consuming,
            Watchdog(consuming, settings.stuck_after_seconds),
            Every(2.0, "reckoning", reckoning.work_off),
            Every(2.0, "preparing", preparing.work_off),
            Every(2.0, "catalogue", shelf.refresh),
            Every(2.0, "search", search.refresh),
            Every(2.0, "recommending", recommending.refresh),
            Learning(database, settings.mongo_url, settings.learn_every_seconds),
            Every(30.0, "alerts", outlook.tell),
            Every(1.0, "noticing", noticing.look),
            *mailing,
        ],
        close=[publisher.stop, forecaster.close, search.close, partial(mongo.close, client)],
    )
    app = service_app("Analytics", runtime, client, consuming.trouble, {"lag": consuming.lag})
    tokens = InternalTokens(settings.internal_key)
    app.include_router(api.routes(reckoning, seen, tokens))
    app.include_router(outlook_api.routes(outlook, advice, erasure, tokens))
    app.include_router(recommend_api.routes(recommending, comparing, search, tokens))
    insights = Insights(database, reckoning, advice, recommending, notifications.unread)
    app.include_router(overview.routes(insights, tokens))
    app.include_router(notifications_api.routes(notifications, publisher, tokens))
    app.include_router(portable.routes(facts, outlook, erasure, publisher, tokens))
    return app


def main() -> NoReturn:
    """Serves the service with the settings of the environment."""
    settings = load(Settings)
    app = build_app(settings)
    serve(NAME, app, app.state.runtime, settings)
