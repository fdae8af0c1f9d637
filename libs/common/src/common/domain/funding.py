"""Funding of a pair. Rates are fractions of notional per interval; a positive rate is paid by longs to shorts.

Intervals differ per contract and change: they are data here, never a constant.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class FundingTerms:
    """One contract's current funding: `rate` per `interval_hours`, next settled at `next_at` (UTC)."""

    venue: str
    symbol: str
    rate: float
    interval_hours: float
    next_at: datetime | None

    @property
    def rate_per_hour(self) -> float:
        """Rate spread evenly over its interval."""
        return self.rate / self.interval_hours


def funding_per_hour(long: FundingTerms, short: FundingTerms) -> float:
    """short rate / interval - long rate / interval; above zero is income to the pair. SPEC 2."""
    return short.rate_per_hour - long.rate_per_hour


def projected_net_cost(long: FundingTerms, short: FundingTerms, now: datetime, horizon_hours: float) -> float:
    """Net funding that the pair would pay within the horizon, as a fraction of one leg's notional.

    Counts the settlements that fall inside the horizon at today's rates; a negative figure is income. A contract
    whose next settlement is unknown is charged evenly by the hour.
    """
    return _leg_cost(long, now, horizon_hours) - _leg_cost(short, now, horizon_hours)


def _leg_cost(terms: FundingTerms, now: datetime, horizon_hours: float) -> float:
    if terms.next_at is None:
        return terms.rate_per_hour * horizon_hours
    hours_to_next = (terms.next_at - now).total_seconds() / 3600
    if hours_to_next > horizon_hours:
        return 0.0
    settlements = int((horizon_hours - max(hours_to_next, 0.0)) // terms.interval_hours) + 1
    return settlements * terms.rate
