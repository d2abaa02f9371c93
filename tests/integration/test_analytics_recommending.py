"""What is recommended: never what must not be, more of what a user likes, and only for reasons that hold."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from random import shuffle

import pytest
import pytest_asyncio

from mycelium.simulator import Scenario, history
from services.analytics.domain.model import FEWEST
from shared.contracts.catalog import ProductListed, ProductRetired
from shared.contracts.marketplace import ProductViewed, PurchaseCreated, PurchaseRated, PurchaseStatusChanged
from shared.contracts.profile import PreferencesUpdated
from shared.contracts.reading import AnyEvent
from shared.contracts.times import microseconds
from shared.plumbing.mongo import Database
from tests.integration.market import (
    Market,
    all_of,
    bought,
    event,
    listed,
    looked_at,
    market_on,
    preferred,
    retired,
    users,
)

_USED = (ProductListed, ProductRetired, ProductViewed, PurchaseCreated, PurchaseRated, PurchaseStatusChanged)


@pytest_asyncio.fixture(loop_scope="session")
async def market(database: Database) -> Market:
    return await market_on(database)


def _simulated(number: int) -> list[AnyEvent]:
    until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    told = history(Scenario(seed=21, users=number, days=120, until=until))
    return [event for _, event in told if isinstance(event.data, _USED)]


async def test_simulated_users_are_recommended_what_is_new_to_them_on_offer_and_to_their_taste(market: Market) -> None:
    events = _simulated(40)
    offers = {e.data.product_id: e.data for e in events if isinstance(e.data, ProductListed)}
    gone = {e.data.product_id for e in events if isinstance(e.data, ProductRetired)}
    have: dict[str, set[str]] = defaultdict(set)
    for said in events:
        if isinstance(said.data, PurchaseCreated):
            have[said.data.user_email].add(said.data.product_id)
    providers = sorted({offer.provider_id for offer in offers.values()})
    blocked = {user: providers[number % len(providers)] for number, user in enumerate(sorted(have))}
    chosen = [
        preferred(user, blocked_providers=[provider], price_range_filter=["5", "60"])
        for user, provider in blocked.items()
    ]
    await market.tell([*events, *chosen])
    await market.learn()
    kinds = set()
    for user, provider in blocked.items():
        found = await market.recommended(user, 10)
        assert found.model_from
        assert len(found.items) == 10
        ids = {item.product.id for item in found.items}
        assert ids.isdisjoint(have[user] | gone)
        assert provider not in {item.product.provider_id for item in found.items}
        assert all(Decimal(5) <= Decimal(item.product.price) <= 60 for item in found.items)
        assert all(item.reasons and len(item.reasons) == len(item.evidence) for item in found.items)
        assert [item.score for item in found.items] == sorted((i.score for i in found.items), reverse=True)
        kinds |= {evidence.kind for item in found.items for evidence in item.evidence}
    assert {"looked_at", "popular"} < kinds


async def test_before_anything_was_learnt_there_is_what_the_marketplace_says(market: Market) -> None:
    await market.tell([listed("good", rating=4.9), listed("other")])
    await market.shelf.refresh()
    await market.recommending.refresh()
    (user,) = users(1)
    found = await market.recommended(user)
    assert [item.product.id for item in found.items] == ["good"]
    assert found.model_from is None
    assert found.items[0].evidence[0].kind == "well_rated"


async def test_the_batches_in_which_a_catalogue_comes_make_no_difference(market: Market, database: Database) -> None:
    told = [listed("good"), retired("good"), listed("better"), retired("better"), listed("better")]
    found = []
    for batches in ([told], [[each] for each in told], [told[::-1]]):
        await database["products"].delete_many({})
        for batch in batches:
            await market.tell(batch)
        found.append([document async for document in database["products"].find({}, {"stored": 0}).sort("_id", 1)])
    assert found[0] == found[1] == found[2]
    assert all({"listing", "retirement"} <= document.keys() for document in found[0])


async def test_what_was_ever_bought_is_not_recommended_whatever_became_of_it(market: Market) -> None:
    (user,) = users(1)
    (made,) = bought(user, "good")
    assert isinstance(made.data, PurchaseCreated)
    over = PurchaseStatusChanged(user_email=user, purchase_id=made.data.purchase_id, status="cancelled")
    await market.tell([listed("good", rating=4.9), listed("better", rating=5.0), made])
    await market.learn()
    assert await market.ids(user) == ["better"]
    await market.tell([event(over)])
    assert await market.ids(user) == ["better"]
    await market.tell([retired("better")])
    await market.learn()
    assert await market.ids(user) == []


async def test_what_is_bought_together_is_a_reason_as_long_as_five_people_take_part(market: Market) -> None:
    """Of five buyers one withdraws: at the next refresh nothing is known of what the five did."""
    buyers, others, (user,) = users(FEWEST), users(40), users(1)
    both = all_of(bought(buyer, product) for buyer in buyers for product in ("anvil", "hammer"))
    rest = all_of(bought(other, "spoon") for other in others)
    offers = [listed(product) for product in ("anvil", "hammer", "spoon")]
    await market.tell([*offers, *both, *rest, *bought(user, "anvil")])
    await market.learn()
    (hammer,) = [item for item in (await market.recommended(user)).items if item.product.id == "hammer"]
    assert hammer.reasons[0] == "Bought together with Anvil by 5 others"
    assert (hammer.evidence[0].product_ids, hammer.evidence[0].count) == (["anvil"], 5)
    await market.tell([preferred(buyers[0], analytics_participation=False)])
    await market.learn()
    assert "hammer" not in await market.ids(user)
    model = await market.database["models"].find_one({})
    assert model is not None
    assert {p["id"]: (p["buyers"], p["with"]) for p in model["products"]} == {"anvil": (5, []), "spoon": (40, [])}
    assert "spoon" in await market.ids(buyers[0]), "who does not take part is recommended what others do"
    await market.tell([preferred(buyers[0], analytics_participation=True)])
    await market.learn()
    assert "hammer" in await market.ids(user)


async def test_preferred_providers_go_up(market: Market) -> None:
    (user,) = users(1)
    offers = [listed(f"of-{provider}", provider=provider, rating=4.5) for provider in ("acme", "birch", "cedar")]
    await market.tell(offers)
    await market.learn()
    assert await market.ids(user) == ["of-acme", "of-birch", "of-cedar"]
    await market.tell([preferred(user, preferred_providers=["cedar"])])
    first = (await market.recommended(user)).items[0]
    assert (first.product.id, first.evidence[0].kind) == ("of-cedar", "preferred_provider")


async def test_looking_counts_by_days_and_not_without_consent(market: Market) -> None:
    (user,) = users(1)
    twice = looked_at(user, "kettle", 6)
    await market.tell([listed("kettle"), *twice, *(event(e.data, time=e.time) for e in twice)])
    await market.learn()
    (kettle,) = (await market.recommended(user)).items
    assert kettle.reasons[0] == "You looked at it on 6 days"
    assert kettle.evidence[0].count == 6
    await market.tell([preferred(user, activity_tracking=False)])
    assert await market.ids(user) == []


@pytest.mark.parametrize("order", [*permutations(range(3))])
async def test_days_before_a_consent_do_not_count_in_whatever_order_it_is_heard(
    market: Market, order: Sequence[int]
) -> None:
    (user,) = users(1)
    now = datetime.now(UTC)
    choices = [
        event(PreferencesUpdated(user_email=user, activity_tracking=on), time=now - timedelta(days=ago))
        for on, ago in ((False, 8), (True, 2))
    ]
    looks = looked_at(user, "kettle", 12)
    said: list[list[AnyEvent]] = [looks[:5], looks[5:], [*choices]]
    for place in order:
        await market.tell(said[place])
    view = await market.database["views"].find_one({"user": user})
    assert view is not None
    assert len(view["days"]) == 3


async def test_a_day_has_one_of_thirty_two_slots(market: Market) -> None:
    (user,) = users(1)
    looks = looked_at(user, "kettle", 100)
    shuffle(looks)
    await market.tell([*looks, *looks[:50]])
    view = await market.database["views"].find_one({"user": user})
    assert view is not None
    newest = sorted(microseconds(look.time) for look in looks)[-32:]
    assert sorted(view["days"].values()) == newest
