"""The app that every service with a database starts from."""

from collections.abc import Mapping
from functools import partial

from fastapi import FastAPI

from shared.plumbing import health, mongo, problems, tracing
from shared.plumbing.runtime import Runtime
from shared.plumbing.serve import MeasureRequests


def service_app(
    title: str, runtime: Runtime, client: mongo.Client, kafka: health.Check, figures: Mapping[str, health.Figure]
) -> FastAPI:
    """An app with `runtime` beside it, health routes, errors as problems, and no description, as it is internal.

    `kafka` tells what is wrong with the connection to the broker; `figures` are shown beside the checks.
    """
    app = FastAPI(title=title, openapi_url=None, lifespan=runtime.lifespan, telemetry=tracing.FASTAPI_OFF)
    app.state.runtime = runtime
    app.add_middleware(MeasureRequests)
    problems.install(app)
    mongo.install(app)
    checks: dict[str, health.Check] = {
        "start": runtime.trouble,
        "mongo": partial(mongo.trouble, client),
        "kafka": kafka,
    }
    app.include_router(health.routes(checks, figures))
    return app
