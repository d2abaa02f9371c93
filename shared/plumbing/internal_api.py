"""The door of a service's own API: it opens to the gateway's signed calls and to nothing else."""

from collections.abc import Awaitable, Callable

from fastapi import Request

from shared.plumbing.internal_auth import Caller, InternalTokens, NotAllowedError
from shared.plumbing.problems import ProblemError

_NOT_ALLOWED = ProblemError(401, "unauthorized", "This API answers the gateway only; call the gateway instead.")


def caller(service: str, tokens: InternalTokens) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that gives who calls. Raises a 401 problem where the call carries no valid token for `service`."""

    async def check(request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            return tokens.check(service, token if scheme.lower() == "bearer" else "")
        except NotAllowedError:
            raise _NOT_ALLOWED from None

    return check


def user(service: str, tokens: InternalTokens) -> Callable[[Request], Awaitable[str]]:
    """A dependency that gives the email on whose behalf the call is made; a call for no one is a 401 problem."""
    check = caller(service, tokens)

    async def check_user(request: Request) -> str:
        email = (await check(request)).user
        if email is None:
            raise _NOT_ALLOWED
        return email

    return check_user
