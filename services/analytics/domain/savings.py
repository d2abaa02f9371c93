"""Where a user could spend less: each idea worked out, with what it rests on and the command that would do it.

Savings are per year, in the marketplace's currency. Of several ideas about one purchase only the best is given, by
saving times confidence, so that the savings of a list may be added up.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final
from urllib.parse import quote

from services.analytics.domain.ideas import Command, Holdings, Saving
from services.analytics.domain.months import OWN_CURRENCY
from services.analytics.domain.things import Deployment, Product, Purchase
from services.analytics.domain.usage import mean_load

_USUAL_ANNUAL_DISCOUNT: Final = Decimal("0.15")
_YEAR: Final = 12
_CENT: Final = Decimal("0.01")
_LEAST_SAVING: Final = Decimal(1)
_KEPT_FOR: Final = timedelta(days=60)  # who has just bought may leave again: no annual plan is proposed yet
_IDLE_LOAD, _LOW_LOAD = 5.0, 30.0
_LEAST_DAYS, _LEAST_CHECKS = 10, 20
_CHEAPER: Final = Decimal("0.9")
_SOON: Final = timedelta(days=45)
_UNUSED_HOURS_A_MONTH: Final = 1.0


def savings(holdings: Holdings) -> list[Saving]:
    """All ideas that hold now, the one that saves most first."""
    ideas = (idea for rule in _RULES for idea in rule(holdings) if idea.per_year >= _LEAST_SAVING)
    best: dict[str, Saving] = {}
    for idea in ideas:
        known = best.get(idea.subject)
        if known is None or _weight(known) < _weight(idea):
            best[idea.subject] = idea
    return sorted(best.values(), key=lambda idea: (-idea.per_year, idea.id))


def _weight(idea: Saving) -> tuple[float, str]:
    return float(idea.per_year) * idea.confidence, idea.id


def _annual_billing(holdings: Holdings) -> Iterator[Saving]:
    for p in holdings.running_costs:
        if p.billing_cycle != "monthly" or holdings.now - p.at < _KEPT_FOR or _ends(p):
            continue
        product, yearly = holdings.products.get(p.product_id), p.amount * _YEAR
        if product is not None and product.retired:
            continue
        listed = product.annual_price if product and product.currency == OWN_CURRENCY else None
        saved = yearly - listed if listed is not None else yearly * _USUAL_ANNUAL_DISCOUNT
        said = {"product": p.product_name, "since": _text(p.at), "currency": OWN_CURRENCY}
        if listed is None:
            said["usual_discount"] = f"{100 * _USUAL_ANNUAL_DISCOUNT:.0f}"
        else:
            said |= {"annual_price": f"{listed:f}", "twelve_months": _money(yearly)}
        yield Saving(
            "annual_billing",
            p.id,
            said,
            _cents(saved),
            0.9 if listed is not None else 0.4,
            "low",
            ["annual_price" if listed is not None else "usual_discount", "renews_monthly"],
            [p.id, p.product_id],
        )


def _idle(holdings: Holdings) -> Iterator[Saving]:
    for p, deployment, cost, load in _measured(holdings):
        if load < _IDLE_LOAD:
            limit = {"idle_below": f"{_IDLE_LOAD:g}"}
            costs = {"region": deployment.region, "cost": _money(cost), "currency": OWN_CURRENCY}
            yield Saving(
                "idle_deployment",
                p.id,
                {"product": p.product_name, **costs, **_measures(deployment, load), **limit},
                _cents(cost * _YEAR),
                0.8,
                "low",
                ["mean_load", "counts_as_idle"],
                [deployment.id, p.id],
                Command("POST", f"/api/v1/deployments/{quote(deployment.id, safe='')}/commands", {"action": "stop"}),
            )


def _oversized(holdings: Holdings) -> Iterator[Saving]:
    for p, deployment, cost, load in _measured(holdings):
        if _IDLE_LOAD <= load < _LOW_LOAD and deployment.cpu_cores >= 2:
            half = {
                "cpu_cores": deployment.cpu_cores / 2,
                "memory_gb": deployment.memory_gb / 2,
                "storage_gb": deployment.storage_gb,
                "bandwidth_mbps": deployment.bandwidth_mbps,
            }
            size = {"cores": f"{deployment.cpu_cores:g}", "memory": f"{deployment.memory_gb:g}"}
            yield Saving(
                "oversized_deployment",
                p.id,
                {"product": p.product_name, **size, **_measures(deployment, load)},
                _cents(cost * _YEAR / 2),
                0.5,
                "medium",
                ["mean_load", "half_costs_half"],
                [deployment.id, p.id],
                Command(
                    "POST",
                    f"/api/v1/deployments/{quote(deployment.id, safe='')}/commands",
                    {"action": "scale", "resources": half},
                ),
            )


def _measured(holdings: Holdings) -> Iterator[tuple[Purchase, Deployment, Decimal, float]]:
    """The running deployments that cost something and whose load was measured for long enough."""
    bought = {p.id: p for p in holdings.purchases if p.status == "active"}
    for deployment, figures in holdings.deployments:
        p, load, cost = bought.get(deployment.purchase_id), mean_load(deployment.loads), figures.monthly_cost
        days, checks = len(deployment.loads), sum(each.checks for each in deployment.loads)
        enough = days >= _LEAST_DAYS and checks >= _LEAST_CHECKS
        if p and cost and load is not None and enough and deployment.status == "running":
            yield p, deployment, cost, load


def _duplicates(holdings: Holdings) -> Iterator[Saving]:
    alike: dict[tuple[str, str], list[Purchase]] = {}
    for p in holdings.running_costs:
        if category := holdings.category(p):
            alike.setdefault((p.product_type, category), []).append(p)
    for (_, category), group in alike.items():
        ordered = sorted(group, key=lambda p: (-_used(p), _a_month(p), p.id))
        for spare in ordered[1:]:
            kept = ordered[0]
            names = {"kept": kept.product_name, "spare": spare.product_name, "category": category}
            yield Saving(
                "duplicate_product",
                spare.id,
                {**names, "kept_hours": f"{_used(kept):.0f}", "spare_hours": f"{_used(spare):.0f}"},
                _cents(_a_month(spare) * _YEAR),
                0.6 if _called(kept) == _called(spare) else 0.3,
                "medium",
                ["used_less"],
                [spare.id, kept.id],
                _cancel(spare, f"{kept.product_name} does the same"),
            )


def _cheaper(holdings: Holdings) -> Iterator[Saving]:
    for p in holdings.running_costs:
        own = holdings.products.get(p.product_id)
        if own is None or own.category is None or p.billing_cycle != "monthly":
            continue
        others = [
            o
            for o in holdings.offers.get((own.product_type, own.category), ())
            if o.id != own.id
            and o.provider_id not in holdings.blocked
            and o.currency == OWN_CURRENCY
            and o.billing_cycle == "monthly"
            and o.price <= p.amount * _CHEAPER
            and (o.rating or 0) >= (own.rating or 0)
        ]
        if others:
            same = [o for o in others if _what(o.name, o.provider_name) == _what(own.name, own.provider_name)]
            offer = min(same or others, key=lambda o: (o.price, -(o.rating or 0), o.id))
            names = {"product": p.product_name, "offer": offer.name, "provider": offer.provider_name}
            prices = {"price": _money(p.amount), "offer_price": _money(offer.price), "currency": OWN_CURRENCY}
            ratings = _ratings(own, offer)
            yield Saving(
                "cheaper_offer",
                p.id,
                {**names, "category": own.category, **prices, **ratings},
                _cents((p.amount - offer.price) * _YEAR),
                0.5 if same else 0.25,
                "high",
                ["costs_less", "ratings" if ratings else "not_both_rated", "same_name" if same else "same_category"],
                [p.id, offer.id],
                Command("POST", "/api/v1/purchases", {"product_id": offer.id, "quantity": 1}),
            )


def _unused(holdings: Holdings) -> Iterator[Saving]:
    for p in holdings.running_costs:
        period = p.period
        if period is None or not period.auto_renewal or period.next_billing is None:
            continue
        months = max((holdings.now - period.start) / timedelta(days=30.44), 0.0)
        soon = holdings.now <= period.next_billing <= holdings.now + _SOON
        if months >= 0.8 and soon and period.hours_used / months < _UNUSED_HOURS_A_MONTH:
            yield Saving(
                "unused_renewal",
                p.id,
                {
                    "product": p.product_name,
                    "renews_at": _text(period.next_billing),
                    "hours": f"{period.hours_used:g}",
                    "since": _text(period.start),
                },
                _cents(_a_month(p) * _YEAR),
                0.7,
                "low",
                ["hours_used"],
                [p.id],
                _cancel(p, "not used"),
            )


def _called(purchase: Purchase) -> str:
    return _what(purchase.product_name, purchase.provider_name)


def _what(name: str, provider: str) -> str:
    """What a product is called, whoever provides it: its name without the provider's."""
    return " ".join(name.casefold().replace(provider.casefold(), "").split())


def _a_month(purchase: Purchase) -> Decimal:
    """What a purchase that is paid again and again costs a month."""
    return purchase.amount / _YEAR if purchase.billing_cycle == "annual" else purchase.amount


def _ends(purchase: Purchase) -> bool:
    return purchase.period is not None and not purchase.period.auto_renewal


def _used(purchase: Purchase) -> float:
    return purchase.period.hours_used if purchase.period else 0.0


def _cancel(purchase: Purchase, reason: str) -> Command:
    return Command("POST", f"/api/v1/purchases/{quote(purchase.id, safe='')}/cancel", {"reason": reason})


def _measures(deployment: Deployment, load: float) -> dict[str, str]:
    checks = sum(each.checks for each in deployment.loads)
    return {"load": f"{load:.0f}", "checks": str(checks), "days": str(len(deployment.loads))}


def _ratings(own: Product, offer: Product) -> dict[str, str]:
    """Both ratings; nothing where one of them has none."""
    if own.rating is None or offer.rating is None:
        return {}
    return {"rating": f"{own.rating:g}", "offer_rating": f"{offer.rating:g}"}


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _money(amount: Decimal) -> str:
    return str(_cents(amount))


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_EVEN)


_RULES: Final[Sequence[Callable[[Holdings], Iterator[Saving]]]] = (
    _annual_billing,
    _idle,
    _oversized,
    _duplicates,
    _cheaper,
    _unused,
)
