"""The products on offer: made once from the seed, with what changes among them while the history goes on."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from mycelium.simulator.diary import Diary, Process
from mycelium.simulator.moments import DAY, MINUTE, SECOND, to_ms, to_time
from mycelium.simulator.scenario import Scenario
from mycelium.simulator.tables import CATEGORIES, PROVIDERS, Category, Provider
from shared.contracts.catalog import ProductListed, ProductRetired
from shared.contracts.envelope import Payload
from shared.contracts.types import BillingCycle

CURRENCY = "TFP"
_OFFERS_PER_CATEGORY = 6
_LATE, _RETIRED, _REPRICED, _WITH_ANNUAL_PRICE = 0.08, 0.08, 0.25, 0.6


@dataclass(frozen=True, eq=False)
class Product:
    """A product. `price` is for one cycle; `repriced` says from when it has another price; times in milliseconds."""

    id: str
    name: str
    category: Category
    provider: Provider
    price: Decimal
    annual_price: Decimal | None
    rating: float
    popularity: float
    listed: int
    first_listed: int
    retired: int | None
    repriced: tuple[int, Decimal] | None

    def on_offer(self, now: int) -> bool:
        """Whether it can be bought at `now`."""
        return self.listed <= now and (self.retired is None or now < self.retired)

    def price_at(self, now: int, cycle: BillingCycle) -> Decimal:
        """What one `cycle` costs at `now`; `annual` of a monthly product is its annual price."""
        if cycle == "annual" and self.annual_price is not None:
            return self.annual_price
        return self.repriced[1] if self.repriced and now >= self.repriced[0] else self.price

    def listing(self, price: Decimal) -> ProductListed:
        """The event that offers it at `price`."""
        return ProductListed(
            product_id=self.id,
            name=self.name,
            description=f"{self.category.nouns[0]} and the like, run by {self.provider.name}.",
            product_type=self.category.product_type,
            category=self.category.name,
            provider_id=self.provider.id,
            provider_name=self.provider.name,
            price=price,
            currency=CURRENCY,
            billing_cycle=self.category.cycle,
            annual_price=self.annual_price,
            tags=[self.category.name, self.category.product_type, self.category.cycle],
            rating=self.rating,
            listed_at=to_time(self.first_listed),
        )


class Catalogue:
    """All products of a scenario, also those that come later or have been retired."""

    def __init__(self, scenario: Scenario) -> None:
        self._rng = scenario.stream("catalogue")
        self._start, self._span = to_ms(scenario.start) + SECOND, scenario.days * DAY
        self.products: Sequence[Product] = [
            self._product(category, provider, noun)
            for category in CATEGORIES
            for provider, noun in _offers(category, self._rng)
        ]
        self.of_category: dict[str, list[Product]] = defaultdict(list)
        for product in self.products:
            self.of_category[product.category.name].append(product)
        self.complements = {product.id: self._complements_of(product) for product in self.products}
        self.diary = Diary(scenario.namespace("catalogue"), self._start)
        self.diary.start(self._changes())

    def _product(self, category: Category, provider: Provider, noun: str) -> Product:
        rng = self._rng
        price = _price(rng.uniform(category.low, category.high) * provider.price_level, category.cycle)
        listed = self._moment(0.1, 0.9) if rng.random() < _LATE else self._start
        retired = self._moment(0.3, 0.95) if listed == self._start and rng.random() < _RETIRED else None
        repriced = None
        if listed == self._start and retired is None and rng.random() < _REPRICED:
            repriced = (self._moment(0.2, 0.9), _price(float(price) * rng.choice((0.9, 1.08, 1.15)), category.cycle))
        return Product(
            id=f"{provider.id}-{noun.lower().replace(' ', '-')}",
            name=f"{provider.name} {noun}",
            category=category,
            provider=provider,
            price=price,
            annual_price=self._annual_price(category, price),
            rating=round(min(5.0, max(1.0, rng.gauss(provider.quality, 0.2))), 1),
            popularity=min(4.0, rng.paretovariate(2.0)),
            listed=listed,
            first_listed=listed if listed > self._start else listed - int(rng.uniform(20, 700)) * DAY,
            retired=retired,
            repriced=repriced,
        )

    def _complements_of(self, product: Product) -> list[Product]:
        """One product of each category that goes with it, of the same provider where there is one."""
        offers = [self.of_category[name] for name in product.category.complements]
        same = [[p for p in among if p.provider is product.provider] for among in offers]
        return [self._rng.choice(own or among) for own, among in zip(same, offers, strict=True)]

    def _moment(self, low: float, high: float) -> int:
        return self._start + MINUTE * int(self._span * self._rng.uniform(low, high) / MINUTE)

    def _annual_price(self, category: Category, price: Decimal) -> Decimal | None:
        if category.cycle != "monthly" or self._rng.random() > _WITH_ANNUAL_PRICE:
            return None
        return _price(float(price) * 12 * self._rng.choice((0.8, 0.85, 0.9)), "annual")

    def _changes(self) -> Process:
        changes: list[tuple[int, str, Payload]] = []
        for product in self.products:
            changes.append((product.listed, product.id, product.listing(product.price)))
            if product.repriced:
                when, price = product.repriced
                changes.append((when, product.id, product.listing(price)))
            if product.retired:
                changes.append((product.retired, product.id, ProductRetired(product_id=product.id)))
        for when, _, payload in sorted(changes, key=lambda change: change[:2]):
            if when > self.diary.now:
                yield when - self.diary.now
            self.diary.write(payload)


def _offers(category: Category, rng: random.Random) -> list[tuple[Provider, str]]:
    specialists = [p for p in PROVIDERS if category.product_type in p.types]
    pairs = [(provider, noun) for provider in specialists for noun in category.nouns]
    return rng.sample(pairs, min(_OFFERS_PER_CATEGORY, len(pairs)))


def _price(value: float, cycle: BillingCycle) -> Decimal:
    """To the cent by the hour, to half a unit else: prices as people set them."""
    if cycle == "hourly":
        return Decimal(max(2, round(value * 100))).scaleb(-2)
    return (Decimal(max(2, round(value * 2))) / 2).quantize(Decimal("0.01"))
