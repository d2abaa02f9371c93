"""Passing a question on to the service that answers it, and its answer back, byte for byte."""

from urllib.parse import quote

from fastapi import Request
from pydantic import BaseModel

from services.gateway.description import PREFIX
from services.gateway.services import READ_SECONDS, Answer, Services
from services.gateway.tokens import Identity
from shared.contracts.topics import Service

_PASSED_IN = ("Idempotency-Key", "If-Match", "If-None-Match")


async def passed_on(
    services: Services,
    service: Service,
    request: Request,
    identity: Identity,
    body: BaseModel | None = None,
    seconds: float = READ_SECONDS,
) -> Answer:
    """What `service` answers to the request as the client put it, on behalf of the token's user.

    `body` is what was read of the request's body. Raises a 503 problem if there is no answer within `seconds`.
    """
    return await services.ask(
        service,
        quote(request.scope["path"].removeprefix(PREFIX)),
        method=request.method,
        user=identity.user,
        query=request.scope["query_string"].decode("latin-1"),
        body=None if body is None else body.model_dump_json(exclude_unset=True).encode(),
        headers={name: request.headers[name] for name in _PASSED_IN if name in request.headers},
        seconds=seconds,
    )
