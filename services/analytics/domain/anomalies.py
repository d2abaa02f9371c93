"""Months, or what went to one provider in a month, that are far out of the user's own pattern, and what drove them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Final, Literal

from services.analytics.domain.months import OWN_CURRENCY
from services.analytics.domain.things import MonthTotals, Purchase, Share
from shared.contracts.analytics_forecast import Anomaly, Driver

LEAST_MONTHS: Final = 4
_EXAMINED: Final = 12
_COMPARED: Final = 12
_LIMIT: Final = 3.5
_CONSISTENT: Final = Decimal("0.6745")  # the median absolute deviation of a normal variable, in standard deviations
_FLOOR_SHARE, _FLOOR: Final = Decimal("0.1"), Decimal(1)
_MOST_DRIVERS: Final = 3
_WORTH_NAMING: Final = Decimal("0.1")  # of the difference

Direction = Literal["above", "below"]


@dataclass(frozen=True, slots=True)
class _Finding:
    """How far `spent` is from what is `usual`; `score` is the modified z-score."""

    spent: Decimal
    usual: Decimal
    score: float

    @property
    def difference(self) -> Decimal:
        return self.spent - self.usual

    @property
    def direction(self) -> Direction:
        return "above" if self.difference > 0 else "below"


def anomalies(
    history: Sequence[MonthTotals], purchases: Mapping[str, Sequence[Purchase]], running: MonthTotals | None = None
) -> list[Anomaly]:
    """What is out of the ordinary in the last twelve closed months and in the `running` one; the latest month first.

    `history` are the closed months without gaps, oldest first; `purchases` those of each month (events for the drivers
    are taken from them). A month is compared with up to twelve months before it, of which there must be four; so what
    was found in a month does not change when later ones come. The running month can only be above: it is not over.

    The measure is the modified z-score of Iglewicz and Hoaglin (1993), 0.6745 (x - median) / MAD, and its limit is
    their 3.5. The MAD (median absolute deviation from the median) is taken to be a tenth of the median month at least,
    and 1 TFP: what is steady is not out of the ordinary as soon as it moves a little, and a provider that is new is only
    if it takes more than half of what a whole month usually does. A provider is not reported where its month is, in the
    same direction: it is among the drivers there.
    """
    months = [*history, running] if running else list(history)
    found: list[Anomaly] = []
    for index in range(max(LEAST_MONTHS, len(history) - _EXAMINED), len(months)):
        month, before = months[index], months[max(0, index - _COMPARED) : index]
        found += _of_month(month, before, purchases.get(month.month, ()), running=index >= len(history))
    return sorted(found, key=lambda anomaly: anomaly.month, reverse=True)


def _of_month(
    month: MonthTotals, before: Sequence[MonthTotals], purchases: Sequence[Purchase], *, running: bool
) -> Iterator[Anomaly]:
    floor = max(_FLOOR, _FLOOR_SHARE * median(m.spent for m in before))
    own = [p for p in purchases if p.currency == OWN_CURRENCY]
    whole = _compare(month.spent, [m.spent for m in before], floor, running=running)
    if whole:
        yield _anomaly(month, before, own, whole, None, running=running)
    for provider in sorted({provider for m in (month, *before) for provider in m.by_provider}):
        usual = [_spent(m.by_provider, provider) for m in before]
        part = _compare(_spent(month.by_provider, provider), usual, floor, running=running)
        if part and not (whole and whole.direction == part.direction):
            theirs = [p for p in own if p.provider_id == provider]
            yield _anomaly(month, before, theirs, part, provider, running=running)


def _compare(spent: Decimal, usual: Sequence[Decimal], floor: Decimal, *, running: bool) -> _Finding | None:
    middle = median(usual)
    deviation = max(median(abs(value - middle) for value in usual), floor)
    score = _CONSISTENT * (spent - middle) / deviation
    far = score > _LIMIT or (score < -_LIMIT and not running)
    return _Finding(spent, middle, round(float(score), 2)) if far else None


def _anomaly(
    month: MonthTotals,
    before: Sequence[MonthTotals],
    purchases: Sequence[Purchase],
    found: _Finding,
    provider: str | None,
    *,
    running: bool,
) -> Anomaly:
    name = None if provider is None else _name(provider, [*before, month])
    return Anomaly(
        id=f"{month.month}:{provider or ''}:{found.direction}",
        month=month.month,
        running=running,
        provider_id=provider,
        provider_name=name,
        direction=found.direction,
        spent=_money(found.spent),
        usual=_money(found.usual),
        difference=_money(found.difference),
        score=found.score,
        summary=_summary(month.month, found, name, running=running),
        drivers=[*([] if provider else _parts(month, before, purchases, found)), *_largest(purchases, found)],
    )


def _summary(month: str, found: _Finding, name: str | None, *, running: bool) -> str:
    where = f"{name}: " if name else ""
    far = f"{_money(abs(found.difference))} {OWN_CURRENCY} {'more' if found.direction == 'above' else 'less'}"
    return f"{where}{_money(found.spent)} {OWN_CURRENCY} in {month}{' so far' if running else ''}, {far} than usual."


def _parts(
    month: MonthTotals, before: Sequence[MonthTotals], purchases: Sequence[Purchase], found: _Finding
) -> Iterator[Driver]:
    """The providers and the product types that make up the most of the difference."""
    names = {provider: _name(provider, [*before, month]) for m in (month, *before) for provider in m.by_provider}
    yield from _shifts("provider", month, before, found, lambda m: m.by_provider, names, purchases)
    names = {kind: kind.replace("_", " ") for m in (month, *before) for kind in m.by_type}
    yield from _shifts("type", month, before, found, lambda m: m.by_type, names, purchases)


def _shifts(
    kind: Literal["provider", "type"],
    month: MonthTotals,
    before: Sequence[MonthTotals],
    found: _Finding,
    shares: Callable[[MonthTotals], Mapping[str, Share]],
    names: Mapping[str, str],
    purchases: Sequence[Purchase],
) -> Iterator[Driver]:
    moved = {
        name: _spent(shares(month), name) - median(_spent(shares(m), name) for m in before) for name in sorted(names)
    }
    same = {name: by for name, by in moved.items() if by / found.difference >= _WORTH_NAMING}
    for name in sorted(same, key=lambda name: -abs(same[name]))[:_MOST_DRIVERS]:
        theirs = (p for p in purchases if (p.provider_id if kind == "provider" else p.product_type) == name)
        yield Driver(kind=kind, id=name, name=names[name], amount=_money(same[name]), event_ids=_events(theirs))


def _largest(purchases: Iterable[Purchase], found: _Finding) -> Iterator[Driver]:
    """The largest purchases, until they make up what was spent above the usual."""
    left = found.difference
    for purchase in sorted(purchases, key=lambda p: (-p.spent, p.id))[:_MOST_DRIVERS]:
        if left <= 0 or not purchase.spent:
            return
        left -= purchase.spent
        amount = _money(purchase.spent)
        yield Driver(
            kind="purchase", id=purchase.id, name=purchase.product_name, amount=amount, event_ids=list(purchase.events)
        )


def _name(provider: str, months: Iterable[MonthTotals]) -> str:
    """The latest name of it."""
    return next((m.provider_names[provider] for m in reversed(list(months)) if provider in m.provider_names), provider)


def _events(purchases: Iterable[Purchase]) -> list[str]:
    return [event for purchase in purchases if purchase.spent for event in purchase.events]


def _spent(shares: Mapping[str, Share], name: str) -> Decimal:
    return shares[name].spent if name in shares else Decimal(0)


def _money(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.01")))
