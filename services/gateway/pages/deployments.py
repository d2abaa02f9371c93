"""What the user runs: the list, and one deployment with its health, its commands and its credentials."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, get_args

from fastapi import APIRouter, Depends, Response
from pydantic import SecretStr, ValidationError

from services.gateway.pages import health_strip
from services.gateway.pages.forms import Sent, form_of
from services.gateway.pages.measures import measures_of
from services.gateway.pages.pager import Pager
from services.gateway.pages.things import address_of, anchor, key_header, new_key, number, web_address
from services.gateway.pages.visits import Pages, Visit
from services.gateway.tokens import OutsideIdentity
from shared.contracts.accounts import PasswordCheck
from shared.contracts.marketplace import ResourceAllocation
from shared.contracts.types import DeploymentStatus
from shared.plumbing.problems import ProblemError

Json = Any  # what a service answered
COMMANDS: Final[Mapping[str, Sequence[str]]] = {  # what makes sense, by status
    "running": ("restart", "scale", "stop"),
    "error": ("restart", "scale", "stop"),
    "stopped": ("start", "scale"),
    "maintenance": ("stop",),
    "deploying": (),
    "scaling": (),
}
_RESOURCES: Final = tuple(ResourceAllocation.model_fields)
_DEFAULT_PERIOD: Final = "7d"
_MOST_SPANS: Final = 100  # in the tables behind the strip


def routes(pages: Pages) -> APIRouter:
    """`/deployments`, `/deployments/{id}`, its commands and its credentials."""
    router = pages.router()
    Visiting = Annotated[Visit, Depends(pages.visit)]  # noqa: N806  (a type)

    @router.get("/deployments")
    async def deployments(visit: Visiting) -> Response:
        asked = visit.request.query_params
        query = {"status": asked.get("status"), "cursor": asked.get("cursor"), "limit": visit.frame.page_size}
        found = await visit.ask("purchases", "/deployments", query)
        return visit.page(
            "deployments.html",
            items=found["items"],
            asked=asked,
            pager=Pager.of(visit, found),
            statuses=[(status, visit.show.word(status)) for status in get_args(DeploymentStatus)],
            commands=COMMANDS,
            key=new_key(),
            anchor=anchor,
        )

    @router.get("/deployments/{deployment_id}")
    async def deployment(visit: Visiting, deployment_id: str) -> Response:
        return await _deployment_page(visit, deployment_id)

    @router.post("/deployments/{deployment_id}/commands")
    async def command(visit: Visiting, deployment_id: str) -> Response:
        form = await form_of(visit.request)
        action, given = str(form.get("action", "")), {name: str(form.get(name, "")) for name in _RESOURCES}
        resources = {name: number(value) for name, value in given.items()} if action == "scale" else None
        body = {"action": action, "resources": resources}
        path = f"/deployments/{deployment_id}/commands"
        sent = await visit.send("purchases", "POST", path, body, headers=key_header(form))
        if sent.done:
            return visit.go(address_of("deployments", deployment_id), command=sent.body["command_id"])
        return await _deployment_page(visit, deployment_id, sent, given)

    @router.get("/deployments/{deployment_id}/credentials")
    async def ask_password(visit: Visiting, deployment_id: str) -> Response:
        return await _credentials_page(visit, deployment_id)

    @router.post("/deployments/{deployment_id}/credentials")
    async def reveal(visit: Visiting, deployment_id: str) -> Response:
        form = await form_of(visit.request)
        try:
            await pages.sessions.confirm(visit.identity, _password(visit, str(form.get("password", ""))))
        except ProblemError as problem:
            if problem.status >= 500:
                raise
            return await _credentials_page(visit, deployment_id, problem.status, problem=problem)
        sent = await visit.send("purchases", "POST", f"/deployments/{deployment_id}/credentials/reveal")
        if not sent.done:
            return await _credentials_page(visit, deployment_id, sent.status, problem="no-credentials")
        shown = [(name, value) for name, value in sent.body.items() if value is not None]
        return await _credentials_page(visit, deployment_id, shown=shown)

    return router


async def _deployment_page(
    visit: Visit, id: str, sent: Sent | None = None, given: Mapping[str, str] | None = None
) -> Response:
    """One deployment; after a command that was not taken with what was given for it, and what is wrong with it."""
    asked = visit.request.query_params.get("period", _DEFAULT_PERIOD)
    period = asked if asked in health_strip.PERIODS else _DEFAULT_PERIOD
    since = health_strip.start_of(period, visit.now, visit.zone).isoformat()
    known, health, command = await asyncio.gather(
        visit.ask("purchases", f"/deployments/{id}"),
        visit.ask("purchases", f"/deployments/{id}/health", {"from": since}),
        visit.command(),
    )
    spans = health_strip.spans_of(health)
    return visit.page(
        "deployment.html",
        sent.status if sent else 200,
        deployment=known,
        address=address_of("deployments", id),
        url=web_address(known["deployment_url"]),
        command=command,
        commands=COMMANDS.get(known["status"], ()),
        key=new_key(),
        given=given or {name: f"{value}".removesuffix(".0") for name, value in known["resources_allocated"].items()},
        sent=sent,
        wrong=[name for name in _RESOURCES if sent and f"resources/{name}" in sent.errors],
        health=health,
        period=period,
        periods=health_strip.PERIODS,
        spans=spans[: -_MOST_SPANS - 1 : -1],
        more_spans=max(len(spans) - _MOST_SPANS, 0),
        strip=health_strip.strip_of(spans, visit.zone),
        draw=health_strip.draw,
        sample=health_strip.sample,
        intervals=health["intervals"][: -_MOST_SPANS - 1 : -1],
        measures=measures_of(health),
        anchor=anchor,
    )


async def _credentials_page(
    visit: Visit,
    id: str,
    status: int = 200,
    problem: ProblemError | str | None = None,
    shown: Sequence[tuple[str, str]] = (),
) -> Response:
    known = await visit.ask("purchases", f"/deployments/{id}")
    return visit.page(
        "credentials.html",
        status,
        deployment=known,
        address=address_of("deployments", id),
        outside=isinstance(visit.identity, OutsideIdentity),
        code=problem.code if isinstance(problem, ProblemError) else problem,
        shown=shown,
    )


def _password(visit: Visit, text: str) -> PasswordCheck | None:
    """What is checked; one that no account can have is the wrong one. Nothing where an outside issuer's word counts."""
    if isinstance(visit.identity, OutsideIdentity):
        return None
    if not text:
        raise ProblemError(422, "no-password", "")
    try:
        return PasswordCheck(password=SecretStr(text))
    except ValidationError:
        raise ProblemError(403, "wrong-password", "") from None
