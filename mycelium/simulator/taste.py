"""What a user is drawn to: the structure that recommendations can find again, and the chance that they cannot."""

import random
from itertools import accumulate
from math import exp

from mycelium.simulator.catalogue import Catalogue, Product
from mycelium.simulator.moments import DAY, YEAR, swing
from mycelium.simulator.persona import Persona
from shared.contracts.types import BillingCycle

_HOLDS_FOR = 7 * DAY  # tastes drift slowly: they are worked out once a week
_TYPICAL_HOURS = 30
_PEAK_OF_THE_YEAR, _SWING_OF_THE_YEAR = 345, 0.18  # most is done before the end of the year, least in summer


def climate(now: int) -> float:
    """The factor of the season on everything that everybody does."""
    return swing(now, _PEAK_OF_THE_YEAR, _SWING_OF_THE_YEAR)


class Taste:
    """One user's weight for each product: by type (drifting over a year), provider, category, season, price, fame."""

    def __init__(self, persona: Persona, catalogue: Catalogue, rng: random.Random) -> None:
        self._persona, self._catalogue, self._rng = persona, catalogue, rng
        self._weights: dict[str, float] = {}
        self._running_totals: list[float] = []
        self._stale = 0  # the time from which the weights are worked out anew

    def pick(self, now: int, among: list[Product] | None = None) -> Product:
        """A product by taste, of those `among` (default: all on offer)."""
        if now >= self._stale:
            self._work_out(now)
        if among is None:
            return self._rng.choices(self._catalogue.products, cum_weights=self._running_totals)[0]
        return self._rng.choices(among, [self._weights[p.id] for p in among])[0]

    def pick_by_the_hour(self, now: int) -> Product:
        """A product by taste that is paid by the hour."""
        return self.pick(now, [p for p in self._catalogue.products if p.category.cycle == "hourly"])

    def billing(self, product: Product, budget: float) -> BillingCycle:
        """How the user would pay for it with that monthly budget."""
        annual = product.annual_price
        if annual and float(annual) < 2.5 * budget and self._rng.random() < self._persona.pays_annually:
            return "annual"
        return product.category.cycle

    def _work_out(self, now: int) -> None:
        self._weights = {p.id: self._weight(p, now) for p in self._catalogue.products}
        self._running_totals = list(accumulate(self._weights.values()))
        self._stale = now + _HOLDS_FOR

    def _weight(self, product: Product, now: int) -> float:
        if not product.on_offer(now):
            return 1e-9  # seen in old links now and then, never sought
        category, likes = product.category, self._persona.likes
        before, after = self._persona.archetype.types
        drift = min(1.0, (now - self._persona.joins) / YEAR)
        of_type = before[category.product_type] * (1 - drift) + after[category.product_type] * drift
        season = swing(now, (category.peak_month - 0.5) * 30.4, category.swing)
        liking = likes[product.provider.id] * likes[category.name] * (product.rating / 4) ** 2
        return of_type * season * liking * product.popularity * self._affordable(product)

    def _affordable(self, product: Product) -> float:
        price = float(product.price) * (_TYPICAL_HOURS if product.category.cycle == "hourly" else 1)
        return exp(-price / (0.45 * self._persona.budget))
