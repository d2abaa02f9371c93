"""What a user changes: a rating, which this service owns, and commands, which only the marketplace can carry out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response

from services.purchases.api import answer, found
from services.purchases.commands import SOURCE, CommandStore, OtherBodyError, Request
from services.purchases.credentials import NotOpenableError, Vault
from services.purchases.reading import Reading
from services.purchases.store import PurchaseStore
from shared.contracts.build import make_event
from shared.contracts.envelope import Event, UserPayload
from shared.contracts.marketplace import PurchaseRated
from shared.contracts.purchase_views import CancelBody, DeploymentCommandBody, PurchaseBody, RatingBody
from shared.contracts.purchases import CredentialsRevealed
from shared.contracts.topics import PURCHASES
from shared.folds.facts import Kind
from shared.folds.state import value
from shared.plumbing.erasure import Erasure
from shared.plumbing.internal_api import user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.outbox import Relay
from shared.plumbing.problems import ProblemError, field_problem

Key = Annotated[str | None, Header(alias="idempotency-key", min_length=1, max_length=256)]


def routes(
    reading: Reading,
    commands: CommandStore,
    store: PurchaseStore,
    vault: Vault,
    relay: Relay,
    erasure: Erasure,
    tokens: InternalTokens,
) -> APIRouter:
    """The changes. Each is made for the user that the gateway's signed call names; another's thing is a 404."""
    router = APIRouter()
    User = Annotated[str, Depends(user("purchases", tokens))]  # noqa: N806  (a type)

    async def accepted(email: str, request: Request, key: str | None) -> Response:
        try:
            async with erasure.writing(email):
                command_id = await commands.request(email, request, key)
        except OtherBodyError:
            detail = "This Idempotency-Key was used for another request; use a new key for a new request."
            raise ProblemError(422, "idempotency-key-reused", detail) from None
        relay.wake()
        return answer({"command_id": command_id}, 202)

    async def told(email: str, kind: Kind, id: str, event: Event[UserPayload]) -> None:
        async with erasure.writing(email):
            found(await store.tell(kind, id, PURCHASES, event) or None, kind)
        relay.wake()

    @router.put("/purchases/{purchase_id}/rating")
    async def rate(email: User, purchase_id: str, body: RatingBody) -> Response:
        rated = PurchaseRated(user_email=email, purchase_id=purchase_id, rating=body.rating, review=body.review)
        await told(email, "purchase", purchase_id, make_event(rated, source=SOURCE))
        return answer(await reading.purchase(email, purchase_id))

    @router.post("/purchases")
    async def buy(email: User, body: PurchaseBody, key: Key = None) -> Response:
        return await accepted(email, Request("buy", body.product_id, {"quantity": body.quantity}), key)

    @router.post("/purchases/{purchase_id}/cancel")
    async def cancel(email: User, purchase_id: str, body: CancelBody | None = None, key: Key = None) -> Response:
        found(await reading.purchase(email, purchase_id), "purchase")
        return await accepted(email, Request("cancel", purchase_id, {"reason": body.reason if body else None}), key)

    @router.post("/deployments/{deployment_id}/commands")
    async def command(email: User, deployment_id: str, body: DeploymentCommandBody, key: Key = None) -> Response:
        found(await reading.deployment_document(email, deployment_id), "deployment")
        if (body.action == "scale") != (body.resources is not None):
            raise field_problem("#/resources", "should be there for scale, and for no other action")
        details = {"resources": body.resources and body.resources.model_dump()}
        return await accepted(email, Request(body.action, deployment_id, details), key)

    @router.get("/commands/{command_id}")
    async def state(email: User, command_id: str) -> Response:
        return answer(found(await commands.of(email, command_id), "command"))

    @router.post("/deployments/{deployment_id}/credentials/reveal")
    async def reveal(email: User, deployment_id: str) -> Response:
        """The gateway has had the password checked before it calls."""
        deployed = found(await reading.deployment_document(email, deployment_id), "deployment")
        sealed = found(value(deployed, "credentials"), "credentials")
        try:
            credentials = await vault.open(email, deployment_id, sealed)
        except NotOpenableError:
            raise ProblemError(404, "not-found", "You have no such credentials.") from None
        revealed = make_event(CredentialsRevealed(user_email=email, deployment_id=deployment_id), source=SOURCE)
        await told(email, "deployment", deployment_id, revealed)
        return Response(credentials.revealed(), media_type="application/json")

    return router
