"""What the marketplace says when it does what a command asks: the events of a sale, a refund, a deployment's moves."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from mycelium.simulator.moments import HOUR, months_later, to_ms, to_time
from mycelium.simulator.tables import REGIONS
from shared.contracts.catalog import ProductListed
from shared.contracts.envelope import UserPayload
from shared.contracts.marketplace import (
    DeploymentCreated,
    DeploymentScaled,
    DeploymentStatusChanged,
    PurchaseCreated,
    PurchaseDetails,
    PurchaseStatusChanged,
    ResourceAllocation,
    ServicePeriod,
)
from shared.contracts.purchases import DeploymentCommandRequested, PurchaseRequested
from shared.contracts.types import DeploymentStatus
from shared.contracts.wallet import WalletTransactionPosted

_DEPLOYABLE = frozenset({"service", "application", "compute_slice"})
_RESOURCES = ResourceAllocation(cpu_cores=2, memory_gb=4, storage_gb=40, bandwidth_mbps=250)
_HOURS_A_MONTH, _NODES = 730, 40
_MONTHS = {"monthly": 1, "annual": 12}


class Refusal(Exception):  # noqa: N818  (an answer, not an error)
    """The marketplace will not do it; the message is for the user to read."""


def top_up(
    email: str, transaction_id: str, amount: Decimal, line: tuple[int, Decimal], description: str
) -> WalletTransactionPosted:
    """Money that comes into a wallet; `line` is its sequence and the balance after it."""
    return WalletTransactionPosted(
        user_email=email,
        transaction_id=transaction_id,
        sequence=line[0],
        kind="top_up",
        amount=amount,
        currency="TFP",
        balance_after=line[1],
        description=description,
    )


def sale(
    command: PurchaseRequested, product: ProductListed, key: str, at: datetime, line: tuple[int, Decimal]
) -> Iterator[UserPayload]:
    """A purchase at `at` that is paid, with what it deploys; `line` is the transaction's sequence and balance after."""
    email, total = command.user_email, product.price * command.quantity
    details = PurchaseDetails(
        purchase_id=f"pur-{key}",
        transaction_id=f"tx-{key}",
        product_id=product.product_id,
        product_name=product.name,
        product_type=product.product_type,
        provider_id=product.provider_id,
        provider_name=product.provider_name,
        amount=total,
        currency=product.currency,
        purchase_date=at,
        billing_cycle=product.billing_cycle,
        service_period=_period(product, at, command),
        command_id=command.command_id,
    )
    yield WalletTransactionPosted(
        user_email=email,
        transaction_id=f"tx-{key}",
        sequence=line[0],
        kind="purchase",
        amount=-total,
        currency=product.currency,
        balance_after=line[1],
        related_entity_id=details.purchase_id,
        related_entity_type="purchase",
        description=product.name,
        purchase=details,
    )
    yield PurchaseCreated(user_email=email, **dict(details))
    yield PurchaseStatusChanged(
        user_email=email,
        purchase_id=details.purchase_id,
        status="active",
        reason="paid",
        command_id=command.command_id,
    )
    if product.product_type in _DEPLOYABLE:
        yield from _deployment(command, product, key, details.purchase_id)


def refund(
    email: str, key: str, purchase_id: str, amount: Decimal, currency: str, line: tuple[int, Decimal]
) -> WalletTransactionPosted:
    """The whole amount of a purchase, given back; `line` is the transaction's sequence and the balance after it."""
    return WalletTransactionPosted(
        user_email=email,
        transaction_id=f"tx-{key}",
        sequence=line[0],
        kind="refund",
        amount=amount,
        currency=currency,
        balance_after=line[1],
        related_entity_id=purchase_id,
        related_entity_type="purchase",
        description="Refund of a cancelled purchase",
    )


def move(
    email: str, command_id: str, deployment_id: str, status: DeploymentStatus, reason: str
) -> DeploymentStatusChanged:
    """One move of a deployment."""
    return DeploymentStatusChanged(
        user_email=email, deployment_id=deployment_id, status=status, reason=reason, command_id=command_id
    )


def moves(command: DeploymentCommandRequested, *, is_held: bool) -> Iterator[UserPayload]:
    """What a deployment does on a command that it obeys; one that is held stopped is scaled without being started."""
    about = command.user_email, command.command_id, command.deployment_id
    match command.action:
        case "stop":
            yield move(*about, "stopped", "stopped by the user")
        case "start":
            yield move(*about, "running", "started by the user")
        case "restart":
            yield move(*about, "stopped", "restarted by the user")
            yield move(*about, "running", "restarted by the user")
        case "scale":
            yield from _scaling(command, is_held=is_held)


def _scaling(command: DeploymentCommandRequested, *, is_held: bool) -> Iterator[UserPayload]:
    if command.resources is None:
        raise Refusal("Say which resources the deployment should have.")
    about = command.user_email, command.command_id, command.deployment_id
    if not is_held:
        yield move(*about, "scaling", "new resources")
    yield DeploymentScaled(
        user_email=command.user_email,
        deployment_id=command.deployment_id,
        resources_allocated=command.resources,
        command_id=command.command_id,
    )
    if not is_held:
        yield move(*about, "running", "scaled")


def _deployment(
    command: PurchaseRequested, product: ProductListed, key: str, purchase_id: str
) -> Iterator[UserPayload]:
    """A deployment that gets to run; where it does is drawn from the key."""
    email, deployment_id, drawn = command.user_email, f"dep-{key}", int(key, 16)
    yield DeploymentCreated(
        user_email=email,
        deployment_id=deployment_id,
        purchase_id=purchase_id,
        kind="app" if product.product_type == "application" else "service",
        region=REGIONS[drawn % len(REGIONS)],
        node_id=f"{product.provider_id}-node-{1 + drawn % _NODES}",
        resources_allocated=_RESOURCES,
        deployment_url=f"https://{deployment_id}.{product.provider_id}.example.org",
        monthly_cost=_monthly_cost(product, command.quantity),
    )
    yield move(email, command.command_id, deployment_id, "deploying", "paid")
    yield move(email, command.command_id, deployment_id, "running", "deployed")


def _monthly_cost(product: ProductListed, quantity: int) -> Decimal | None:
    """What it costs a month; hours that were bought are all there is of it, whatever their number."""
    costs = {
        "hourly": product.price * _HOURS_A_MONTH,
        "monthly": product.price * quantity,
        "annual": (product.price * quantity / 12).quantize(Decimal("0.01")),
    }
    return costs.get(product.billing_cycle or "one_time")


def _period(product: ProductListed, at: datetime, command: PurchaseRequested) -> ServicePeriod | None:
    """Of hours, as many as were bought; of a subscription, its first cycle, for all that were bought.

    Only a subscription renews itself, where the user wants that.
    """
    start, cycle = to_ms(at), product.billing_cycle
    if cycle == "hourly":
        end = to_time(start + command.quantity * HOUR)
    elif cycle in _MONTHS:
        end = to_time(months_later(start, _MONTHS[cycle]))
    else:
        return None
    renews = bool(command.auto_renewal) and cycle in _MONTHS
    return ServicePeriod(
        start_date=at,
        end_date=end,
        auto_renewal=renews,
        hours_used=0.0,
        sessions_completed=0,
        next_billing_date=end if renews else None,
    )
