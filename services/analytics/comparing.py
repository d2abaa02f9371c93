"""The cohorts' tables, one document for each cohort and measure; `members` by digest of the email.

Who is erased is taken out at once, who withdraws at the next refresh; either way nothing is told of the table until it
is made anew.
"""

from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from datetime import datetime
from itertools import product
from typing import Final, get_args

from pymongo.errors import DuplicateKeyError

from services.analytics.documents import shares_of
from services.analytics.domain.benchmarks import Figures, Table, Told, figures, refresh
from services.analytics.domain.months import month_of, zone_of
from services.analytics.domain.standing import standing
from services.analytics.domain.things import MonthTotals
from services.analytics.reckoning import Reckoning
from shared.contracts.analytics_recommend import Benchmarks, Measure
from shared.contracts.types import ProductType
from shared.folds.facts import digest
from shared.plumbing.mongo import Database, Document

_MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)
_COHORTS: Final[tuple[ProductType, ...]] = get_args(ProductType)


def member_of(user: str) -> str:
    """What a user is called in the tables."""
    return digest("member", user)


class Cohorts:
    """Keeps the tables. Every method may raise PyMongoError."""

    def __init__(self, database: Database) -> None:
        self._tables = database["cohorts"]

    async def refresh(self, now: Mapping[str, Figures], participants: Set[str], at: datetime) -> None:
        """Refreshes all tables with the members' figures, made `at` that time (Mongo's clock).

        A table that another process changes meanwhile is left to the next refresh.
        """
        for cohort, measure in product(_COHORTS, _MEASURES):
            key = f"{cohort}/{measure}"
            known = await self._tables.find_one({"_id": key})
            values = ((member, _value(own, measure)) for member, own in now.items() if own.cohort == cohort)
            told = {member: value for member, value in values if value is not None}
            if table := refresh(measure, _table(known) if known else None, told, participants, at):
                await self._store(key, table, known["version"] if known else 0)

    async def members(self) -> set[str]:
        """Everybody who is in a table."""
        return {member async for table in self._tables.find({}, {"members": 1}) for member in table["members"]}

    async def take_out(self, members: Iterable[str]) -> None:
        """Takes these members out of all tables."""
        for member in members:
            name = f"members.{member}"
            change = {"$unset": {name: ""}, "$set": {"cuts": None}, "$inc": {"gone": 1, "version": 1}}
            await self._tables.update_many({name: {"$exists": True}}, change)

    async def told(self, cohort: ProductType) -> Mapping[Measure, Told]:
        """What may be told of a cohort's tables."""
        found = {d["_id"]: d async for d in self._tables.find({"_id": {"$regex": f"^{cohort}/"}}, {"members": 0})}
        tables = ((measure, found.get(f"{cohort}/{measure}")) for measure in _MEASURES)
        return {measure: Told(d["made"], d["others"], _cuts(d)) for measure, d in tables if d}

    async def _store(self, key: str, table: Table, version: int) -> None:
        told = table.told
        content = {
            "made": table.made,
            "members": dict(table.members),
            "gone": table.gone,
            "cuts": table.cuts,
            "others": told.others,
            "version": version + 1,
        }
        if version:
            await self._tables.replace_one({"_id": key, "version": version}, content)
            return
        with suppress(DuplicateKeyError):
            await self._tables.insert_one({"_id": key, **content})


class Comparing:
    """Answers where a user stands."""

    def __init__(self, cohorts: Cohorts, reckoning: Reckoning) -> None:
        self._cohorts, self._reckoning = cohorts, reckoning

    async def of(self, user: str, now: datetime) -> Benchmarks:
        """Where the user stands `now` (UTC)."""
        own = figures_in(await self._reckoning.of(user), now)
        return standing(own, await self._cohorts.told(own.cohort) if own.cohort else {})


def figures_in(user: Document, now: datetime) -> Figures:
    """A user's figures `now` (UTC), out of their document with the running month and the twelve before."""
    months = {
        name: MonthTotals(name, month["spent"], by_type=shares_of(month["by_type"]))
        for name, month in user["months"].items()
    }
    return figures(months, month_of(now, zone_of(user["zone"])), user["usage"]["deployment_stats"]["average_uptime"])


def _value(own: Figures, measure: Measure) -> float | None:
    if measure == "monthly_spending":
        return float(own.monthly_spending)
    return own.uptime if measure == "uptime" else own.ratings_given


def _table(document: Document) -> Table:
    return Table(document["made"], document["members"], document["gone"], _cuts(document))


def _cuts(document: Document) -> tuple[float, ...] | None:
    return None if document["cuts"] is None else tuple(document["cuts"])
