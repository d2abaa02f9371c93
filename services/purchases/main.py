"""The purchases service: the only place where it is wired together."""

from functools import partial
from typing import NoReturn

from fastapi import FastAPI, Response

from services.purchases import actions, api, commands, consumer, portable, store
from services.purchases.commands import CommandStore
from services.purchases.credentials import Vault
from services.purchases.erasing import Eraser
from services.purchases.overview import Overviews
from services.purchases.reading import Reading
from services.purchases.settings import Settings
from services.purchases.store import PurchaseStore
from services.purchases.vault import data_keys
from services.purchases.vault.data_keys import DataKeys
from services.purchases.vault.envelope import Keks
from services.purchases.vault.rewrapping import Rewrapper
from services.purchases.vault.unsealing import Unsealer
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

NAME = "purchases"
_WITH_AN_OUTBOX = ("purchases", "deployments", "commands")
_INDEXES = {**store.INDEXES, **commands.INDEXES, **data_keys.INDEXES}


def build_app(settings: Settings) -> FastAPI:
    """The service, ready to be served: the same one in production and in the tests."""
    client = mongo.connect(settings.mongo_url)
    database = client[NAME]
    publisher = Publisher(NAME, settings)
    relay = Relay(database, _WITH_AN_OUTBOX, publisher)
    keks = Keks.parse(settings.credentials_keks)
    vault = Vault(database, keks, Unsealer.parse(settings.credentials_private_jwk))
    facts, overviews = PurchaseStore(database), Overviews(database)
    rewrapper = Rewrapper(DataKeys(database, keks))
    erasure = Erasure(NAME, settings, database, publisher, Eraser(database, vault).erase)
    consuming = Consumer(
        NAME, settings, consumer.TOPICS, consumer.reader(), partial(consumer.apply, facts, vault), publisher, erasure
    )
    runtime = Runtime(
        prepare=[
            partial(ensure_topics, settings.kafka_bootstrap_servers),
            partial(mongo.ensure_indexes, database, _INDEXES),
            publisher.start,
            erasure.prepare,
            vault.check,
        ],
        jobs=[
            consuming,
            Watchdog(consuming, settings.stuck_after_seconds),
            relay,
            Every(0.5, "overviews", overviews.work_off),
            rewrapper,
        ],
        close=[publisher.stop, partial(mongo.close, client)],
    )
    figures = {"lag": consuming.lag, "outbox": relay.pending, "data_keys_to_rewrap": rewrapper.pending}
    app = service_app("Purchases", runtime, client, consuming.trouble, figures)
    tokens, reading = InternalTokens(settings.internal_key), Reading(database)
    asked = CommandStore(database, settings.command_limit_seconds)
    app.include_router(api.routes(reading, overviews, tokens))
    app.include_router(actions.routes(reading, asked, facts, vault, relay, erasure, tokens))
    app.include_router(portable.routes(database, facts, overviews, asked, erasure, publisher, tokens))

    @app.get("/jwks.json")
    async def jwks() -> Response:
        """The public keys that publishers encrypt credentials for: open to everybody."""
        return Response(vault.public_jwks(), media_type="application/json")

    return app


def main() -> NoReturn:
    """Serves the service with the settings of the environment."""
    settings = load(Settings)
    app = build_app(settings)
    serve(NAME, app, app.state.runtime, settings)
