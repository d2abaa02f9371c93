"""What the purchases service says (topic `purchases.events`) and asks of the marketplace (`marketplace.commands`)."""

from typing import ClassVar, Literal

from shared.contracts.envelope import UserPayload
from shared.contracts.marketplace import ResourceAllocation
from shared.contracts.types import Id, Quantity, Text


class CredentialsRevealed(UserPayload):
    """The user looked at a deployment's access credentials."""

    event_type: ClassVar[str] = "credentials.revealed.v1"
    deployment_id: Id


class PurchaseRequested(UserPayload):
    """The user asks to buy a product; `auto_renewal` is how they prefer it where the product renews."""

    event_type: ClassVar[str] = "purchase.requested.v1"
    command_id: Id
    product_id: Id
    quantity: Quantity
    auto_renewal: bool | None = None


class PurchaseCancelRequested(UserPayload):
    """The user asks to cancel a purchase."""

    event_type: ClassVar[str] = "purchase.cancel_requested.v1"
    command_id: Id
    purchase_id: Id
    reason: Text | None = None


class DeploymentCommandRequested(UserPayload):
    """The user asks to start, stop, restart or scale a deployment; `resources` goes with `scale`."""

    event_type: ClassVar[str] = "deployment.command_requested.v1"
    command_id: Id
    deployment_id: Id
    action: Literal["start", "stop", "restart", "scale"]
    resources: ResourceAllocation | None = None
