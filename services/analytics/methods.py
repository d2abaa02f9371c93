"""Methods of statsmodels, which takes 160 MB: only the worker of `services.analytics.forecasting` imports this.

The smoothing weight of SES is fixed: on a few noisy months an estimated one is worse (by 1 to 2 % on simulated users).
Five months or more are needed to say something about a trend.
"""

import warnings
from collections.abc import Mapping, Sequence
from functools import wraps
from statistics import fmean
from typing import Final

import numpy as np
from statsmodels.tsa.forecasting.theta import ThetaModel
from statsmodels.tsa.holtwinters import ExponentialSmoothing, SimpleExpSmoothing

from services.analytics.domain.forecast import Method
from shared.contracts.analytics_forecast import ForecastMethod

_WEIGHT: Final = 0.2
_FIRST: Final = 6  # months whose mean is the level to begin with
_LEAST_FOR_TREND: Final = 5


def _quietly(method: Method) -> Method:
    """Without the warnings that a fit is exact, or that its optimum is not: both are fine here."""

    @wraps(method)
    def quiet(history: Sequence[float], ahead: int) -> Sequence[float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return method(history, ahead)

    return quiet


@_quietly
def ses(history: Sequence[float], ahead: int) -> Sequence[float]:
    """Simple exponential smoothing with a weight of 0.2 (Brown 1959)."""
    model = SimpleExpSmoothing(
        np.asarray(history, dtype=float), initialization_method="known", initial_level=fmean(history[:_FIRST])
    )
    return _floats(model.fit(smoothing_level=_WEIGHT, optimized=False).forecast(ahead))


@_quietly
def damped_trend(history: Sequence[float], ahead: int) -> Sequence[float]:
    """Holt's method with a damped trend, its weights estimated (Gardner and McKenzie 1985)."""
    if _says_nothing_of_a_trend(history):
        return ses(history, ahead)
    model = ExponentialSmoothing(
        np.asarray(history, dtype=float),
        trend="add",
        damped_trend=True,
        initialization_method="known",
        initial_level=fmean(history[:_FIRST]),
        initial_trend=0.0,
    )
    return _floats(model.fit(use_brute=False).forecast(ahead))


@_quietly
def theta(history: Sequence[float], ahead: int) -> Sequence[float]:
    """The Theta method (Assimakopoulos and Nikolopoulos 2000): smoothing with half the slope of the trend line."""
    if _says_nothing_of_a_trend(history):
        return ses(history, ahead)
    fitted = ThetaModel(np.asarray(history, dtype=float), period=1, deseasonalize=False).fit()
    return _floats(fitted.forecast(ahead))


METHODS: Final[Mapping[ForecastMethod, Method]] = {"ses": ses, "damped_trend": damped_trend, "theta": theta}


def _says_nothing_of_a_trend(history: Sequence[float]) -> bool:
    return len(history) < _LEAST_FOR_TREND or max(history) == min(history)


def _floats(values: Sequence[float]) -> list[float]:
    return [float(value) for value in values]
