"""What the next months will cost, from the months that are over, and how sure that is.

A month's figure is noisy, a history is short, and neither a trend nor a season is certain to be in it. So a few simple
methods are tried on the past (rolling origin), and their plain average is taken unless one of them was much better.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, sqrt
from statistics import NormalDist, fmean, median, stdev
from typing import Final, Literal

from services.analytics.domain.months import OWN_CURRENCY, following
from shared.contracts.analytics_forecast import Baseline, Forecast, ForecastError, ForecastMethod, ForecastMonth

LEAST_MONTHS: Final = 3
MOST_AHEAD: Final = 12
_YEAR: Final = 12
_ORIGINS, _AHEAD = 12, 3  # of the backtest: the last year's months, and how far ahead from each
_MARGIN: Final = 0.2
_OUTLYING: Final = 3.5
_COVERAGE: Final = 0.8
_PRIOR_WEIGHT: Final = 4  # backtested origins that the spread of the history itself is worth
_DRIFT: Final = 0.2
_CENT: Final = Decimal("0.01")
_BASELINES: Final[tuple[Literal["mean"], Literal["seasonal_naive"]]] = ("mean", "seasonal_naive")

Method = Callable[[Sequence[float], int], Sequence[float]]
"""Forecasts so many values after the history (2 or more values, oldest first)."""


@dataclass(frozen=True, slots=True)
class TooLittleHistory:
    """There is no forecast yet: of the months that it takes, only so many are over."""

    months: int

    @property
    def detail(self) -> str:
        """The reason, for the user."""
        have = {0: "none is", 1: "one is"}.get(self.months, f"{self.months} are")
        return (
            f"A forecast takes {LEAST_MONTHS} whole months of purchases, and {have} over so far. "
            f"It will be here when {LEAST_MONTHS} months are over."
        )


@dataclass(frozen=True, slots=True)
class _Try:
    """One forecast of the past: how many months `ahead`, what was `forecast` and what `came`."""

    ahead: int
    forecast: float
    came: float


def forecast(
    history: Sequence[Decimal], after: str, ahead: int, methods: Mapping[ForecastMethod, Method]
) -> Forecast | TooLittleHistory:
    """The `ahead` (1 to 12) months after `after`, the last closed month, such as 2025-06.

    `history` are the totals of the closed months in TFP, oldest first, beginning with the user's first month; an empty
    month is a zero. `methods` are tried besides the mean and the seasonal naive. The same input gives the same output,
    and how many months are asked for makes no difference to any of them.

    Which method: the one with the smallest mean absolute error in forecasts of one to three months from each of the
    last twelve months (rolling origin, Tashman 2000), if that is more than a fifth below the error of the plain average
    of all methods; else that average ("combination"; Bates and Granger 1969, Clemen 1989). With so few months the
    smallest error is mostly luck: on simulated users the average is better than whatever had the smallest error.

    The interval: see `_half_width`.
    """
    if len(history) < LEAST_MONTHS:
        return TooLittleHistory(len(history))
    values = [float(total) for total in history]
    tried = _backtest(values, methods)
    errors = {name: fmean(abs(t.came - t.forecast) for t in tries) for name, tries in tried.items()}
    chosen = _choose(errors)
    expected = _all(values, MOST_AHEAD, methods)[chosen]
    half = _half_width(values, tried[chosen])
    months, month = [], after
    for number, value in enumerate(expected[:ahead], start=1):
        month = following(month)
        months.append(_month(month, value, half * _widening(number)))
    baseline = min((name for name in _BASELINES if name in errors), key=lambda name: errors[name])
    scale = _scale(values)
    return Forecast(
        currency=OWN_CURRENCY,
        history_months=len(values),
        method=chosen,
        error=_error(errors[chosen], scale),
        baseline=Baseline(method=baseline, error=_error(errors[baseline], scale)),
        items=months,
    )


def mean(history: Sequence[float], ahead: int) -> list[float]:
    """Every month is the mean of all months so far."""
    return [fmean(history)] * ahead


def seasonal_naive(history: Sequence[float], ahead: int) -> list[float]:
    """Each month is what the same month was a year before; within the first year, what the last month was."""
    last_year = history[-_YEAR:] if len(history) >= _YEAR else history[-1:]
    return [last_year[number % len(last_year)] for number in range(ahead)]


def tamed(history: Sequence[float]) -> list[float]:
    """The history with outliers brought in to where they begin.

    An outlier has a modified z-score above 3.5 (Iglewicz and Hoaglin 1993): it is further from the median than 3.5
    times the median absolute deviation / 0.6745, which is taken to be a tenth of the median at least.
    """
    middle = median(history)
    deviation = max(median(abs(value - middle) for value in history) / 0.6745, 0.1 * middle)
    low, high = middle - _OUTLYING * deviation, middle + _OUTLYING * deviation
    return [min(max(value, low), high) for value in history] if deviation else list(history)


def _all(
    history: Sequence[float], ahead: int, methods: Mapping[ForecastMethod, Method]
) -> dict[ForecastMethod, list[float]]:
    """What every method says, and their average; never below 0."""
    calm = tamed(history)
    found: dict[ForecastMethod, list[float]] = {"mean": mean(history, ahead)}
    if len(history) > _YEAR:
        found["seasonal_naive"] = seasonal_naive(history, ahead)
    for name, method in methods.items():
        found[name] = [max(0.0, value) for value in method(calm, ahead)]
    found["combination"] = [fmean(values) for values in zip(*found.values(), strict=True)]
    return found


def _backtest(values: Sequence[float], methods: Mapping[ForecastMethod, Method]) -> dict[ForecastMethod, list[_Try]]:
    """What every method would have said at the end of each of the last months; from the second one of the user on."""
    seasonal = len(values) > _YEAR
    tried: dict[ForecastMethod, list[_Try]] = {}
    for origin in range(max(2, len(values) - _ORIGINS), len(values)):
        coming = values[origin : origin + _AHEAD]
        found = _all(values[:origin], len(coming), methods)
        if seasonal:
            found["seasonal_naive"] = seasonal_naive(values[:origin], len(coming))
        for name, forecasts in found.items():
            pairs = zip(forecasts, coming, strict=True)
            tried.setdefault(name, []).extend(_Try(n, said, came) for n, (said, came) in enumerate(pairs, start=1))
    return tried


def _choose(errors: Mapping[ForecastMethod, float]) -> ForecastMethod:
    best = min(errors, key=lambda name: errors[name])
    return best if errors[best] < (1 - _MARGIN) * errors["combination"] else "combination"


def _half_width(values: Sequence[float], tries: Sequence[_Try]) -> float:
    """Half the width of the 80 % interval for one month ahead, on the scale of square roots.

    On that scale (Tukey 1977 for amounts) a small month varies about as much as a large one, and nothing is below 0.
    It is the blend of two: the 80 % quantile of the backtest's own absolute errors, with the small-sample rank
    ceil(0.8 (n + 1)) of split conformal prediction (Vovk et al. 2005), which needs many to be right; and the interval
    of one further normal observation, t(0.9, n - 1) s sqrt(1 + 1/n), from the spread of the history, which is worth
    four of the backtest's origins.
    """
    errors = sorted(abs(sqrt(t.came) - sqrt(t.forecast)) / _widening(t.ahead) for t in tries)
    conformal = errors[min(ceil(_COVERAGE * (len(errors) + 1)), len(errors)) - 1]
    roots = [sqrt(value) for value in values]
    spread = _student((1 + _COVERAGE) / 2, len(roots) - 1) * stdev(roots) * sqrt(1 + 1 / len(roots))
    origins = sum(t.ahead == 1 for t in tries)
    return (origins * conformal + _PRIOR_WEIGHT * spread) / (origins + _PRIOR_WEIGHT)


def _widening(ahead: int) -> float:
    """How much wider an interval is that far ahead, as of simple exponential smoothing with a weight of 0.2.

    The standard deviation grows by sqrt(1 + (h - 1) alpha^2): Hyndman, Koehler, Ord and Snyder 2008, ETS(A,N,N).
    """
    return sqrt(1 + (ahead - 1) * _DRIFT**2)


def _student(probability: float, freedom: int) -> float:
    """The quantile of Student's t for 2 or more degrees of freedom, to a percent; Abramowitz and Stegun, 26.7.5."""
    z = NormalDist().inv_cdf(probability)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def _scale(values: Sequence[float]) -> float:
    """The mean absolute error of the naive forecast within the history: what a MASE is in units of.

    Hyndman and Koehler 2006: sum |Y(i) - Y(i-m)| / (n - m). `m` is 12 from two years of history on, else 1.
    """
    lag = _YEAR if len(values) >= 2 * _YEAR else 1
    return fmean(abs(now - before) for now, before in zip(values[lag:], values[:-lag], strict=True))


def _error(mae: float, scale: float) -> ForecastError:
    return ForecastError(mae=_money(mae), mase=round(mae / scale, 3) if scale else None)


def at_least(running: ForecastMonth, spent: Decimal) -> ForecastMonth:
    """The running month's forecast, which was made before it began, with what was spent since: never less than that."""
    names = ("expected", "low", "high")
    return running.model_copy(update={n: str(max(Decimal(getattr(running, n)), spent.quantize(_CENT))) for n in names})


def _month(month: str, expected: float, half: float) -> ForecastMonth:
    root = sqrt(expected)
    low, high = max(0.0, root - half) ** 2, (root + half) ** 2
    return ForecastMonth(month=month, expected=_money(expected), low=_money(low), high=_money(high))


def _money(value: float) -> str:
    return str(Decimal(value).quantize(_CENT))
