"""Recommendations, benchmarks and the catalogue as the gateway sees them: learnt by the service from what comes."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio

from services.analytics.comparing import member_of
from services.analytics.main import build_app
from services.analytics.settings import Settings
from shared.contracts.analytics_recommend import Benchmarks, CatalogPage, ProductRecommendations
from shared.contracts.identity import UserErased
from shared.contracts.topics import CATALOG, IDENTITY, MARKETPLACE, PROFILE, UPDATES
from shared.plumbing import mongo
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.mongo import Database
from shared.plumbing.publish import Record
from tests.integration.market import all_of, bought, event, listed, looked_at, preferred, retired, users
from tests.servers.running import Running, arrived, publishing, running
from tests.servers.traces import traces_in_databases
from tests.waiting import eventually

MARK = f"m{uuid4().hex[:8]}"
OFFERS = [f"{MARK}-{name}" for name in ("anvil", "bucket", "chisel", "drill", "easel")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def analytics(mongo_url: str) -> AsyncIterator[Database]:
    client = mongo.connect(mongo_url)
    yield client["analytics"]
    client.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(analytics: Database, mongo_url: str, client_settings: dict[str, object]) -> AsyncIterator[Running]:
    """The service, which learns every second; what is on offer is known."""
    await analytics["learning"].delete_many({})
    settings = Settings.model_validate({**client_settings, "mongo_url": mongo_url, "learn_every_seconds": 1})
    tokens = InternalTokens(settings.internal_key)
    async with publishing(settings) as publisher, running(build_app(settings), publisher, tokens, "analytics") as it:
        offers = [listed(offer, price=str(10 + n), rating=4.9) for n, offer in enumerate(OFFERS)]
        await it.publish(CATALOG, *offers, listed(f"{MARK}-gone"), retired(f"{MARK}-gone"))
        await eventually(lambda: on_offer(it, q=MARK), what="the catalogue is there")
        yield it


async def on_offer(service: Running, **query: object) -> list[str]:
    found = await page(service, **query)
    return [item.id.removeprefix(f"{MARK}-") for item in found.items]


async def page(service: Running, **query: object) -> CatalogPage:
    status, body = await service.get("/catalog", "ada@example.org", {k: str(v) for k, v in query.items()})
    assert status == 200
    return CatalogPage.model_validate(body)


async def recommended(service: Running, user: str) -> ProductRecommendations:
    status, body = await service.get("/recommendations/products", user, {"limit": 50})
    assert status == 200
    return ProductRecommendations.model_validate(body)


async def test_the_catalogue_is_searched_and_paged(service: Running) -> None:
    await eventually(lambda: has_all(service))
    assert await on_offer(service, q=f"{MARK} chis") == ["chisel"]
    assert await on_offer(service, q=MARK, min_price="11", max_price="12.00") == ["bucket", "chisel"]
    found, query = [], {"q": MARK, "limit": 2}
    while True:
        each = await page(service, **query)
        found.append([item.id for item in each.items])
        if each.next_cursor is None:
            break
        query["cursor"] = each.next_cursor
    assert [len(ids) for ids in found] == [2, 2, 1]
    assert sorted(all_ids := [id for ids in found for id in ids]) == OFFERS, all_ids  # noqa: A001
    assert (await page(service, q=f"{MARK} chisle")).corrected == f"{MARK} chisel"


async def has_all(service: Running) -> bool:
    return sorted(await on_offer(service, q=MARK)) == [offer.removeprefix(f"{MARK}-") for offer in OFFERS]


@pytest.mark.parametrize("path", ["/catalog?cursor=WzFd", "/catalog?q=a&cursor=x"])
async def test_a_cursor_that_no_page_gave_is_refused(service: Running, path: str) -> None:
    status, body = await service.get(path, "ada@example.org")
    assert (status, body["type"]) == (400, "urn:mycelium:problem:bad-cursor")


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/catalog?type=boat", "#/type"),
        ("/catalog?min_price=2&max_price=1", "#"),
        ("/recommendations/products?limit=51", "#/limit"),
    ],
)
async def test_what_cannot_be_asked_for(service: Running, path: str, pointer: str) -> None:
    status, body = await service.get(path, "ada@example.org")
    assert (status, body["errors"][0]["pointer"]) == (422, pointer)


async def test_what_users_do_is_learnt_and_recommended(service: Running) -> None:
    ada, *others = users(41)
    both = all_of(bought(user, offer) for user in others[:8] for offer in OFFERS[:2])
    rest = all_of(bought(user, OFFERS[2]) for user in others[8:])
    await service.publish(MARKETPLACE, *both, *rest, *bought(ada, OFFERS[0]), *looked_at(ada, OFFERS[3], 5))
    await eventually(lambda: is_suggested_for(service, ada, "Bought together"), timeout=60, what="it is learnt")
    found = await recommended(service, ada)
    assert found.model_from is not None
    assert OFFERS[0] not in [item.product.id for item in found.items]
    await eventually(lambda: is_suggested_for(service, ada, "You looked at it on 5 days"))
    await service.publish(PROFILE, preferred(ada, price_range_filter=["11.50", "13.50"]))
    await eventually(lambda: is_within(service, ada, {OFFERS[2], OFFERS[3]}))


async def is_suggested_for(service: Running, user: str, reason: str) -> bool:
    found = await recommended(service, user)
    return any(text.startswith(reason) for item in found.items for text in item.reasons)


async def is_within(service: Running, user: str, wanted: set[str]) -> bool:
    ids = {item.product.id for item in (await recommended(service, user)).items}
    return {id for id in ids if id.startswith(MARK)} == wanted  # noqa: A001


async def test_recommendations_are_said_to_have_changed_when_something_is_bought(
    service: Running, client_settings: dict[str, object]
) -> None:
    (user,) = users(1)
    await service.publish(MARKETPLACE, *bought(user, OFFERS[0]))

    def tells(record: Record) -> bool:
        data = orjson.loads(record.value or b"{}")["data"]
        return bool(data["user_email"] == user and data["section"] == "recommendations")

    await arrived(str(client_settings["kafka_bootstrap_servers"]), UPDATES.name, tells)


async def test_a_user_without_a_past_is_told_so(service: Running) -> None:
    status, body = await service.get("/analytics/benchmarks", "nobody@example.org")
    assert status == 200
    told = Benchmarks.model_validate(body)
    assert told.cohort is None
    assert {measure.percentile for measure in told.measures} == {None}


async def test_who_is_erased_leaves_nothing_in_the_tables(
    service: Running, analytics: Database, mongo_url: str
) -> None:
    cohort = users(25)
    await service.publish(
        MARKETPLACE, *all_of(bought(user, OFFERS[0], ago=timedelta(days=40), rated=4) for user in cohort)
    )
    user = cohort[0]
    await eventually(lambda: is_member(analytics, user), timeout=60, what="the cohorts are compared")
    await service.publish(IDENTITY, event(UserErased(user_email=user)))
    await eventually(lambda: is_no_trace(mongo_url, user), what="nothing is left")
    assert await is_member(analytics, cohort[1])


async def is_member(analytics: Database, user: str) -> bool:
    return await analytics["cohorts"].find_one({f"members.{member_of(user)}": {"$exists": True}}) is not None


async def is_no_trace(mongo_url: str, user: str) -> bool:
    return not await traces_in_databases(mongo_url, ["analytics"], [user, member_of(user)])
