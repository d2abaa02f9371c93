"""A visit to the marketplace: looking round, comparing, perhaps buying, and what else people do while there."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypedDict

from mycelium.simulator.catalogue import CURRENCY, Product
from mycelium.simulator.diary import Process
from mycelium.simulator.moments import MINUTE, SECOND
from mycelium.simulator.shopper import Shopper
from shared.contracts.identity import UserLoggedIn, UserLoggedOut
from shared.contracts.marketplace import CartItemAdded, CartItemRemoved, MarketplaceBrowsed, ProductViewed

_BUYS, _BUYS_COMPLEMENT, _BUYS_LIVE = 0.30, 0.90, 0.05
_ONLY_TRIES_CART, _THINKS_BETTER_OF_IT = 0.12, 0.12
_WISHES_MORE = 0.5
_LOGS_OUT = 0.85


class _CartItem(TypedDict):
    product_id: str
    product_name: str
    quantity: int
    price: Decimal
    currency: str
    session_id: str


class Session:
    """One session of one user. `pace` says how long they wait before the next step, in milliseconds."""

    _JOBS: Sequence[int] = (4, 8, 12, 24, 24, 48, 72, 120)  # hours

    def __init__(self, shopper: Shopper, pace: Callable[[], int]) -> None:
        self._shopper, self._pace = shopper, pace
        self._rng = shopper.rng
        self._email = shopper.persona.email
        self._write = shopper.diary.write
        self._id = shopper.diary.fresh_id("ses")
        self._user_agent = self._rng.choice(shopper.persona.user_agents)

    def run(self) -> Process:
        """From login to logout; some just leave."""
        country = self._shopper.persona.place.country
        where = {"session_id": self._id, "user_agent": self._user_agent, "ip_country": country}
        self._write(UserLoggedIn(user_email=self._email, **where))
        yield self._pace()
        yield from self._errands()
        for _ in range(self._rng.choices((1, 2, 3), (5, 3, 1))[0]):
            yield from self._look_round()
        if self._rng.random() < _LOGS_OUT:
            self._write(UserLoggedOut(user_email=self._email, **where))

    def _errands(self) -> Process:
        shopper, chance = self._shopper, self._rng.random
        errands = (
            (shopper.orders.rate, bool(shopper.orders.to_rate) and chance() < 0.5),
            (shopper.orders.report, bool(shopper.orders.to_report) and chance() < 0.6),
            (shopper.wallet.errand, chance() < 0.05),
            (shopper.pools.invest, shopper.persona.invests and chance() < 0.08),
        )
        for errand, is_due in errands:
            if is_due:
                errand()
                yield self._pace()

    def _look_round(self) -> Process:
        wish = self._wish()
        product = wish or self._idea()
        self._browse(product)
        yield self._pace()
        yield from self._compare(product)
        chance = self._chance_to_buy(product, is_wish=wish is not None)
        if self._rng.random() < chance:
            yield from self._buy(product)
        elif self._rng.random() < _ONLY_TRIES_CART:
            yield from self._try_cart(product)

    def _wish(self) -> Product | None:
        if self._shopper.wishes and self._rng.random() < 0.6:
            return self._shopper.wishes.pop(0)
        return None

    def _idea(self) -> Product:
        return self._shopper.taste.pick(self._shopper.diary.now)

    def _browse(self, product: Product) -> None:
        category, offers = product.category, self._shopper.catalogue.of_category[product.category.name]
        searches = self._rng.random() < 0.55
        self._write(
            MarketplaceBrowsed(
                user_email=self._email,
                query=self._rng.choice(category.nouns).lower() if searches else None,
                category=None if searches else category.name,
                results=sum(offer.on_offer(self._shopper.diary.now) for offer in offers),
                session_id=self._id,
            )
        )

    def _compare(self, product: Product) -> Process:
        now, taste = self._shopper.diary.now, self._shopper.taste
        offers = self._shopper.catalogue.of_category[product.category.name]
        others = [taste.pick(now, offers) for _ in range(self._rng.choices((0, 1, 2, 3), (3, 4, 3, 2))[0])]
        for other in dict.fromkeys(others):
            if other is not product:
                self._view(other)
                yield self._pace()
        self._view(product)
        yield self._pace()

    def _view(self, product: Product) -> None:
        self._write(
            ProductViewed(
                user_email=self._email,
                product_id=product.id,
                product_name=product.name,
                product_type=product.category.product_type,
                session_id=self._id,
            )
        )

    def _chance_to_buy(self, product: Product, *, is_wish: bool) -> float:
        shopper = self._shopper
        if shopper.orders.owns(product) or not product.on_offer(shopper.diary.now):
            return 0.0
        keen = _BUYS_COMPLEMENT if is_wish else _BUYS
        again = 0.2 if shopper.orders.owns_like(product) else 1.0
        return keen * shopper.persona.eagerness * shopper.season * shopper.room * again

    def _try_cart(self, product: Product) -> Process:
        self._into_cart(product)
        yield self._pace()
        if self._rng.random() < 0.6:
            self._out_of_cart(product)
            yield self._pace()

    def _buy(self, product: Product) -> Process:
        self._into_cart(product)
        yield self._pace()
        if self._rng.random() < _THINKS_BETTER_OF_IT:
            self._out_of_cart(product)
            yield self._pace()
            return
        yield from self._order(product)
        self._shopper.wishes += [
            complement
            for complement in self._shopper.catalogue.complements[product.id]
            if self._rng.random() < _WISHES_MORE
        ]

    def _order(self, product: Product) -> Process:
        shopper = self._shopper
        cycle = shopper.taste.billing(product, shopper.persona.budget)
        price = product.price_at(shopper.diary.now, cycle)
        hours = self._hours(price) if cycle == "hourly" else 1
        if price * hours > shopper.wallet.balance:
            shopper.wallet.cover(price * hours)
            yield self._pace()
        shopper.orders.place(product, cycle, hours)
        yield self._pace()

    def _hours(self, price: Decimal) -> int:
        """For how many hours: for a job of some hours or of some days, as far as that can be paid."""
        wanted = self._rng.choice(self._JOBS)
        return max(2, min(wanted, int(0.3 * self._shopper.persona.budget / float(price))))

    def _into_cart(self, product: Product) -> None:
        self._write(CartItemAdded(user_email=self._email, **self._cart_item(product)))

    def _out_of_cart(self, product: Product) -> None:
        self._write(CartItemRemoved(user_email=self._email, **self._cart_item(product)))

    def _cart_item(self, product: Product) -> _CartItem:
        return {
            "product_id": product.id,
            "product_name": product.name,
            "quantity": 1,
            "price": product.price_at(self._shopper.diary.now, product.category.cycle),
            "currency": CURRENCY,
            "session_id": self._id,
        }


class LiveSession(Session):
    """A session for a demonstration: small purchases by the hour only, and a look at what is running."""

    _JOBS = (2, 3, 4)

    def __init__(self, shopper: Shopper, pace: Callable[[], int]) -> None:
        super().__init__(shopper, pace)
        self._buys = self._rng.random() < _BUYS_LIVE

    def _errands(self) -> Process:
        live = self._shopper.deployments.live
        if live and self._rng.random() < 0.5:
            self._shopper.deployments.check(self._rng.choice(live))
            yield self._pace()

    def _wish(self) -> Product | None:
        return None

    def _idea(self) -> Product:
        taste, now = self._shopper.taste, self._shopper.diary.now
        return taste.pick_by_the_hour(now) if self._buys else taste.pick(now)

    def _chance_to_buy(self, product: Product, *, is_wish: bool) -> float:
        return float(self._buys and product.on_offer(self._shopper.diary.now) and not is_wish)


def thinking(shopper: Shopper) -> int:
    """How long people look at a page: half a minute, often less, sometimes some minutes; in milliseconds."""
    return min(8 * MINUTE, int(shopper.rng.lognormvariate(3.5, 0.8) * SECOND))
