"""Months, or what went to one provider in a month, that are far out of the user's own pattern, and what drove them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
_FLOOR: Final = Decimal(1)
_FLOOR_SHARE: Final = Decimal("0.1")  # of the median month
_MOST_DRIVERS: Final = 3
_WORTH_NAMING: Final = Decimal("0.1")  # of the difference

Direction = Literal["above", "below"]
Part = Literal["provider", "type"]


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


@dataclass(frozen=True, slots=True)
class _Case:
    """A month, those `before` it that it is compared with, and its `purchases` in TFP."""

    month: MonthTotals
    before: Sequence[MonthTotals]
    purchases: Sequence[Purchase]
    running: bool

    @property
    def all(self) -> Sequence[MonthTotals]:
        return [*self.before, self.month]


def anomalies(
    history: Sequence[MonthTotals], purchases: Mapping[str, Sequence[Purchase]], running: MonthTotals | None = None
) -> list[Anomaly]:
    """What is out of the ordinary in the last twelve closed months and in the `running` one; the latest month first.

    `history` are the closed months without gaps, oldest first; `purchases` those of each month, for the drivers. A
    month is compared with up to twelve months before it, of which there must be four; so what was found in a month does
    not change when later ones come. The running month can only be above: it is not over.

    The measure is the modified z-score of Iglewicz and Hoaglin (1993), 0.6745 (x - median) / MAD, and its limit is
    their 3.5. The MAD (median absolute deviation from the median) is taken to be a tenth of the median month at least,
    and 1 TFP: what is steady is not out of the ordinary as soon as it moves a little. For a provider it is taken to be
    that of whole months at least: one that is new, or paid now and then, is out of the ordinary when it moves more than
    a month does. It is not reported where its month is, in the same direction: it is among the drivers there.
    """
    months = [*history, running] if running else list(history)
    found: list[Anomaly] = []
    for index in range(max(LEAST_MONTHS, len(history) - _EXAMINED), len(months)):
        month, before = months[index], months[max(0, index - _COMPARED) : index]
        own = [p for p in purchases.get(month.month, ()) if p.currency == OWN_CURRENCY]
        found += _of_month(_Case(month, before, own, running=index >= len(history)))
    return sorted(found, key=lambda anomaly: anomaly.month, reverse=True)


def _of_month(case: _Case) -> Iterator[Anomaly]:
    spent = [m.spent for m in case.all]
    floor = max(_FLOOR, _FLOOR_SHARE * median(spent[:-1]), _deviation(spent[:-1]))
    whole = _compare(case, spent, floor)
    if whole:
        drivers = [*_shifts(case, whole, "provider"), *_shifts(case, whole, "type"), *_largest(case.purchases, whole)]
        yield _anomaly(case, whole, None, drivers)
    for provider in _names(case, "provider"):
        part = _compare(case, [_spent(m.by_provider, provider) for m in case.all], floor)
        if part and not (whole and whole.direction == part.direction):
            theirs = [p for p in case.purchases if p.provider_id == provider]
            yield _anomaly(case, part, provider, _largest(theirs, part))


def _compare(case: _Case, spent: Sequence[Decimal], floor: Decimal) -> _Finding | None:
    """What is to be said of the last of `spent` (one for each month of the case), if it is far from the others."""
    *usual, now = spent
    middle = median(usual)
    score = _CONSISTENT * (now - middle) / max(_deviation(usual), floor)
    far = score > _LIMIT or (score < -_LIMIT and not case.running)
    return _Finding(now, middle, round(float(score), 2)) if far else None


def _deviation(values: Sequence[Decimal]) -> Decimal:
    """The median absolute deviation from the median."""
    middle = median(values)
    return median(abs(value - middle) for value in values)


def _anomaly(case: _Case, found: _Finding, provider: str | None, drivers: Iterable[Driver]) -> Anomaly:
    name = None if provider is None else _names(case, "provider")[provider]
    return Anomaly(
        id=f"{case.month.month}:{provider or ''}:{found.direction}",
        month=case.month.month,
        running=case.running,
        provider_id=provider,
        provider_name=name,
        direction=found.direction,
        spent=_money(found.spent),
        usual=_money(found.usual),
        difference=_money(found.difference),
        score=found.score,
        summary=_summary(case, found, name),
        drivers=list(drivers),
    )


def _summary(case: _Case, found: _Finding, name: str | None) -> str:
    where = f"{name}: " if name else ""
    when = f"in {case.month.month}{' so far' if case.running else ''}"
    far = f"{_money(abs(found.difference))} {OWN_CURRENCY} {'more' if found.direction == 'above' else 'less'}"
    return f"{where}{_money(found.spent)} {OWN_CURRENCY} {when}, {far} than usual."


def _shifts(case: _Case, found: _Finding, kind: Part) -> Iterator[Driver]:
    """The providers, or the product types, that make up the most of the difference."""
    names = _names(case, kind)
    moved = {part: _moved(case, kind, part) for part in names}
    same = {part: by for part, by in moved.items() if by / found.difference >= _WORTH_NAMING}
    for part in sorted(same, key=lambda part: -abs(same[part]))[:_MOST_DRIVERS]:
        theirs = [p for p in case.purchases if part == (p.provider_id if kind == "provider" else p.product_type)]
        events = [event for purchase in theirs if purchase.spent for event in purchase.events]
        yield Driver(kind=kind, id=part, name=names[part], amount=_money(same[part]), event_ids=events)


def _largest(purchases: Iterable[Purchase], found: _Finding) -> Iterator[Driver]:
    """The largest purchases, until they make up what was spent above the usual."""
    left = found.difference
    for purchase in sorted(purchases, key=lambda p: (-p.spent, p.id))[:_MOST_DRIVERS]:
        if left <= 0 or not purchase.spent:
            return
        left -= purchase.spent
        name, amount = purchase.product_name, _money(purchase.spent)
        yield Driver(kind="purchase", id=purchase.id, name=name, amount=amount, event_ids=list(purchase.events))


def _moved(case: _Case, kind: Part, part: str) -> Decimal:
    """How much more than usual went to it."""
    return _spent(_shares(case.month, kind), part) - median(_spent(_shares(m, kind), part) for m in case.before)


def _names(case: _Case, kind: Part) -> dict[str, str]:
    """All parts of these months in the order of their ids, each with its latest name."""
    parts = sorted({part for m in case.all for part in _shares(m, kind)})
    if kind == "type":
        return {part: part.replace("_", " ") for part in parts}
    names = {provider: name for m in case.all for provider, name in m.provider_names.items()}
    return {part: names.get(part, part) for part in parts}


def _shares(month: MonthTotals, kind: Part) -> Mapping[str, Share]:
    return month.by_provider if kind == "provider" else month.by_type


def _spent(shares: Mapping[str, Share], part: str) -> Decimal:
    return shares[part].spent if part in shares else Decimal(0)


def _money(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.01")))
