"""Whether what the services answer about one user is what is true, in sentences about each difference."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from pydantic import BaseModel

from shared.contracts.analytics_recommend import CatalogProduct
from shared.contracts.purchase_views import Deployment, DeploymentHealth, PoolPosition, PurchaseDetail, Transaction
from tests.chaos.asking import Answers, Json
from tests.chaos.truth import Activity, Catalogue, Truth

_SHOWN: Final = 3  # of what differs in one place
_EXPLAINED: Final = 500  # the facts behind a figure that are told at most
_MONEY: Final = frozenset(
    {"amount", "monthly_cost", "balance_after", "invested", "current_value", "price", "annual_price"}
)
_HOURS: Final = 0.2  # what is worked out of the clock is rounded, and of a moment before or after
_PER_CENT: Final = 0.15
_SCORE: Final = 0.06  # rounded to a tenth: a narrow one, because one check in hundreds moves it by little more


def wrong_of(truth: Truth, told: Answers, until: datetime, now: datetime) -> Iterator[str]:
    """What differs; what the user did from `until` on is not the ledger's. `now` (UTC) is when it was asked for."""
    yield from differences("activities", truth.activities, _activities(told.activities, until))
    yield from _wrong_of_purchases(truth, told)
    yield from _wrong_of_deployments(truth, told, now)
    yield from _wrong_of_wallet(truth, told)
    yield from differences("usage", _usage_of(truth), _usage_shown(told.usage))
    yield from _wrong_of_measures(truth, told.usage)
    yield from _wrong_of_reasons(truth, told, until)
    if truth.is_registered:
        profile = {"display_name": truth.name, "country": truth.country, "timezone": truth.zone}
        yield from differences("profile", profile, {name: told.profile[name] for name in profile})
        yield from differences("language", {"language": truth.language}, {"language": told.preferences["language"]})


def wrong_of_catalogue(truth: Catalogue, told: Iterable[Json]) -> list[str]:
    """What differs in the whole list of what is on offer."""
    expected = {id: product.model_dump() for id, product in truth.products.items()}  # noqa: A001
    for product in expected.values():
        del product["product_id"], product["listed_at"]
        product["description"] = product["description"] or ""
    return _wrong_things("catalogue", expected, "id", [_read(CatalogProduct, item) for item in told])


def _activities(timeline: Iterable[Mapping[str, Any]], until: datetime) -> Counter[Activity]:
    shown = ((item["activity_type"], _time(item["timestamp"])) for item in timeline)
    return Counter((kind, at) for kind, at in shown if at < until)


def _wrong_of_purchases(truth: Truth, told: Answers) -> Iterator[str]:
    known = truth.known_purchases
    expected = {id: bought.shown for id, bought in known.items()}  # noqa: A001
    listed = [item | {"status_history": []} for item in told.purchases]
    yield from _wrong_things("purchases", expected, "id", [_read(PurchaseDetail, item) for item in listed])
    details = [_read(PurchaseDetail, item) for item in told.details]
    yield from _wrong_things("each purchase", expected, "id", details)
    moves = Counter((id, *move) for id, bought in known.items() for move in bought.moves)  # noqa: A001
    shown = Counter((d["id"], m["status"], m["at"], m["reason"]) for d in details for m in d["status_history"])
    yield from differences("purchases' history", moves, shown)


def _wrong_of_deployments(truth: Truth, told: Answers, now: datetime) -> Iterator[str]:
    known, shown = truth.known_deployments, [_read(Deployment, item) for item in told.deployments]
    expected = {id: d.shown | _of_purchase(truth, d.shown["purchase_id"]) for id, d in known.items()}  # noqa: A001
    yield from _wrong_things("deployments", expected, "deployment_id", shown)
    for item in shown:
        if deployed := known.get(item["deployment_id"]):
            up = deployed.uptime(now)
            yield from _apart("a deployment's uptime", up, item["uptime_percentage"], _PER_CENT)
    health = {id: _read(DeploymentHealth, answer) for id, answer in told.health.items()}  # noqa: A001
    checks = Counter((id, *check) for id, deployed in known.items() for check in deployed.checks)  # noqa: A001
    yield from differences("health checks", checks, _members(health, "checks"))
    stays = Counter((id, *stay) for id, deployed in known.items() for stay in deployed.stays)  # noqa: A001
    yield from differences("deployments' history", stays, _members(health, "intervals"))


def _of_purchase(truth: Truth, id: str) -> dict[str, Any]:
    details = truth.purchases[id].details if id in truth.known_purchases else {}
    return {name: details.get(name) for name in ("product_name", "provider_name", "currency")}


def _members(health: Mapping[str, Json], name: str) -> Counter[tuple[Any, ...]]:
    return Counter((id, *member.values()) for id, answer in health.items() for member in answer[name])  # noqa: A001


def _wrong_of_wallet(truth: Truth, told: Answers) -> Iterator[str]:
    lines = [_read(Transaction, item) for item in told.transactions]
    yield from _wrong_things("ledger", truth.ledger, "transaction_id", lines)
    yield from _wrong_things("pools", truth.pools, "pool_id", [_read(PoolPosition, item) for item in told.pools])
    whole = {"balance": truth.balance, "sequence_gaps": [], "difference": None, "transactions": len(truth.ledger)}
    shown = {name: told.wallet[name] for name in whole} | {"balance": Decimal(told.wallet["balance"])}
    yield from differences("wallet", whole, shown)


def _usage_of(truth: Truth) -> dict[str, Any]:
    return {
        "timezone": truth.zone,
        "total_spent": sum(truth.spent_by("month").values()),
        "total_purchases": len(truth.spending),
        "total_deployments": len(truth.known_deployments),
        "active_deployments": len(truth.active_deployments),
        "monthly_costs": sum(deployed.cost for deployed in truth.active_deployments),
        "months": truth.spent_by("month"),
        "categories": truth.spent_by("product_type"),
        "providers": truth.spent_by("provider_id"),
        "categories' ratings": truth.rated_by("product_type"),
        "providers' ratings": truth.rated_by("provider_id"),
    }


def _usage_shown(usage: Mapping[str, Any]) -> dict[str, Any]:
    def sums(items: Iterable[Mapping[str, Any]], name: str) -> dict[str, Decimal]:
        return {item[name]: Decimal(item["total_spent"]) for item in items if item["purchase_count"]}

    def ratings(items: Iterable[Mapping[str, Any]], name: str) -> dict[str, float | None]:
        return {item[name]: item["average_rating"] for item in items}

    return {
        "timezone": usage["timezone"],
        "total_spent": Decimal(usage["total_spent"]),
        "total_purchases": usage["total_purchases"],
        "total_deployments": usage["deployment_stats"]["total_deployments"],
        "active_deployments": usage["deployment_stats"]["active_deployments"],
        "monthly_costs": Decimal(usage["deployment_stats"]["monthly_costs"]),
        "months": sums(usage["spending_trends"], "month"),
        "categories": sums(usage["favorite_categories"], "category"),
        "providers": sums(usage["preferred_providers"], "provider_id"),
        "categories' ratings": ratings(usage["favorite_categories"], "category"),
        "providers' ratings": ratings(usage["preferred_providers"], "provider_id"),
    }


def _wrong_of_measures(truth: Truth, usage: Mapping[str, Any]) -> Iterator[str]:
    """What depends on the clock, and on every status and check that analytics has."""
    told, now = usage["deployment_stats"], _time(usage["last_calculated"])
    yield from _apart("usage: average uptime", truth.average_uptime(now), told["average_uptime"], _PER_CENT)
    yield from _apart("usage: hours run", truth.hours_run(now), told["total_resource_hours"], _HOURS)
    efficiency = truth.cost_efficiency(now)
    yield from _apart("usage: cost efficiency", efficiency, told["cost_efficiency_score"], _SCORE)


def _wrong_of_reasons(truth: Truth, told: Answers, until: datetime) -> Iterator[str]:
    """What analytics says that its figures are made of, and which events say so."""
    bought = {id: (truth.spent_on(id), {*each.words.values()}) for id, each in truth.spending.items()}  # noqa: A001
    shown = {f["id"]: (Decimal(f["amount"]), {*f["event_ids"]}) for f in told.why_purchases["facts"]}
    yield from differences("analytics' purchases", bought, shown)
    deployed = {id: {*each.words.values()} for id, each in truth.known_deployments.items()}  # noqa: A001
    told_of = {f["id"]: {*f["event_ids"]} for f in told.why_deployments["facts"]}
    yield from differences("analytics' deployments", deployed, told_of)
    minutes = Counter(at for at, _ in islice(sorted(truth.minutes), _EXPLAINED))
    seen = (_time(fact["at"]) for fact in told.why_minutes["facts"])
    yield from differences("analytics' active minutes", minutes, Counter(at for at in seen if at < until))


def _read(view: type[BaseModel], item: Json) -> Json:
    """An answer with times as times and amounts as decimals. Raises ValueError for one of another shape."""
    read = view.model_validate(item)
    whole = {name: getattr(read, name) for name in view.model_fields}
    for name in _MONEY & whole.keys():
        whole[name] = None if whole[name] is None else Decimal(whole[name])
    for name in ("status_history", "checks", "intervals"):
        if name in whole:
            whole[name] = [member.model_dump() for member in whole[name]]
    return whole


def _wrong_things(where: str, expected: Mapping[str, Mapping[str, Any]], key: str, shown: list[Json]) -> list[str]:
    """The fields that are expected are compared; that each thing is there once, too."""
    told = {(id, name): value for id, fields in expected.items() for name, value in fields.items()}  # noqa: A001
    seen = {(item[key], name): item[name] for item in shown for name in expected.get(item[key], {})}
    there = Counter(item[key] for item in shown)
    return [*differences(f"{where}, each once", Counter({*expected}), there), *differences(where, told, seen)]


def _apart(what: str, expected: float | None, shown: float | None, by: float) -> list[str]:
    if expected is None or shown is None:
        return [] if expected is shown else [f"{what}: {shown} instead of {expected}"]
    return [f"{what}: {shown} instead of {expected:.2f}"] if abs(expected - shown) > by else []


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def differences(where: str, expected: Mapping[Any, Any], shown: Mapping[Any, Any]) -> list[str]:
    """A sentence, if there is any difference, that counts them and tells of the first."""
    keys = [key for key in {**expected, **shown} if expected.get(key) != shown.get(key)]
    first = "; ".join(f"{key}: {shown.get(key)} instead of {expected.get(key)}" for key in keys[:_SHOWN])
    return [f"{where}: {len(keys)} of {len(expected)} differ: {first}"] if keys else []
