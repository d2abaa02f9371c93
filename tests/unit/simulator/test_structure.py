"""There is something to find: tastes, complements, weeks, years. Without it, a forecast has nothing to go on."""

from collections import Counter, defaultdict
from datetime import UTC, datetime

import pytest

from mycelium.simulator import Scenario, history
from mycelium.simulator.catalogue import Catalogue
from mycelium.simulator.diary import Entry
from mycelium.simulator.persona import personas
from shared.contracts.catalog import ProductListed
from shared.contracts.identity import UserLoggedIn
from shared.contracts.marketplace import ProductViewed, PurchaseCreated
from tests.unit.simulator.picking import of

SCENARIO = Scenario(seed=2, users=30, days=360, until=datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def year() -> list[Entry]:
    used = (ProductListed, ProductViewed, PurchaseCreated, UserLoggedIn)
    return [entry for entry in history(SCENARIO) if isinstance(entry[1].data, used)]


@pytest.fixture(scope="module")
def first_purchases(year: list[Entry]) -> dict[str, list[str]]:
    bought: dict[str, list[str]] = defaultdict(list)
    for _, purchase in of(year, PurchaseCreated):
        if purchase.product_id not in bought[purchase.user_email]:
            bought[purchase.user_email].append(purchase.product_id)
    return bought


def test_the_catalogue_is_as_broad_as_the_contract_allows(year: list[Entry]) -> None:
    products = {product.product_id: product for _, product in of(year, ProductListed)}
    assert 100 <= len(products) <= 140
    assert len({product.product_type for product in products.values()}) == 5
    assert len({product.billing_cycle for product in products.values()}) == 4
    assert 12 <= len({product.provider_id for product in products.values()}) <= 15
    assert 0.3 < sum(product.annual_price is not None for product in products.values()) / len(products) < 0.6
    assert len(of(year, ProductListed)) > len(products), "some change their price"


def test_what_goes_together_is_bought_together(first_purchases: dict[str, list[str]]) -> None:
    complements = Catalogue(SCENARIO).complements
    followed = chance = 0.0
    for bought in first_purchases.values():
        for product_id in bought:
            partners = [partner.id for partner in complements[product_id]]
            followed += sum(partner in bought for partner in partners)
            chance += sum(partner in other for partner in partners for other in first_purchases.values()) / len(
                first_purchases
            )
    assert followed > 1.5 * chance


def test_users_look_at_favourite_providers_and_come_back_to_them_to_buy(year: list[Entry]) -> None:
    provider = {product.product_id: product.provider_id for _, product in of(year, ProductListed)}
    looked_at: dict[str, Counter[str]] = defaultdict(Counter)
    for _, view in of(year, ProductViewed):
        looked_at[view.user_email][provider[view.product_id]] += 1
    top_three = [
        sum(n for _, n in views.most_common(3)) / views.total() for views in looked_at.values() if views.total() > 200
    ]
    assert sum(top_three) / len(top_three) > 0.4


def test_business_users_keep_to_the_working_week(year: list[Entry]) -> None:
    business = {persona.email: persona.zone for persona in personas(SCENARIO) if persona.archetype.name == "business"}
    days = [
        time.astimezone(business[login.user_email]).weekday()
        for time, login in of(year, UserLoggedIn)
        if login.user_email in business
    ]
    assert sum(day < 5 for day in days) / 5 > 1.5 * sum(day >= 5 for day in days) / 2


def test_december_is_busier_than_summer(year: list[Entry]) -> None:
    months = Counter(time.month for time, _ in of(year, UserLoggedIn))
    assert months[12] > 1.15 * months[7]
