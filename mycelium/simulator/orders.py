"""Purchases from the order to their end: one-time goods, hours of compute, and subscriptions that renew.

A renewal is a purchase of its own, with its own transaction, that completes when it is paid; the subscription that it
prolongs stays the record that the service period and the deployment belong to. So what the purchases say was spent is
what the wallet says, to the cent.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from math import exp

from mycelium.simulator.catalogue import CURRENCY, Product
from mycelium.simulator.deployments import Deployment, Deployments
from mycelium.simulator.diary import Diary, Process
from mycelium.simulator.moments import DAY, HOUR, MINUTE, SECOND, months_later, to_time
from mycelium.simulator.persona import Persona
from mycelium.simulator.tables import REVIEWS, TICKETS
from mycelium.simulator.wallet import About, Wallet
from shared.contracts.marketplace import (
    PurchaseCreated,
    PurchaseDetails,
    PurchaseRated,
    PurchaseServicePeriodChanged,
    PurchaseStatusChanged,
    ServicePeriod,
    SupportTicketClosed,
    SupportTicketOpened,
)
from shared.contracts.types import BillingCycle, PurchaseStatus

_CANCELLED, _REFUNDED, _FIXED_TERM = 0.03, 0.035, 0.12
_LEAVES = 0.15  # the chance a period that a subscription is given up, for what is used as it should be
_DEPLOYED = 0.65  # the rest runs elsewhere, or needs nothing to run
_MONTHS: dict[BillingCycle, int] = {"monthly": 1, "annual": 12}
_HOURS_A_MONTH = 730


@dataclass
class Order:
    """A purchase as it now is. Times in milliseconds; `usage` is hours used a day."""

    id: str
    product: Product
    cycle: BillingCycle
    amount: Decimal
    start: int
    end: int | None
    usage: float
    auto_renewal: bool
    hours_used: float = 0.0
    sessions_completed: int = 0
    deployment: Deployment | None = None

    @property
    def period(self) -> ServicePeriod | None:
        """The whole service period, for what has one."""
        if self.end is None:
            return None
        return ServicePeriod(
            start_date=to_time(self.start),
            end_date=to_time(self.end),
            auto_renewal=self.auto_renewal,
            hours_used=round(self.hours_used, 1),
            sessions_completed=self.sessions_completed,
            next_billing_date=to_time(self.end) if self.auto_renewal else None,
        )


class Orders:
    """A user's purchases. What awaits the user's attention is in `to_rate` and `to_report`."""

    def __init__(
        self, diary: Diary, persona: Persona, wallet: Wallet, deployments: Deployments, rng: random.Random
    ) -> None:
        self._diary, self._persona, self._wallet, self._rng = diary, persona, wallet, rng
        self._deployments = deployments
        self._spent, self._spent_at = 0.0, diary.now
        self.open: list[Order] = []
        self.to_rate: list[Order] = []
        self.to_report: list[Order] = []

    def spent_lately(self) -> float:
        """TFP spent, older spending counted less: about a third of it after a month."""
        return self._spent * exp(-(self._diary.now - self._spent_at) / (30 * DAY))

    def owns(self, product: Product) -> bool:
        """Whether that product is in use already."""
        return any(order.product is product for order in self.open)

    def owns_like(self, product: Product) -> bool:
        """Whether a product that does the same is in use already."""
        return any(order.product.category is product.category for order in self.open)

    def place(self, product: Product, cycle: BillingCycle, hours: int = 0) -> None:
        """Buys a product, or that many `hours` of it, and lets the order take its course."""
        now, rng = self._diary.now, self._rng
        price = product.price_at(now, cycle)
        order = Order(
            id=self._diary.fresh_id("pur"),
            product=product,
            cycle=cycle,
            amount=price * hours if cycle == "hourly" else price,
            start=now,
            end=_end(now, cycle, hours),
            usage=rng.choices((0.05, rng.uniform(1, 5), rng.uniform(5, 16)), (0.12, 0.5, 0.38))[0],
            auto_renewal=cycle in _MONTHS and rng.random() > _FIXED_TERM * (2 - self._persona.renews),
        )
        self._charge(order, order.id)
        self.open.append(order)
        self._diary.start(self._life(order), now + int(rng.uniform(20, 200) * SECOND))

    def rate(self) -> None:
        """Rates what has waited longest to be rated."""
        order = self.to_rate.pop(0)
        felt = order.product.provider.quality + self._rng.gauss(0, 0.7) - (0.6 if order.usage < 1 else 0)
        rating = min(5.0, max(1.0, round(felt * 2) / 2))
        review = self._rng.choice(REVIEWS[int(rating)]) if self._rng.random() < 0.5 else None
        self._diary.write(
            PurchaseRated(user_email=self._persona.email, purchase_id=order.id, rating=rating, review=review)
        )

    def report(self) -> None:
        """Opens a support ticket on what went wrong first; it is closed within some days."""
        order = self.to_report.pop(0)
        ticket_id, subject = self._diary.fresh_id("ticket"), self._rng.choice(TICKETS)
        email = self._persona.email
        self._diary.write(
            SupportTicketOpened(user_email=email, ticket_id=ticket_id, purchase_id=order.id, subject=subject)
        )
        closing = SupportTicketClosed(user_email=email, ticket_id=ticket_id, purchase_id=order.id, subject=subject)
        self._later(self._rng.lognormvariate(2.6, 0.9) * HOUR, lambda: self._diary.write(closing))

    def _charge(self, order: Order, purchase_id: str) -> None:
        """The wallet's transaction and the purchase, which say the same and share their ids."""
        self._wallet.cover(order.amount)
        now, product = self._diary.now, order.product
        self._spent, self._spent_at = self.spent_lately() + float(order.amount), now
        details = PurchaseDetails(
            purchase_id=purchase_id,
            transaction_id=self._diary.fresh_id("tx"),
            product_id=product.id,
            product_name=product.name,
            product_type=product.category.product_type,
            provider_id=product.provider.id,
            provider_name=product.provider.name,
            amount=order.amount,
            currency=CURRENCY,
            purchase_date=to_time(now),
            billing_cycle=order.cycle,
            service_period=order.period if purchase_id == order.id else None,
        )
        self._wallet.post("purchase", -order.amount, product.name, About(purchase_id, "purchase"), details)
        self._diary.write(PurchaseCreated(user_email=self._persona.email, **dict(details)))

    def _life(self, order: Order) -> Process:
        if self._rng.random() < _CANCELLED:
            yield int(self._rng.uniform(1, 20) * MINUTE)
            self._give_back(order, "cancelled", "cancelled by the user before it started")
            return
        self._move(order.id, "active", "paid")
        self._plan_feedback(order)
        self._deploy(order)
        if order.cycle == "one_time":
            yield from self._deliver(order)
        elif order.cycle == "hourly":
            yield from self._run_hours(order)
        else:
            yield from self._subscribe(order)

    def _deploy(self, order: Order) -> None:
        deployable = order.product.category.product_type in ("service", "application", "compute_slice")
        if not deployable or order.cycle == "one_time" or self._rng.random() > _DEPLOYED:
            return
        months: dict[BillingCycle, Decimal] = {
            "hourly": order.product.price_at(order.start, "hourly") * _HOURS_A_MONTH,
            "annual": order.amount / 12,
        }
        monthly_cost = months.get(order.cycle, order.amount).quantize(Decimal("0.01"))
        order.deployment = self._deployments.create(order.id, order.product, monthly_cost)

    def _plan_feedback(self, order: Order) -> None:
        rng, bad = self._rng, (5 - order.product.provider.quality) / 1.5
        if rng.random() < self._persona.rates:
            self._later(rng.uniform(1, 15) * DAY, lambda: self.to_rate.append(order))
        if rng.random() < self._persona.complains * bad:
            self._later(rng.expovariate(1 / 6) * DAY, lambda: self.to_report.append(order))

    def _deliver(self, order: Order) -> Process:
        yield int(self._rng.uniform(0.2, 6) * DAY)
        if self._rng.random() < _REFUNDED:
            self._give_back(order, "refunded", "not delivered as agreed")
        else:
            self._finish(order, "completed", "delivered")

    def _run_hours(self, order: Order) -> Process:
        yield self._left(order)
        used = self._rng.uniform(0.5, 1.0)
        order.hours_used = (self._diary.now - order.start) / HOUR * used
        order.sessions_completed = self._rng.randint(1, 6)
        self._report_period(order)
        self._finish(order, "completed" if used > 0.6 else "expired", "the hours are over")

    def _subscribe(self, order: Order) -> Process:
        if self._rng.random() < _REFUNDED:
            yield int(self._rng.uniform(1, 12) * DAY)
            self._give_back(order, "refunded", "not as described")
            return
        while True:
            leaves = self._rng.random() < (_LEAVES if order.usage >= 1 else 2 * _LEAVES)
            yield from self._use_period(order, leaves=leaves)
            if leaves or not order.auto_renewal or not order.product.on_offer(self._diary.now):
                break
            yield from self._renew(order)
        if leaves:
            self._finish(order, "completed", "ended by the user")
        else:
            self._finish(order, "expired", "the period is over and is not renewed")

    def _use_period(self, order: Order, *, leaves: bool) -> Process:
        """Uses a whole period, with a report of it about every two weeks and before it is left."""
        rng = self._rng
        while left := self._left(order):
            wait = min(left, int(rng.uniform(11, 17) * DAY))
            yield wait
            order.hours_used += order.usage * wait / DAY * rng.lognormvariate(0, 0.25)
            order.sessions_completed += int(order.usage * wait / DAY / 2 * rng.random())
            if leaves and self._left(order) < 31 * DAY:
                order.auto_renewal = False
            if self._left(order):
                self._report_period(order)

    def _renew(self, order: Order) -> Process:
        order.amount = order.product.price_at(self._diary.now, order.cycle)
        if self._wallet.balance < order.amount and self._rng.random() < 0.3:
            yield from self._wait_for_money(order)
        renewal_id = self._diary.fresh_id("pur")
        self._charge(order, renewal_id)
        order.end = _end(self._diary.now, order.cycle)
        self._report_period(order)
        self._later(self._rng.uniform(5, 40) * SECOND, lambda: self._move(renewal_id, "completed", "renewal paid"))

    def _wait_for_money(self, order: Order) -> Process:
        self._move(order.id, "suspended", "the balance did not cover the renewal")
        if order.deployment:
            self._deployments.stop(order.deployment, "the purchase is suspended")
        yield int(self._rng.uniform(0.3, 3) * DAY)
        self._wallet.cover(order.amount)
        self._move(order.id, "active", "the renewal was paid")
        if order.deployment:
            self._deployments.resume(order.deployment)

    def _give_back(self, order: Order, status: PurchaseStatus, reason: str) -> None:
        about = About(order.id, "purchase")
        self._wallet.post("refund", order.amount, f"Refund of {order.product.name}", about)
        self._finish(order, status, reason)

    def _finish(self, order: Order, status: PurchaseStatus, reason: str) -> None:
        self.open.remove(order)
        self._move(order.id, status, reason)
        if order.deployment:
            self._deployments.end(order.deployment, f"the purchase is {status}")

    def _move(self, purchase_id: str, status: PurchaseStatus, reason: str) -> None:
        self._diary.write(
            PurchaseStatusChanged(user_email=self._persona.email, purchase_id=purchase_id, status=status, reason=reason)
        )

    def _report_period(self, order: Order) -> None:
        if order.period:
            self._diary.write(
                PurchaseServicePeriodChanged(
                    user_email=self._persona.email, purchase_id=order.id, service_period=order.period
                )
            )

    def _left(self, order: Order) -> int:
        return max(0, (order.end or 0) - self._diary.now)

    def _later(self, wait: float, action: Callable[[], None]) -> None:
        def process() -> Process:
            action()
            yield from ()

        self._diary.start(process(), self._diary.now + int(wait))


def _end(start: int, cycle: BillingCycle, hours: int = 0) -> int | None:
    """When what was bought at `start` ends; None for what is bought for good."""
    if cycle == "hourly":
        return start + hours * HOUR
    return months_later(start, _MONTHS[cycle]) if cycle in _MONTHS else None
