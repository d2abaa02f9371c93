"""What the user bought, runs and owns: passed on to the purchases service."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel

from services.gateway import examples
from services.gateway.accounts import SAID_NO, PasswordAgain
from services.gateway.bodies import JsonRoute
from services.gateway.description import BAD_BODY, BAD_TOKEN, PREFIX, Responses, answer, invalid, problem
from services.gateway.passing import passed_on
from services.gateway.services import Services
from services.gateway.sessions import Sessions
from services.gateway.tokens import Identity
from shared.contracts import purchase_views as views
from shared.contracts.views import DateRange

_READ = BAD_TOKEN | problem(
    503, "purchases-unavailable", "The purchases part does not answer right now; try again in a moment."
)
_LIST = _READ | problem(400, "bad-cursor", "The cursor is not one that this list gave you; leave it out to start anew.")
_COMMAND = (
    answer(202, "Taken down; the `Location` says where to follow it.", examples.ACCEPTED)
    | invalid("#/product_id", "Field required")
    | BAD_BODY
    | _READ
)
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=256,
        description="Of your own making: the same key with the same request is one command, however often it is sent; "
        "with another request it is a 422.",
    ),
]


Thing = Annotated[str, Path(max_length=256)]


def _no_such(what: str) -> Responses:
    too_long = invalid(f"#/{what}_id", "String should have at most 256 characters")
    return problem(404, "not-found", f"You have no such {what}.") | too_long


def _example(value: object) -> Any:  # Any: FastAPI's own
    return Body(openapi_examples={"example": {"value": value}})


def _page(example: object) -> Responses:
    return answer(200, "One page.", {"items": [example], "next_cursor": examples.CURSOR})


Rating = Annotated[views.RatingBody, _example({"rating": 4.5, "review": "It knows when the sun shines."})]
Order = Annotated[views.PurchaseBody, _example({"product_id": "prod-7", "quantity": 1})]
Cancellation = Annotated[views.CancelBody | None, _example({"reason": "Not needed any more"})]
Control = Annotated[views.DeploymentCommandBody, _example({"action": "scale", "resources": examples.RESOURCES})]


def routes(services: Services, sessions: Sessions) -> APIRouter:
    """Purchases, deployments, the wallet, and the commands that change them."""
    router = APIRouter(prefix=PREFIX, route_class=JsonRoute)
    Asking = Annotated[Identity, Depends(sessions.identity)]  # noqa: N806  (a type)

    async def asked(request: Request, identity: Identity, body: BaseModel | None = None) -> Response:
        return (await passed_on(services, "purchases", request, identity, body)).response()

    async def commanded(request: Request, identity: Identity, body: BaseModel | None) -> Response:
        answered = await passed_on(services, "purchases", request, identity, body)
        response = answered.response()
        if answered.status == 202:
            response.headers["Location"] = f"{PREFIX}/commands/{orjson.loads(answered.body)['command_id']}"
        return response

    @router.get(
        "/purchases",
        tags=["purchases"],
        response_model=views.PurchasePage,
        summary="What the user bought, newest first",
        responses=_page(examples.PURCHASE) | invalid("#/status", "Input should be 'pending', 'active', …") | _LIST,
    )
    async def purchases(
        request: Request, identity: Asking, _checked: Annotated[views.PurchaseQuery, Query()]
    ) -> Response:
        """Filters narrow each other. `q` asks for words of the product's or the provider's name, or beginnings."""
        return await asked(request, identity)

    @router.get(
        "/purchases/{purchase_id}",
        tags=["purchases"],
        response_model=views.PurchaseDetail,
        summary="One purchase",
        responses=answer(200, "With every move.", examples.PURCHASE | {"status_history": [examples.MOVE]})
        | _no_such("purchase")
        | _READ,
    )
    async def purchase(request: Request, identity: Asking, purchase_id: Thing) -> Response:
        """With its deployment, its service period and every move that it made, oldest first."""
        return await asked(request, identity)

    @router.put(
        "/purchases/{purchase_id}/rating",
        tags=["purchases"],
        response_model=views.PurchaseDetail,
        summary="Rate a purchase",
        responses=answer(200, "The rated record.", examples.PURCHASE | {"status_history": [examples.MOVE]})
        | _no_such("purchase")
        | invalid("#/rating", "Input should be a multiple of 0.5")
        | BAD_BODY
        | _READ,
    )
    async def rate(request: Request, identity: Asking, purchase_id: Thing, body: Rating) -> Response:
        """1 to 5 in halves, once more as often as the user likes: the last one counts."""
        return await asked(request, identity, body)

    @router.post(
        "/purchases",
        tags=["commands"],
        status_code=202,
        response_model=views.CommandAccepted,
        summary="Buy a product",
        responses=_COMMAND,
    )
    async def buy(request: Request, identity: Asking, body: Order, key: Key = None) -> Response:
        """Asks the marketplace for it; what becomes of that is at the `Location`."""
        return await commanded(request, identity, body)

    @router.post(
        "/purchases/{purchase_id}/cancel",
        tags=["commands"],
        status_code=202,
        response_model=views.CommandAccepted,
        summary="Cancel a purchase",
        responses=_COMMAND | _no_such("purchase"),
    )
    async def cancel(
        request: Request,
        identity: Asking,
        purchase_id: Thing,
        body: Cancellation = None,
        key: Key = None,
    ) -> Response:
        """Asks the marketplace to; what becomes of that is at the `Location`."""
        return await commanded(request, identity, body)

    @router.get(
        "/commands/{command_id}",
        tags=["commands"],
        response_model=views.CommandState,
        summary="What became of a command",
        responses=answer(200, "Pending, succeeded or failed.", examples.COMMAND) | _no_such("command") | _READ,
    )
    async def command(request: Request, identity: Asking, command_id: Thing) -> Response:
        """A command that the marketplace does not answer in time has failed, until an answer comes after all."""
        return await asked(request, identity)

    @router.get(
        "/deployments",
        tags=["deployments"],
        response_model=views.DeploymentPage,
        summary="What the user runs, newest first",
        responses=_page(examples.DEPLOYMENT) | invalid("#/status", "Input should be 'deploying', 'running', …") | _LIST,
    )
    async def deployments(
        request: Request, identity: Asking, _checked: Annotated[views.DeploymentQuery, Query()]
    ) -> Response:
        """Each with the names of its purchase's product and provider."""
        return await asked(request, identity)

    @router.get(
        "/deployments/{deployment_id}",
        tags=["deployments"],
        response_model=views.Deployment,
        summary="One deployment",
        responses=answer(200, "The deployment.", examples.DEPLOYMENT) | _no_such("deployment") | _READ,
    )
    async def deployment(request: Request, identity: Asking, deployment_id: Thing) -> Response:
        """Its credentials are shown by the reveal endpoint only."""
        return await asked(request, identity)

    @router.get(
        "/deployments/{deployment_id}/health",
        tags=["deployments"],
        response_model=views.DeploymentHealth,
        summary="How a deployment was",
        responses=answer(200, "Checks, intervals and uptime.", examples.HEALTH) | _no_such("deployment") | _READ,
    )
    async def health(
        request: Request, identity: Asking, deployment_id: Thing, _checked: Annotated[DateRange, Query()]
    ) -> Response:
        """By default over the last thirty days; checks are kept for ninety, the worst of each quarter of an hour."""
        return await asked(request, identity)

    @router.post(
        "/deployments/{deployment_id}/commands",
        tags=["commands"],
        status_code=202,
        response_model=views.CommandAccepted,
        summary="Start, stop, restart or scale a deployment",
        responses=_COMMAND | _no_such("deployment"),
    )
    async def control(
        request: Request, identity: Asking, deployment_id: Thing, body: Control, key: Key = None
    ) -> Response:
        """Asks the marketplace to; what becomes of that is at the `Location`. `resources` goes with `scale` only."""
        return await commanded(request, identity, body)

    @router.post(
        "/deployments/{deployment_id}/credentials/reveal",
        tags=["deployments"],
        summary="Show a deployment's access credentials",
        responses=answer(200, "In the clear, this once.", examples.CREDENTIALS)
        | SAID_NO
        | _no_such("deployment")
        | BAD_BODY
        | _READ,
    )
    async def reveal(request: Request, identity: Asking, deployment_id: Thing, body: PasswordAgain = None) -> Response:
        """Asks for the password again, and leaves an activity.

        Where accounts are an outside issuer's, a sign-in of the last five minutes takes the password's place.
        """
        await sessions.confirm(identity, body)
        return await asked(request, identity)

    @router.get(
        "/wallet",
        tags=["wallet"],
        response_model=views.Wallet,
        summary="The balance",
        responses=answer(200, "The wallet.", examples.WALLET) | _READ,
    )
    async def wallet(request: Request, identity: Asking) -> Response:
        """After the transaction of the highest sequence. Missing transactions and a difference are told, not hidden."""
        return await asked(request, identity)

    @router.get(
        "/wallet/transactions",
        tags=["wallet"],
        response_model=views.TransactionPage,
        summary="The ledger, newest first",
        responses=_page(examples.TRANSACTION) | invalid("#/kind", "Input should be 'purchase', 'top_up', …") | _LIST,
    )
    async def transactions(
        request: Request, identity: Asking, _checked: Annotated[views.TransactionQuery, Query()]
    ) -> Response:
        """Amounts are signed."""
        return await asked(request, identity)

    @router.get(
        "/wallet/pools",
        tags=["wallet"],
        response_model=views.PoolPage,
        summary="Positions in investment pools",
        responses=answer(200, "All of them.", {"items": [examples.POOL]}) | _READ,
    )
    async def pools(request: Request, identity: Asking) -> Response:
        """All of them, by the name of the pool."""
        return await asked(request, identity)

    return router


def jwks_routes(services: Services) -> APIRouter:
    """The keys that publishers encrypt credentials for."""
    router = APIRouter(tags=["keys"])

    @router.get(
        "/.well-known/jwks.json",
        summary="The keys to encrypt credentials for",
        response_model=dict[str, Any],
        responses=answer(200, "Public keys only.", examples.JWKS)
        | problem(503, "purchases-unavailable", "The purchases part does not answer right now; try again in a moment."),
    )
    async def jwks() -> Response:
        """A JWK Set (RFC 7517) of public keys, for `deployment.credentials_issued.v1`."""
        return (await services.ask("purchases", "/jwks.json")).response()

    return router
