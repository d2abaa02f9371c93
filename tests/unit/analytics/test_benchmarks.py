"""Where a user stands: right, only among enough others, and telling nothing of anybody else."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from services.analytics.domain.benchmarks import FEWEST_CHANGES, Figures, Table, figures, percentile, refresh
from services.analytics.domain.standing import standing
from services.analytics.domain.things import MonthTotals, Share
from shared.contracts.analytics_recommend import Measure

THEN, NOW = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
SPENDING: Measure = "monthly_spending"
AMOUNTS = st.floats(0, 5_000)
COHORTS = st.lists(AMOUNTS, min_size=21, max_size=60).map(lambda amounts: {f"m{n}": a for n, a in enumerate(amounts)})
Cohort = dict[str, float]


def table_of(cohort: Cohort) -> Table:
    made = refresh(SPENDING, None, cohort, cohort.keys(), THEN)
    assert made
    return made


def told(table: Table | None) -> object:
    """All that an observer can learn of a table, whatever figure of their own they try."""
    return table and (table.made, table.cuts, table.told.others if table.cuts else None)


@given(COHORTS, AMOUNTS, st.data())
def test_one_member_more_other_or_moved_away_changes_nothing_that_is_told(
    cohort: Cohort, figure: float, data: st.DataObject
) -> None:
    """So an observer who knows everybody else learns nothing at all of the one: the bound is zero."""
    before = table_of(cohort)
    member = data.draw(st.sampled_from([*cohort, "new"]))
    without = {name: other for name, other in cohort.items() if name != member}
    for now in ({**cohort, member: figure}, without):
        assert told(refresh(SPENDING, before, now, {*cohort, "new"}, NOW)) == told(before)


@given(COHORTS, AMOUNTS, st.data())
def test_who_withdraws_is_out_and_what_is_told_does_not_depend_on_their_figure(
    cohort: Cohort, figure: float, data: st.DataObject
) -> None:
    member = data.draw(st.sampled_from(sorted(cohort)))
    without = {name: other for name, other in cohort.items() if name != member}
    for earlier in (cohort, {**cohort, member: figure}):
        after = refresh(SPENDING, table_of(earlier), without, without.keys(), NOW)
        assert after
        assert member not in after.members
        assert after.cuts is None


@given(COHORTS, st.lists(AMOUNTS, min_size=FEWEST_CHANGES, max_size=20), st.data())
def test_who_compares_two_tables_cannot_tell_whose_figure_is_whose_among_ten(
    cohort: Cohort, figures_now: list[float], data: st.DataObject
) -> None:
    """Of those who changed, any two may have the other's figure: the tables are the same."""
    now = cohort | {f"m{n}": figure for n, figure in enumerate(figures_now)}
    before = table_of(cohort)
    after = refresh(SPENDING, before, now, now.keys(), NOW)
    assume(after and after.made == NOW)
    changed = [f"m{n}" for n in range(len(figures_now))]
    one, other = data.draw(st.sampled_from(changed)), data.draw(st.sampled_from(changed))
    swapped = now | {one: now[other], other: now[one]}
    again = refresh(SPENDING, before, swapped, now.keys(), NOW)
    assert after
    assert again
    assert again.cuts in (after.cuts, before.cuts), "the same table, or none where the swap undoes a change"


@given(COHORTS, st.lists(st.tuples(st.sampled_from([f"m{n}" for n in range(60)]), AMOUNTS), max_size=60))
@example({f"m{n}": 0.0 for n in range(30)}, [("m0", 0.0), *((f"m{n}", 0.0) for n in range(10))])  # one comes back
def test_two_tables_in_a_row_differ_by_ten_people_or_more(cohort: Cohort, changes: list[tuple[str, float]]) -> None:
    """Whatever comes one by one: people who join, leave, withdraw, take part again or change."""
    table, last_made, now = table_of(cohort), dict(table_of(cohort).members), dict(cohort)
    for member, figure in changes:
        withdraws = member in now and figure < 1_000
        now = {name: other for name, other in now.items() if name != member} | ({} if withdraws else {member: figure})
        after = refresh(SPENDING, table, now, now.keys(), NOW)
        assert after
        if after.made == NOW and table.made != NOW:
            people = {*last_made, *after.members}
            assert sum(last_made.get(name) != after.members.get(name) for name in people) >= FEWEST_CHANGES
            break
        table = after


def test_after_a_withdrawal_there_is_a_table_again_when_ten_have_changed() -> None:
    cohort = {f"m{n}": 100.0 + 10 * n for n in range(40)}
    left = {name: figure for name, figure in cohort.items() if name != "m0"}
    silent = refresh(SPENDING, table_of(cohort), left, left.keys(), NOW)
    for changes, is_told in ((FEWEST_CHANGES - 2, False), (FEWEST_CHANGES - 1, True)):
        later = left | {f"m{n}": 5_000.0 for n in range(1, changes + 1)}
        after = refresh(SPENDING, silent, later, later.keys(), NOW)
        assert after
        assert (after.cuts is not None) is is_told


def test_to_withdraw_and_take_part_again_is_no_change() -> None:
    cohort = {f"m{n}": 100.0 + 10 * n for n in range(40)}
    few = {name: figure for name, figure in cohort.items() if int(name[1:]) > 5}
    silent = refresh(SPENDING, table_of(cohort), few, few.keys(), NOW)
    later = cohort | {f"m{n}": 5_000.0 for n in range(31, 40)}
    again = refresh(SPENDING, silent, later, cohort.keys(), NOW)
    assert again
    assert again.cuts is None, "six went and six came, which may be the same six: nine changed"


@pytest.mark.parametrize("members", [20, 21])
def test_twenty_others_or_nothing(members: int) -> None:
    cohort = {f"m{n}": float(n) for n in range(members)}
    assert (refresh(SPENDING, None, cohort, cohort.keys(), NOW) is not None) is (members == 21)
    outsiders = cohort | {"not taking part": 3.0}
    assert (refresh(SPENDING, None, outsiders, cohort.keys(), NOW) is not None) is (members == 21)


@given(st.integers(21, 200))
def test_the_percentile_is_the_share_of_the_others_with_less_rounded_down_to_five(members: int) -> None:
    cohort = {f"m{n}": float(n) / 10 for n in range(members)}
    table = refresh("ratings_given", None, cohort, cohort.keys(), NOW)
    assert table
    for below, figure in enumerate(cohort.values()):
        exact = 100 * below / (members - 1)
        found = percentile("ratings_given", table.told, figure)
        assert found is not None
        assert found % 5 == 0
        assert exact - 5 <= found <= min(exact, 95) + 1e-9


def test_equal_figures_count_half() -> None:
    cohort = {f"m{n}": 100.0 if n < 20 else 90.0 for n in range(40)}
    table = refresh("uptime", None, cohort, cohort.keys(), NOW)
    assert table
    assert [percentile("uptime", table.told, figure) for figure in (100.0, 90.0, 50.0)] == [75, 25, 0]


@given(COHORTS, AMOUNTS, AMOUNTS)
def test_more_is_never_a_lower_percentile(cohort: Cohort, one: float, other: float) -> None:
    low, high = (percentile(SPENDING, table_of(cohort).told, figure) for figure in sorted((one, other)))
    assert low is not None
    assert high is not None
    assert 0 <= low <= high <= 95


def share(spent: int, ratings: tuple[float, ...] = ()) -> Share:
    return Share(Decimal(spent), 1, THEN, sum(ratings), len(ratings))


def test_figures_are_of_closed_months_only() -> None:
    months = {
        "2026-03": MonthTotals("2026-03", Decimal(900), 1, {"network": share(900, (1.0,))}),
        "2026-02": MonthTotals("2026-02", Decimal(30), 1, {"service": share(30, (4.0, 5.0))}),
        "2025-12": MonthTotals("2025-12", Decimal(60), 1, {"service": share(60)}),
        "2025-03": MonthTotals("2025-03", Decimal(80), 1, {"storage": share(80, (3.0,))}),
        "2025-02": MonthTotals("2025-02", Decimal(999), 1, {"network": share(999)}),
    }
    assert figures(months, "2026-03", 99.5) == Figures("service", Decimal(30), 99.5, 4.0)


def test_without_a_purchase_in_a_year_there_is_no_cohort() -> None:
    nothing = figures({"2026-03": MonthTotals("2026-03", Decimal(9), 1, {"network": share(9)})}, "2026-03", None)
    assert nothing == Figures(None, Decimal(0), None, None)
    assert standing(nothing, {}).measures[0].text.startswith("You bought nothing")


def test_the_answer_says_where_one_stands_or_why_not() -> None:
    cohort = {f"m{n}": float(n) for n in range(35)}
    settling = Table(THEN, cohort, 1, None).told
    own = Figures("storage", Decimal("26.001"), 99.5, None)
    spending, uptime, ratings = standing(own, {SPENDING: table_of(cohort).told, "uptime": settling}).measures
    assert (spending.value, spending.percentile, spending.others, spending.as_of) == ("26.00", 75, 30, THEN)
    assert spending.text == "You spend more a month than 75 % of 30 or more others who mostly buy storage."
    assert (uptime.percentile, uptime.others, uptime.as_of) == (None, None, None)
    assert "settled" in uptime.text
    assert ratings.text == "You rated nothing that you bought in the last twelve months."
    alone = standing(own, {}).measures[0]
    assert (alone.percentile, alone.text) == (None, "There are not yet 20 others to compare you with.")
    lowest = standing(Figures("storage", Decimal(0), None, None), {SPENDING: table_of(cohort).told}).measures[0]
    assert lowest.text == "You are among the 5 % of 30 or more others who mostly buy storage who spend least a month."
