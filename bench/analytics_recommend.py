"""How good the recommendations are on simulated users.

Simulated users live for a year. What each bought for the first time in the last 60 days is held out; the
model and what is known of a user come from before. A hit is a held-out product among the ten recommended; the popular
ones, less what the user has, are what it is compared with. The seeds were not looked at while the model was made.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np

from bench.table import Row
from mycelium.simulator import Scenario, history
from services.analytics.domain.advice import recommend
from services.analytics.domain.recommend import Known, Shelf
from services.analytics.domain.things import Product
from services.analytics.domain.training import BOUGHT, LOOKED_AT, RATED, Interactions, train
from shared.contracts.catalog import ProductListed, ProductRetired
from shared.contracts.marketplace import ProductViewed, PurchaseCreated, PurchaseRated

_SEEDS: Final = (11, 12)
_USERS, _DAYS, _HELD_OUT_DAYS = 120, 365, 60
_UNTIL: Final = datetime(2026, 3, 1, tzinfo=UTC)
_CUT: Final = _UNTIL - timedelta(days=_HELD_OUT_DAYS)
_SHOWN: Final = 10
_WANTED = 1.5


@dataclass
class Market:
    """What happened before the cut, by user and product, and what each user bought for the first time after it."""

    products: dict[str, Product] = field(default_factory=dict)
    bought: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    looked_at: dict[str, dict[str, set[date]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(set)))
    rated: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    held_out: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def known(self, user: str, *, looks: bool = True) -> Known:
        """What is known of one user."""
        days = {product: len(dates) for product, dates in self.looked_at[user].items()} if looks else {}
        return Known(frozenset(self.bought[user]), days, self.rated[user])

    def interactions(self, *, looks: bool = True) -> tuple[Interactions, list[str]]:
        """All that was done, and the ids of the products."""
        products, users = sorted(self.products), sorted(self.bought)
        of_product, of_user = ({name: at for at, name in enumerate(names)} for names in (products, users))
        rows = [
            (of_user[user], of_product[product], kind, weight)
            for user in users
            for product, kind, weight in self._rows(user, looks=looks)
        ]
        return _interactions(np.array(rows, dtype=np.float64)), products

    def _rows(self, user: str, *, looks: bool) -> Iterator[tuple[str, int, float]]:
        known = self.known(user, looks=looks)
        yield from ((product, BOUGHT, 1.0) for product in sorted(known.bought))
        yield from ((product, LOOKED_AT, float(days)) for product, days in known.looked_at.items())
        yield from ((product, RATED, rating) for product, rating in known.rated.items())


@dataclass(frozen=True)
class Hits:
    """Of so many `held_out` purchases of so many `users`, how many were among the ten: ours, and the popular ones."""

    ours: int = 0
    popular: int = 0
    held_out: int = 0
    users: int = 0

    def __add__(self, other: "Hits") -> "Hits":
        return Hits(
            self.ours + other.ours,
            self.popular + other.popular,
            self.held_out + other.held_out,
            self.users + other.users,
        )


def market(seed: int) -> Market:
    """A simulated year, up to the cut and after it."""
    found, product_of = Market(), {}
    for _, event in history(Scenario(seed=seed, users=_USERS, days=_DAYS, until=_UNTIL)):
        data, is_known = event.data, event.time < _CUT
        if isinstance(data, ProductListed) and is_known:
            found.products[data.product_id] = _product(data)
        elif isinstance(data, ProductRetired) and is_known:
            del found.products[data.product_id]
        elif isinstance(data, PurchaseCreated):
            product_of[data.purchase_id] = data.product_id
            (found.bought if is_known else found.held_out)[data.user_email].add(data.product_id)
        elif isinstance(data, ProductViewed) and is_known:
            found.looked_at[data.user_email][data.product_id].add(event.time.date())
        elif isinstance(data, PurchaseRated) and is_known:
            found.rated[data.user_email][product_of[data.purchase_id]] = data.rating
    _keep_what_is_on_offer(found)
    return found


def hits(found: Market, *, looks: bool) -> Hits:
    """Recommends to everybody who had bought something and bought something new afterwards."""
    interactions, products = found.interactions(looks=looks)
    shelf = Shelf(found.products.values(), train(interactions, products, _CUT))
    popular = [shelf.products[int(at)].id for at in np.argsort(-shelf.buyers, kind="stable")]
    total = Hits()
    for user in sorted(found.held_out):
        known, wanted = found.known(user, looks=looks), found.held_out[user]
        if known.bought and wanted:
            ours = {recommendation.product.id for recommendation in recommend(shelf, known, _SHOWN)}
            others = [product for product in popular if product not in known.bought][:_SHOWN]
            total += Hits(len(wanted & ours), len(wanted.intersection(others)), len(wanted), 1)
    return total


def rows() -> list[Row]:
    """The lines of the table."""
    markets = [market(seed) for seed in _SEEDS]
    return [
        _hit_row(f"Hit-rate at {_SHOWN}, recommendations against popularity", markets, looks=True),
        _hit_row("the same without what users looked at", markets, looks=False),
    ]


def _hit_row(what: str, markets: Iterable[Market], *, looks: bool) -> Row:
    total = sum((hits(each, looks=looks) for each in markets), Hits())
    ratio = total.ours / total.popular
    ours, popular = (f"{n} of {total.held_out} ({n / total.held_out:.0%})" for n in (total.ours, total.popular))
    line = Row(f"{what} ({total.users} users)", ours, popular, f"{ratio:.2f}")
    return replace(line, target=f"≥ {_WANTED}", met=ratio >= _WANTED, gate=True) if looks else line


def _interactions(rows: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Interactions:
    user, product, kind = (rows[:, column].astype(np.int64) for column in range(3))
    return Interactions(user, product, kind, rows[:, 3])


def _product(listed: ProductListed) -> Product:
    return Product(
        id=listed.product_id,
        name=listed.name,
        description=listed.description or "",
        product_type=listed.product_type,
        category=listed.category,
        provider_id=listed.provider_id,
        provider_name=listed.provider_name,
        price=listed.price,
        currency=listed.currency,
        billing_cycle=listed.billing_cycle,
        annual_price=listed.annual_price,
        tags=tuple(listed.tags),
        rating=listed.rating,
    )


def _keep_what_is_on_offer(found: Market) -> None:
    """What is not in the catalogue at the cut can be neither learnt nor recommended."""
    offered = found.products.keys()
    for user in {*found.bought, *found.looked_at, *found.held_out}:
        found.held_out[user] = (found.held_out[user] & offered) - found.bought[user]
        found.bought[user] &= offered
        found.looked_at[user] = {product: days for product, days in found.looked_at[user].items() if product in offered}
        found.rated[user] = {product: given for product, given in found.rated[user].items() if product in offered}
