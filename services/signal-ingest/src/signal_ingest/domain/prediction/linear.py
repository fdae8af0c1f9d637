"""A linear model of the spread P&L with normal residuals.

    pnl_hat  = intercept + sum(coefficient * factor)
    win_prob = 1 - Phi((fees - pnl_hat) / residual_std)

that is, the chance that the P&L comes out above the round-trip fees.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import erfc, sqrt

from signal_ingest.domain.prediction.reversion import Forecast


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Coefficients by factor name; `residual_std` above zero. Figures are fractions of one leg's notional."""

    intercept: float
    coefficients: Mapping[str, float]
    residual_std: float


def linear_forecast(model: LinearModel, factors: Mapping[str, float], fees: float) -> Forecast | None:
    """The forecast, or None where a factor of the model is missing: unknown is not zero."""
    if not model.coefficients.keys() <= factors.keys():
        return None
    terms = (coefficient * factors[name] for name, coefficient in model.coefficients.items())
    pnl_hat = model.intercept + sum(terms)
    return Forecast(pnl_hat, 0.5 * erfc((fees - pnl_hat) / (model.residual_std * sqrt(2))))
