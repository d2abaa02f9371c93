"""Cohorts: told only among enough others, and of nobody who withdrew or was erased, not even in the middle of it."""

from collections.abc import Mapping, Set
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from services.analytics.comparing import Cohorts, member_of
from services.analytics.domain.benchmarks import Figures
from services.analytics.erasing import erase
from shared.contracts.analytics_recommend import Benchmark
from shared.contracts.reading import AnyEvent
from shared.plumbing.mongo import Database
from tests.integration.market import Market, all_of, bought, market_on, preferred, users


@pytest_asyncio.fixture(loop_scope="session")
async def market(database: Database) -> Market:
    return await market_on(database)


def spenders(cohort: list[str], rating: float = 4.0) -> list[AnyEvent]:
    """The first spends 100 a month, each other one 10 more; on the last day of the month before."""
    now = datetime.now(UTC)
    ago = timedelta(days=now.day + 1)
    return all_of(
        bought(user, "disk", str(300 + 30 * number), ago=ago, rated=rating) for number, user in enumerate(cohort)
    )


async def spending(market: Market, user: str) -> Benchmark:
    found = await market.standing(user)
    assert [measure.measure for measure in found.measures] == ["monthly_spending", "uptime", "ratings_given"]
    return found.measures[0]


async def test_each_is_told_where_they_stand(market: Market) -> None:
    cohort = users(31)
    await market.tell(spenders(cohort))
    await market.learn()
    told = [await spending(market, user) for user in cohort]
    assert [each.value for each in told[:2]] == ["100.00", "110.00"]
    assert [each.others for each in told] == [30] * 31
    percentiles = [each.percentile for each in told if each.percentile is not None]
    assert percentiles == sorted(percentiles)
    assert (percentiles[0], percentiles[15], percentiles[30]) == (0, 50, 95)
    assert told[15].text == "You spend more a month than 50 % of 30 or more others who mostly buy storage."
    (alone,) = users(1)
    assert (await market.standing(alone)).cohort is None


async def test_twenty_are_too_few_as_each_would_see_nineteen_others(market: Market) -> None:
    cohort = users(21)
    await market.tell(spenders(cohort[:20]))
    await market.learn()
    assert (await spending(market, cohort[0])).text == "There are not yet 20 others to compare you with."
    await market.tell(spenders(cohort[20:]))
    await market.learn()
    assert (await spending(market, cohort[0])).percentile == 5


async def test_who_withdraws_is_out_at_the_next_refresh_and_nothing_is_told(market: Market) -> None:
    cohort = users(25)
    await market.tell(spenders(cohort))
    await market.learn()
    await market.tell([preferred(cohort[0], analytics_participation=False)])
    await market.learn()
    assert await market.members() == {member_of(user) for user in cohort[1:]}
    assert "settled" in (await spending(market, cohort[1])).text


async def test_the_refresh_tells_the_same_while_fewer_than_ten_have_changed(market: Market) -> None:
    cohort = users(40)
    await market.tell(spenders(cohort[:31]))
    await market.learn()
    before = [await spending(market, user) for user in cohort[:31]]
    await market.tell(spenders(cohort[31:]))
    await market.learn()
    assert [await spending(market, user) for user in cohort[:31]] == before
    await market.tell(all_of(bought(user, "disk", "900", ago=timedelta(days=40)) for user in cohort[:1]))
    await market.learn()
    assert (await spending(market, cohort[1])).as_of != before[1].as_of


async def test_who_is_erased_is_out_at_once(market: Market) -> None:
    cohort = users(25)
    await market.tell(spenders(cohort))
    await market.learn()
    tables = await market.database["cohorts"].count_documents({f"members.{member_of(cohort[3])}": {"$exists": True}})
    assert tables == 2, "spending and ratings"
    await erase(market.database, {cohort[3]})
    assert await market.members() == {member_of(user) for user in cohort if user != cohort[3]}
    assert "settled" in (await spending(market, cohort[1])).text
    await erase(market.database, {cohort[3]})
    await market.learn()
    table = await market.database["cohorts"].find_one({"_id": "storage/monthly_spending"})
    assert table is not None
    assert (table["gone"], table["cuts"]) == (1, None)


async def test_who_is_erased_while_it_is_learnt_does_not_stay(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their figures were read before, and are stored after they were erased."""
    cohort, refresh = users(25), Cohorts.refresh

    async def erased_before(self: Cohorts, now: Mapping[str, Figures], participants: Set[str], at: datetime) -> None:
        assert member_of(cohort[3]) in participants
        await erase(market.database, {cohort[3]})
        await refresh(self, now, participants, at)
        assert member_of(cohort[3]) in await market.members()

    monkeypatch.setattr(Cohorts, "refresh", erased_before)
    await market.tell(spenders(cohort))
    await market.learn()
    assert await market.members() == {member_of(user) for user in cohort if user != cohort[3]}
    assert (await spending(market, cohort[1])).percentile is None
