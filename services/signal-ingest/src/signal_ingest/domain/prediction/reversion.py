"""Expected reversion of a spread to its pair's own median.

    pnl_hat  = spread - median(history) - fees
    win_prob = (count(h <= spread - fees) + PRIOR_WEIGHT / 2) / (n + PRIOR_WEIGHT)

`history` are the pair's n directional spreads before this observation. `fees` pay for both legs, in and out. Entering
at `spread` and leaving at `h` gives `spread - h - fees`, so the counted ones are the moments at which leaving would
not have lost; the prior draws a short history towards one half. All figures are fractions of one leg's notional.
"""

from typing import NamedTuple

from signal_ingest.domain.prediction.history import PairHistory

PRIOR_WEIGHT = 8.0


class Forecast(NamedTuple):
    """`pnl_hat` as a fraction of one leg's notional, `win_prob` in 0..1."""

    pnl_hat: float
    win_prob: float


def round_trip_fees(taker_fee_long: float, taker_fee_short: float) -> float:
    """Taker fees of opening and closing both legs, as a fraction of one leg's notional."""
    return 2 * (taker_fee_long + taker_fee_short)


def reversion_forecast(history: PairHistory, long_venue: str, spread: float, fees: float) -> Forecast | None:
    """The forecast for entering at `spread`, or None without any history: unknown is not zero."""
    count = len(history)
    if not count:
        return None
    profitable = history.count_at_most(spread - fees, long_venue)
    win_prob = (profitable + PRIOR_WEIGHT / 2) / (count + PRIOR_WEIGHT)
    return Forecast(spread - history.median(long_venue) - fees, win_prob)
