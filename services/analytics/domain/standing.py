"""What a user is told of where they stand."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from services.analytics.domain.benchmarks import STEP, Figures, Told, percentile
from services.analytics.domain.offers import TYPE_NAMES
from shared.contracts.analytics_recommend import Benchmark, BenchmarkCode, Benchmarks, Measure

_CENT: Final = Decimal("0.01")
_MORE: Final[dict[Measure, str]] = {
    "monthly_spending": "You spend more a month than",
    "uptime": "Your deployments are up more than those of",
    "ratings_given": "You rate what you buy higher than",
}
_LOWEST: Final[dict[Measure, str]] = {
    "monthly_spending": "who spend least a month",
    "uptime": "whose deployments are up least",
    "ratings_given": "who rate lowest",
}
_NOTHING: Final[dict[Measure, BenchmarkCode]] = {
    "monthly_spending": "nothing_bought",
    "uptime": "nothing_running",
    "ratings_given": "nothing_rated",
}
_WHY_NOT: Final[dict[BenchmarkCode, str]] = {
    "nothing_bought": "You bought nothing in the last twelve months, so there is no group to compare you with.",
    "nothing_running": "None of your deployments was to be up in the last 30 days.",
    "nothing_rated": "You rated nothing that you bought in the last twelve months.",
    "too_few_others": "There are not yet 20 others to compare you with.",
    "group_changing": "The group that you are compared with is changing. There is a figure again when it has settled.",
}


def standing(figures: Figures, tables: Mapping[Measure, Told]) -> Benchmarks:
    """The answer for a user with these figures, out of what may be told of the tables of their cohort."""
    values: dict[Measure, str | None] = {
        "monthly_spending": str(figures.monthly_spending.quantize(_CENT)),
        "uptime": _text(figures.uptime),
        "ratings_given": _text(figures.ratings_given),
    }
    measures = [_benchmark(measure, value, figures, tables.get(measure)) for measure, value in values.items()]
    return Benchmarks(cohort=figures.cohort, measures=measures)


def _benchmark(measure: Measure, value: str | None, figures: Figures, table: Told | None) -> Benchmark:
    if figures.cohort is None:
        return _declined(measure, value, _NOTHING["monthly_spending"])
    if value is None:
        return _declined(measure, value, _NOTHING[measure])
    if table is None:
        return _declined(measure, value, "too_few_others")
    found = percentile(measure, table, float(value))
    if found is None:
        return _declined(measure, value, "group_changing")
    who = f"{table.others} or more others who mostly buy {TYPE_NAMES[figures.cohort]}"
    text = (
        f"{_MORE[measure]} {found} % of {who}." if found else f"You are among the {STEP} % of {who} {_LOWEST[measure]}."
    )
    return Benchmark(
        measure=measure,
        value=value,
        percentile=found,
        others=table.others,
        as_of=table.made,
        text=text,
        code="compared",
    )


def _declined(measure: Measure, value: str | None, why: BenchmarkCode) -> Benchmark:
    return Benchmark(
        measure=measure, value=value, percentile=None, others=None, as_of=None, text=_WHY_NOT[why], code=why
    )


def _text(figure: float | None) -> str | None:
    return None if figure is None else f"{figure:.2f}"
