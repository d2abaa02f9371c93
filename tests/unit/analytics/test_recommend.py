"""What is recommended, to whom, and why."""

from datetime import UTC, datetime
from decimal import Decimal
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.domain.advice import recommend
from services.analytics.domain.model import Model, Neighbour
from services.analytics.domain.recommend import Known, Shelf
from services.analytics.domain.things import Product, Taste
from shared.contracts.analytics_recommend import ProductRecommendation
from tests.unit.analytics.products import product

MADE = datetime(2026, 3, 1, tzinfo=UTC)
CATALOGUE = [
    product("postgres", provider="acme"),
    product("backup", category="backup", provider="acme", price="5.00"),
    product("cache", category="cdn", product_type="network", provider="brook", price="30.00"),
    product("forge", category="developer-tools", product_type="application", provider="brook", rating=4.8),
    product("redis", provider="cove", price="12.00"),
    product("old", retired=True),
    product("euro", category="content", provider="cove", currency="EUR"),
]
MODEL = Model(
    MADE,
    buyers={"postgres": 40, "backup": 20, "cache": 30, "redis": 10, "euro": 12, "old": 80},
    attention={"postgres": 300.0, "backup": 100.0, "cache": 200.0, "forge": 50.0, "redis": 80.0, "euro": 40.0},
    neighbours={"postgres": (Neighbour("backup", log(2), 12), Neighbour("cache", 0.05, 9))},
)
SHELF = Shelf(CATALOGUE, MODEL)


def ids(found: list[ProductRecommendation]) -> list[str]:
    return [each.product.id for each in found]


def told(known: Known, product_id: str) -> ProductRecommendation:
    return next(each for each in recommend(SHELF, known, 10) if each.product.id == product_id)


def taste(**preferences: object) -> Known:
    return Known(taste=Taste(**preferences))  # type: ignore[arg-type]  # each test names its own


def test_somebody_new_is_told_what_is_popular_or_well_rated() -> None:
    found = recommend(SHELF, Known(), 10)
    assert ids(found) == ["postgres", "cache", "backup", "euro", "redis", "forge"]
    assert found[0].reasons == ["Popular among buyers of services: 40 of them have it"]
    assert found[-1].reasons == ["Rated 4.8 of 5 on the marketplace"]
    assert {each.confidence for each in found} == {0.0}


def test_what_goes_together_with_what_one_has_comes_with_the_number_of_others() -> None:
    found = told(Known(bought=frozenset({"postgres"})), "backup")
    assert found.reasons[0] == "Bought together with Postgres by 12 others"
    assert found.evidence[0].model_dump() == {
        "kind": "bought_together",
        "product_ids": ["postgres"],
        "count": 12,
        "params": {"product": "Postgres"},
    }
    assert found.score > told(Known(), "backup").score
    assert found.confidence > 0.3


def test_hardly_more_often_than_by_chance_is_no_reason() -> None:
    kinds = [evidence.kind for evidence in told(Known(bought=frozenset({"postgres"})), "cache").evidence]
    assert "bought_together" not in kinds


def test_what_one_looks_at_comes_up_with_its_provider_and_category() -> None:
    looks = Known(looked_at={"forge": 40})
    found = recommend(SHELF, looks, 10)
    assert ids(found)[0] == "forge"
    assert found[0].reasons == [
        "You looked at it on 40 days",
        "You looked at products of Brook 40 times, more than most do",
        "You looked at products in developer tools 40 times, more than most do",
    ]
    assert told(looks, "cache").score > told(Known(), "cache").score


def test_what_does_the_same_as_what_one_has_goes_down() -> None:
    assert told(Known(bought=frozenset({"postgres"})), "redis").score < told(Known(), "redis").score


@pytest.mark.parametrize(("rating", "is_reason"), [(4.5, True), (2.0, False)])
def test_ratings_move_the_provider(rating: float, is_reason: bool) -> None:
    rated = Known(bought=frozenset({"cache"}), rated={"cache": rating})
    found, plain = told(rated, "forge"), told(Known(bought=frozenset({"cache"})), "forge")
    assert (found.score > plain.score) is is_reason
    assert ("You rated Brook 4.5" in found.reasons) is is_reason


def test_preferred_providers_and_the_default_category_come_up() -> None:
    preferred = taste(preferred=frozenset({"cove"}))
    assert told(preferred, "redis").score > told(Known(), "redis").score
    assert "Cove is one of your preferred providers" in told(preferred, "redis").reasons
    by_category = told(taste(category="backup"), "backup")
    assert by_category.score > told(Known(), "backup").score
    assert "Backup is your default category" in by_category.reasons
    assert told(taste(category="network"), "cache").score > told(Known(), "cache").score


def test_prices_are_inclusive_and_those_in_another_currency_are_in_no_range() -> None:
    found = recommend(SHELF, taste(lowest=Decimal("5.00"), highest=Decimal("12.00")), 10)
    assert sorted(ids(found)) == ["backup", "forge", "postgres", "redis"]


def test_no_more_than_three_of_a_kind() -> None:
    many = [product(f"p{n}") for n in range(8)]
    shelf = Shelf([*many, product("other", category=None)], Model(MADE, {f"p{n}": 50 for n in range(8)} | {"other": 9}))
    assert len(recommend(shelf, Known(looked_at={f"p{n}": 2 for n in range(8)} | {"other": 2}), 10)) == 4


def test_what_there_is_no_reason_for_is_left_out() -> None:
    assert recommend(Shelf([product("p")], Model(MADE)), Known(), 10) == []
    assert recommend(Shelf([], Model(MADE)), Known(bought=frozenset({"gone"})), 10) == []


PROVIDERS = ["acme", "brook", "cove"]
CATALOGUES = st.lists(
    st.builds(
        lambda number, provider, price, category, retired: product(
            f"p{number}", provider=provider, price=f"{price}.00", category=category, retired=retired, rating=4.9
        ),
        st.integers(0, 30),
        st.sampled_from(PROVIDERS),
        st.integers(1, 50),
        st.sampled_from(["databases", "cdn", "backup", None]),
        st.booleans(),
    ),
    max_size=20,
    unique_by=lambda made: made.id,
)
IDS = st.integers(0, 35).map(lambda number: f"p{number}")
MODELS = st.builds(
    lambda buyers, attention, pairs: Model(
        MADE, buyers, attention, {one: (Neighbour(*n),) for one, n in pairs.items()}
    ),
    st.dictionaries(IDS, st.integers(5, 500)),
    st.dictionaries(IDS, st.floats(1, 1e4)),
    st.dictionaries(IDS, st.tuples(IDS, st.floats(0.01, 3), st.integers(5, 50))),
)
KNOWN = st.builds(
    Known,
    st.frozensets(IDS),
    st.dictionaries(IDS, st.integers(1, 300)),
    st.dictionaries(IDS, st.floats(1, 5)),
    st.builds(
        Taste,
        st.frozensets(st.sampled_from(PROVIDERS), max_size=1),
        st.frozensets(st.sampled_from(PROVIDERS), max_size=1),
        st.none() | st.integers(1, 20).map(Decimal),
        st.none() | st.integers(21, 50).map(Decimal),
        st.none() | st.sampled_from(["cdn", "service"]),
    ),
)


@given(CATALOGUES, MODELS, KNOWN, st.integers(1, 12))
def test_never_what_was_bought_or_is_retired_blocked_or_out_of_range(
    catalogue: list[Product], model: Model, known: Known, limit: int
) -> None:
    found = recommend(Shelf(catalogue, model), known, limit)
    offered = {made.id: made for made in catalogue}
    assert len(found) <= limit
    assert len(set(ids(found))) == len(found)
    for each in found:
        made, wanted = offered[each.product.id], known.taste
        assert made.id not in known.bought
        assert not made.retired
        assert made.provider_id not in wanted.blocked
        assert (wanted.lowest or 0) <= made.price <= (wanted.highest or 1_000)
        assert 1 <= len(each.reasons) == len(each.evidence) <= 3


@given(CATALOGUES, MODELS, KNOWN)
def test_chances_add_up_and_the_best_come_first(catalogue: list[Product], model: Model, known: Known) -> None:
    shelf = Shelf(catalogue, model)
    chances = shelf.chances(known)
    assert chances.own.sum() == pytest.approx(1.0) or not chances.own.any()
    assert chances.own.any() == chances.plain.any()
    found = recommend(shelf, known, 50)
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert found == recommend(Shelf(reversed(catalogue), model), known, 50), "the order of the catalogue is nothing"
