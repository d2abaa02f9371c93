"""Serving an app until SIGTERM or SIGINT, or until one of its jobs fails."""

import asyncio
import contextlib
import gc
import signal
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

import uvicorn
import uvloop
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.plumbing import metrics, tracing
from shared.plumbing.http_head import BoundedHttp
from shared.plumbing.logs import configure, get
from shared.plumbing.runtime import Runtime
from shared.plumbing.settings import ProcessSettings

_GRACE_SECONDS = 3
_OBJECTS_BETWEEN_COLLECTIONS = 50_000  # a batch of 1,000 events makes about 10,000; Python's own figure is 700
_log = get(__name__)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, leave: Callable[[], None]) -> None:
        super().__init__(config)
        self._leave = leave

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ends on the usual signals with exit code 0; the stock server kills itself with the signal afterwards."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        yield

    def end(self) -> None:
        """Makes the server end once its answers are given."""
        self._leave()
        self.should_exit = True


class MeasureRequests:
    """Observes how long each request took, by its route's template and its status."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on; anything but HTTP is passed on unmeasured."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started, status = time.perf_counter(), 500

        async def noting_the_status(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, noting_the_status)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            metrics.REQUEST_SECONDS.labels(route, status).observe(time.perf_counter() - started)


def collect_garbage_rarely() -> None:
    """Spares what is imported and built by now the search for garbage, and lets a batch's objects come and go.

    With Python's own settings that search takes a quarter of the ingest's CPU time, and finds next to nothing.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


def use_more_files() -> None:
    """Lets this process have as many connections as the system allows it; many systems begin with 1,024."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has no such limit, macOS a smaller one
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def serve(service: str, app: FastAPI, runtime: Runtime, settings: ProcessSettings) -> NoReturn:
    """Runs `app` until it is told to end: exit code 0; or until a job fails: exit code 1, for a supervisor to see."""
    configure(service, settings.log_level)
    tracing.start(service, settings.otel_exporter_otlp_endpoint)
    collect_garbage_rarely()
    use_more_files()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(tracing.served(app), runtime, settings))
    tracing.stop()
    raise SystemExit(1 if runtime.failure else 0)


async def _serve(app: ASGIApp, runtime: Runtime, settings: ProcessSettings) -> None:
    config = uvicorn.Config(
        app,
        http=BoundedHttp,
        ws="none",
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _Server(config, runtime.leave)

    async def end_with_the_jobs() -> None:
        await runtime.ended.wait()
        server.end()

    watching = asyncio.create_task(end_with_the_jobs())
    _log.info("starting", port=settings.port)
    await server.serve()
    watching.cancel()
    _log.info("stopped")
