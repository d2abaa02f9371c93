"""Serves an app of ours in this process, as `serve` does in its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from mycelium.stack.ports import free_ports
from shared.plumbing.http_head import BoundedHttp
from tests.waiting import eventually


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The test runner keeps its own signal handlers."""
        yield


@asynccontextmanager
async def serving(app: FastAPI, port: int | None = None) -> AsyncIterator[str]:
    """The address of `app`, which is answering; its jobs are stopped and its connections closed afterwards."""
    port = port or free_ports(1)[0]
    config = uvicorn.Config(
        app,
        http=BoundedHttp,
        ws="none",
        host="127.0.0.1",
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    try:
        await eventually(lambda: server.started or task.done(), what="the server answers")
        yield f"http://127.0.0.1:{port}"
    finally:
        if runtime := getattr(app.state, "runtime", None):
            runtime.leave()
        server.should_exit = True
        await task
