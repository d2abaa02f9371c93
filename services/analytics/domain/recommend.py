"""Products that a user may want next: the chance of each, worked out from what the user did and what all others did.

The chance that the next new product of a user u is j is estimated as that of a draw from u's attention (days on which u
looked at a product, and purchases), with a Dirichlet prior (Zhai and Lafferty, "A study of smoothing methods for
language models", 2004, section 3):

    p(j|u) = (n(u,j) + K q(j|u)) / (n(u) + K),    q(j|u) ~ fame(j) * provider(j|u) * category(j|u)

where fame is the number of buyers + 1, and `provider(j|u)` is how many times more of u's attention than of everybody's
goes to j's provider, smoothed in the same way; so also for its category. A user of whom nothing is known gets the
popular ones. Then come what is bought together with what u has (the strongest lift counts), that u has something that
does the same, u's ratings of the provider, and what u prefers; and the chances of all that may be recommended are made
to add up to 1.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.analytics.domain.model import Model
from services.analytics.domain.months import OWN_CURRENCY
from services.analytics.domain.things import Product, Taste

_OWN_PRIOR: Final = 100.0  # K: the prior weighs as much as that many days of looking
_GROUP_PRIOR: Final = 20.0  # the same for providers and categories, of which there are fewer
_HAS_THE_LIKE: Final = 0.6  # the factor on what does the same as something that was bought
_PREFERRED: Final = 1.5
_DEFAULT_CATEGORY: Final = 1.2
_BY_RATING: Final = 0.3  # 5 for a provider is a factor of up to 1.6, 1 one of down to 0.5
_MIDDLE_RATING: Final = 3.5
_POPULAR: Final = 5  # so many of each product type are called popular

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one user, by product id: all that was ever bought, the number of days on which a product was
    looked at, the mean of the ratings given (1 to 5); and what the user prefers."""

    bought: frozenset[str] = frozenset()
    looked_at: Mapping[str, int] = field(default_factory=dict)
    rated: Mapping[str, float] = field(default_factory=dict)
    taste: Taste = field(default_factory=Taste)


class Partner(NamedTuple):
    """What a product goes together with: the index of one that the user has, the lift, how many people have both."""

    has: int
    lift: float
    together: int


class Chances(NamedTuple):
    """By index on the shelf: the chance for the user and by popularity alone (0 where it may not be recommended), how
    many times more than others the user heeds its provider and category, and what it goes together with."""

    own: Floats
    plain: Floats
    provider: Floats
    category: Floats
    partners: Mapping[int, Partner]


class _Groups:
    """Products grouped by a name, and everybody's attention by group."""

    def __init__(self, names: Sequence[str], attention: Floats) -> None:
        self.names, self.of = np.unique(np.array(names, dtype=np.str_), return_inverse=True)
        number = max(1, len(self.names))
        self._share = (np.bincount(self.of, attention, number) + 1) / (attention.sum() + number)

    def preference(self, attention: Floats) -> Floats:
        """By product: how many times more of that attention than of everybody's its group has."""
        counts = np.bincount(self.of, attention, len(self._share))
        smoothed = (counts + _GROUP_PRIOR * self._share) / (attention.sum() + _GROUP_PRIOR)
        return np.asarray((smoothed / self._share)[self.of], dtype=np.float64)

    def sums(self, values: Floats) -> Floats:
        """By product: the sum over its group."""
        return np.asarray(np.bincount(self.of, values, len(self._share))[self.of], dtype=np.float64)

    def among(self, names: Iterable[str]) -> Flags:
        """By product: whether its group is one of these."""
        return np.asarray(np.isin(self.names, list(names))[self.of], dtype=np.bool_)


class Shelf:
    """The catalogue, retired products as well, in order of the ids, beside the model: made once for many users."""

    def __init__(self, catalogue: Iterable[Product], model: Model) -> None:
        self.products = products = sorted(catalogue, key=lambda product: product.id)
        self.model = model
        self.index = {product.id: at for at, product in enumerate(products)}
        self.buyers = np.array([model.buyers.get(p.id, 0) for p in products], dtype=np.float64)
        attention = np.array([model.attention.get(p.id, 0.0) for p in products], dtype=np.float64)
        self.providers = _Groups([p.provider_id for p in products], attention)
        self.categories = _Groups([p.category or p.product_type for p in products], attention)
        self._types = _Groups([p.product_type for p in products], attention)
        self.popular = self._popular()
        self._on_offer = np.array([not p.retired for p in products], dtype=np.bool_)
        self._prices = np.array([float(p.price) if p.currency == OWN_CURRENCY else np.nan for p in products])

    def chances(self, known: Known) -> Chances:
        """The chances for one user."""
        may = self._may(known)
        attention = self.by_index(known.looked_at) + self.by_index(dict.fromkeys(known.bought, 1.0))
        provider, category = self.providers.preference(attention), self.categories.preference(attention)
        fame = self.buyers + 1
        prior = _shares(fame * provider * category)
        own = (attention + _OWN_PRIOR * prior) / (attention.sum() + _OWN_PRIOR)
        partners = self._partners(known)
        for at, partner in partners.items():
            own[at] *= np.exp(partner.lift)
        own *= self._by_what_is_owned(known) * self._by_rating(known) * self._by_taste(known.taste)
        return Chances(_shares(own * may), _shares(fame * may), provider, category, partners)

    def by_index(self, values: Mapping[str, float]) -> Floats:
        """The values, given by product id, by index; products that are not in the catalogue are left out."""
        found = np.zeros(len(self.products))
        for product_id, value in values.items():
            if product_id in self.index:
                found[self.index[product_id]] = value
        return found

    def _may(self, known: Known) -> Flags:
        """What may be recommended at all. A price in another currency is in no range: it cannot be compared."""
        taste = known.taste
        is_new = np.asarray(self.by_index(dict.fromkeys(known.bought, 1.0)) == 0, dtype=np.bool_)
        may = self._on_offer & is_new & ~self.providers.among(taste.blocked)
        if taste.lowest is not None:
            may &= self._prices >= float(taste.lowest)
        if taste.highest is not None:
            may &= self._prices <= float(taste.highest)
        return may

    def _partners(self, known: Known) -> dict[int, Partner]:
        partners: dict[int, Partner] = {}
        for product_id in sorted(known.bought & self.index.keys()):
            for neighbour in self.model.neighbours.get(product_id, ()):
                at = self.index.get(neighbour.product)
                if at is not None and (at not in partners or partners[at].lift < neighbour.lift):
                    partners[at] = Partner(self.index[product_id], neighbour.lift, neighbour.together)
        return partners

    def _by_what_is_owned(self, known: Known) -> Floats:
        bought = self.by_index({id: 1.0 for id in known.bought if id in self.index and self._named(id)})  # noqa: A001
        return np.where(self.categories.sums(bought) > 0, _HAS_THE_LIKE, 1.0)

    def _named(self, product_id: str) -> bool:
        return self.products[self.index[product_id]].category is not None

    def _by_rating(self, known: Known) -> Floats:
        """Shrunk: one rating counts by half, two by two thirds, and so on."""
        ratings = self.by_index(known.rated)
        given = self.providers.sums((ratings > 0).astype(np.float64))
        above = self.providers.sums(ratings) - given * _MIDDLE_RATING
        return np.asarray(np.exp(_BY_RATING * above / (given + 1)), dtype=np.float64)

    def _by_taste(self, taste: Taste) -> Floats:
        wanted = [taste.category] if taste.category else []
        of_category = self.categories.among(wanted) | self._types.among(wanted)
        preferred = np.where(self.providers.among(taste.preferred), _PREFERRED, 1.0)
        return np.asarray(preferred * np.where(of_category, _DEFAULT_CATEGORY, 1.0), dtype=np.float64)

    def _popular(self) -> frozenset[int]:
        by_type: dict[str, list[int]] = {}
        for at in np.argsort(-self.buyers, kind="stable"):
            of_type = by_type.setdefault(self.products[at].product_type, [])
            if self.buyers[at] and not self.products[at].retired and len(of_type) < _POPULAR:
                of_type.append(int(at))
        return frozenset(at for of_type in by_type.values() for at in of_type)


def _shares(values: Floats) -> Floats:
    total = values.sum()
    return values / total if total else values
