"""Documents as the things that the domain reckons with, and months as documents."""

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any, Final

from services.analytics.domain.months import credible
from services.analytics.domain.things import Deployment, Load, MonthTotals, Period, Purchase, Share, Stay
from shared.contracts.times import as_time
from shared.folds import deployment, purchase
from shared.folds.state import field, members, value
from shared.plumbing.mongo import Document

_NO_RESOURCES: Final = {"cpu_cores": 0.0, "memory_gb": 0.0, "storage_gb": 0.0, "bandwidth_mbps": 0.0}
BARE: Final = ("id", "at", "status", "fields.details", "fields.billing_cycle", "fields.period")
_OF_SHARE: Final = tuple(each.name for each in fields(Share))


def purchase_of(document: Document, refunds: Decimal = Decimal(0)) -> Purchase:
    """The purchase in a document that holds one. `refunds` is the sum of those that name it."""
    details, period = value(document, "details"), value(document, "period")
    return Purchase(
        id=document["id"],
        **details,
        at=credible(as_time(purchase.bought_at(document))),
        status=purchase.status(document),
        billing_cycle=value(document, "billing_cycle"),
        refunded=refunds,
        rating=(value(document, "rating") or {}).get("rating"),
        period=period and _period(period),
        tickets=len(members(document, "tickets")),
        events=events_behind(document),
    )


def bare_purchase_of(document: Document, refunds: Decimal = Decimal(0)) -> Purchase:
    """The same without rating, tickets and events, of a document with BARE only: a fraction of the work."""
    period = value(document, "period")
    return Purchase(
        id=document["id"],
        **value(document, "details"),
        at=credible(as_time(document["at"])),
        status=document["status"],
        billing_cycle=value(document, "billing_cycle"),
        refunded=refunds,
        period=period and _period(period),
    )


def _period(period: Mapping[str, Any]) -> Period:
    return Period(
        start=as_time(period["start_date"]),
        end=_time(period["end_date"]),
        auto_renewal=period["auto_renewal"],
        hours_used=period["hours_used"],
        sessions_completed=period["sessions_completed"],
        next_billing=_time(period["next_billing_date"]),
    )


def deployment_of(document: Document) -> Deployment:
    """The deployment in a document that holds one, with the daily loads that are kept with it."""
    details = value(document, "details")
    return Deployment(
        id=document["id"],
        **details,
        status=deployment.status(document)[0],
        created=as_time(deployment.created_at(document)),
        **(value(document, "resources") or _NO_RESOURCES),
        monthly_cost=value(document, "monthly_cost"),
        stays=tuple(Stay(stay.status, as_time(stay.start), _time(stay.end)) for stay in deployment.intervals(document)),
        loads=tuple(Load(**load) for load in document.get("loads", ())),
        events=events_behind(document),
    )


def events_behind(document: Document) -> tuple[str, ...]:
    """The ids of the events that a thing's fields and history come from, oldest first."""
    said = [field(document, name) for name in document["fields"]]
    all_said = [*(each for each in said if each), *members(document, "history"), *members(document, "tickets")]
    ordered = dict.fromkeys(each.event for each in sorted(all_said, key=lambda each: (each.at, each.event)))
    return tuple(rank.partition("\n")[0] for rank in ordered)


def month_document(month: MonthTotals) -> Document:
    """A month as it is stored in its user's document. (`asdict` copies each value; that is half of a reckoning.)"""
    return {
        "month": month.month,
        "spent": month.spent,
        "count": month.count,
        "by_type": _share_documents(month.by_type),
        "by_provider": _share_documents(month.by_provider),
        "provider_names": [[id, name] for id, name in month.provider_names.items()],  # an id may hold a dot  # noqa: A001
        "others": dict(month.others),
    }


def _share_documents(shares: Mapping[str, Share]) -> list[Document]:
    return [{"name": name, **{f: getattr(share, f) for f in _OF_SHARE}} for name, share in shares.items()]


def month_of_document(document: Document) -> MonthTotals:
    """What `month_document` stored."""
    return MonthTotals(
        document["month"],
        document["spent"],
        document["count"],
        shares_of(document["by_type"]),
        shares_of(document["by_provider"]),
        dict(document["provider_names"]),
        document["others"],
    )


def shares_of(stored: list[Document]) -> dict[str, Share]:
    """The shares in a month's document, by name."""
    return {each["name"]: Share(**{k: v for k, v in each.items() if k != "name"}) for each in stored}


def _time(at: int | None) -> Any:  # Any: a datetime or None, whichever it is made of
    return None if at is None else as_time(at)
