"""The spans of the gateway's questions to services, by the hooks that aiohttp has for that."""

from types import SimpleNamespace

import aiohttp

from shared.plumbing import tracing


def trace_configs() -> list[aiohttp.TraceConfig]:
    """What measures each question, and tells the service in which trace it is asked; nothing while tracing is off."""
    spans = tracing.spans()
    if spans is None:
        return []
    from shared.plumbing.spans import failed
    from shared.plumbing.spans_http import asked, note_status

    async def begins(
        _session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestStartParams
    ) -> None:
        url = params.url
        context.span = asked(spans, params.method, url.host or "", url.port or 0, params.headers)

    async def ends(
        _session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        note_status(context.span, params.response.status, an_error_from=400)
        context.span.end()

    async def breaks_off(
        _session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestExceptionParams
    ) -> None:
        failed(params.exception, context.span)
        context.span.end()

    config = aiohttp.TraceConfig()
    config.on_request_start.append(begins)
    config.on_request_end.append(ends)
    config.on_request_exception.append(breaks_off)
    return [config]
