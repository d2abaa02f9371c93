"""From chances to advice: the products to recommend to a user, each with its reasons and what they rest on."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from services.analytics.domain.offers import TYPE_NAMES, shown
from services.analytics.domain.recommend import Chances, Floats, Known, Shelf
from services.analytics.domain.things import Product
from shared.contracts.analytics_recommend import Evidence, EvidenceKind, ProductRecommendation

_MOST_REASONS: Final = 3
_MOST_OF_A_CATEGORY: Final = 3  # ten of the same kind would not be ten suggestions
_LOOKED_THROUGH: Final = 200
_MOST_EVIDENCE: Final = 5
_OFTEN, _MORE_THAN_OTHERS = 3, 1.5
_LIKED, _WELL_RATED = 4.0, 4.5
_TELLING_LIFT: Final = 0.2  # bought together a fifth more often than by chance

Reason = tuple[str, Evidence]


def recommend(shelf: Shelf, known: Known, limit: int) -> list[ProductRecommendation]:
    """At most `limit` products that the user never bought, the best first. What there is no reason for is left out."""
    chances = shelf.chances(known)
    reasons = _Reasons(shelf, known, chances)
    found: list[ProductRecommendation] = []
    of_category: dict[str | None, int] = {None: -len(shelf.products)}
    for at in _best(chances.own):
        product = shelf.products[at]
        given = reasons.of(at) if of_category.get(product.category, 0) < _MOST_OF_A_CATEGORY else []
        if given:
            of_category[product.category] = of_category.get(product.category, 0) + 1
            found.append(_recommendation(product, chances, at, given))
        if len(found) == limit:
            break
    return found


def _best(chances: Floats) -> list[int]:
    """The indices of the best chances above 0, the best first, equal ones in order of the ids."""
    return [int(at) for at in np.argsort(-chances, kind="stable")[:_LOOKED_THROUGH] if chances[at] > 0]


def _recommendation(product: Product, chances: Chances, at: int, reasons: list[Reason]) -> ProductRecommendation:
    own, plain = float(chances.own[at]), float(chances.plain[at])
    return ProductRecommendation(
        product=shown(product),
        score=round(own, 4),
        confidence=round(max(0.0, 1 - plain / own), 2),
        reasons=[text for text, _ in reasons],
        evidence=[evidence for _, evidence in reasons],
    )


class _Reasons:
    """Why one user may want a product. Each kind of reason gives its sentence, or nothing where it does not hold."""

    def __init__(self, shelf: Shelf, known: Known, chances: Chances) -> None:
        self._shelf, self._known, self._chances = shelf, known, chances
        self._days = shelf.by_index(known.looked_at)
        self._ratings = shelf.by_index(known.rated)
        self._seen, self._rated = _nonzero(self._days), _nonzero(self._ratings)
        self._kinds: tuple[Callable[[int, Product], Reason | None], ...] = (
            *(self._bought_together, self._looked_at, self._rated_provider, self._provider, self._category),
            *(self._preferred_provider, self._default_category, self._popular, self._well_rated),
        )

    def of(self, at: int) -> list[Reason]:
        """The strongest reasons for the product with that index."""
        return list(self._all(at))[:_MOST_REASONS]

    def _all(self, at: int) -> Iterator[Reason]:
        for kind in self._kinds:
            if reason := kind(at, self._shelf.products[at]):
                yield reason

    def _bought_together(self, at: int, _product: Product) -> Reason | None:
        partner = self._chances.partners.get(at)
        if partner is None or partner.lift < _TELLING_LIFT:
            return None
        has = self._shelf.products[partner.has]
        text = f"Bought together with {has.name} by {partner.together} others"
        return _reason(text, "bought_together", [has.id], partner.together, product=has.name)

    def _looked_at(self, at: int, product: Product) -> Reason | None:
        days = int(self._days[at])
        return _reason(f"You looked at it on {days} days", "looked_at", [product.id], days) if days > 1 else None

    def _rated_provider(self, _at: int, product: Product) -> Reason | None:
        which = self._of_provider(product, self._rated)
        mean = float(self._ratings[which].mean()) if which else 0.0
        if mean < _LIKED:
            return None
        rating = f"{mean:.2g}"
        text = f"You rated {product.provider_name} {rating}"
        return _reason(text, "rated_provider", self._ids(which), None, provider=product.provider_name, rating=rating)

    def _provider(self, at: int, product: Product) -> Reason | None:
        which = self._of_provider(product, self._seen)
        times = int(sum(self._days[i] for i in which))
        if times < _OFTEN or self._chances.provider[at] < _MORE_THAN_OTHERS:
            return None
        text = f"You looked at products of {product.provider_name} {times} times, more than most do"
        return _reason(text, "provider", self._ids(which), times, provider=product.provider_name)

    def _category(self, at: int, product: Product) -> Reason | None:
        which = [i for i in self._seen if self._shelf.products[i].category == product.category]
        times = int(sum(self._days[i] for i in which))
        if product.category is None or times < _OFTEN or self._chances.category[at] < _MORE_THAN_OTHERS:
            return None
        text = f"You looked at products in {_plain(product.category)} {times} times, more than most do"
        return _reason(text, "category", self._ids(which), times, category=product.category)

    def _preferred_provider(self, _at: int, product: Product) -> Reason | None:
        if product.provider_id not in self._known.taste.preferred:
            return None
        name = product.provider_name
        return _reason(f"{name} is one of your preferred providers", "preferred_provider", [], None, provider=name)

    def _default_category(self, _at: int, product: Product) -> Reason | None:
        wanted = self._known.taste.category
        if not wanted or wanted not in (product.category, product.product_type):
            return None
        text = f"{_plain(wanted).capitalize()} is your default category"
        return _reason(text, "default_category", [], None, category=wanted)

    def _popular(self, at: int, product: Product) -> Reason | None:
        if at not in self._shelf.popular:
            return None
        others = int(self._shelf.buyers[at])
        text = f"Popular among buyers of {TYPE_NAMES[product.product_type]}: {others} of them have it"
        return _reason(text, "popular", [product.id], others, product_type=product.product_type)

    def _well_rated(self, _at: int, product: Product) -> Reason | None:
        if product.rating is None or product.rating < _WELL_RATED:
            return None
        rating = f"{product.rating:g}"
        return _reason(f"Rated {rating} of 5 on the marketplace", "well_rated", [product.id], None, rating=rating)

    def _of_provider(self, product: Product, among: list[int]) -> list[int]:
        return [i for i in among if self._shelf.products[i].provider_id == product.provider_id]

    def _ids(self, which: list[int]) -> list[str]:
        """The ids of those that were looked at most, of the others in order."""
        return [self._shelf.products[i].id for i in sorted(which, key=lambda i: -self._days[i])[:_MOST_EVIDENCE]]


def _reason(text: str, kind: EvidenceKind, product_ids: list[str], count: int | None, **params: str) -> Reason:
    return text, Evidence(kind=kind, product_ids=product_ids, count=count, params=params)


def _nonzero(values: Floats) -> list[int]:
    return [int(at) for at in np.flatnonzero(values)]


def _plain(name: str) -> str:
    return name.replace("-", " ").replace("_", " ")
