"""Builders for signal-ingest's tests: observations and their judgements, with one moment that all of them share."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import log
from typing import Any

from signal_ingest.domain.merging import MergeRules
from signal_ingest.domain.observation import NO_PREDICTION, CallerPrediction, LegQuote, Observation, ObservationType
from signal_ingest.domain.trigger import JudgedObservation, Refusal, TriggerRules

MOMENT = datetime(2025, 10, 10, 21, 0, tzinfo=UTC)

RULES = TriggerRules(
    spread_min=0.01,
    spread_plausible_max=0.30,
    funding_filter="off",
    net_cost_max=0.001,
    net_cost_horizon_hours=8,
    funding_rate_min=-0.001,
    funding_rate_max=0.001,
    age_max=timedelta(minutes=3),
)
MERGING = MergeRules(enabled=True, consecutive=1, cooldown=timedelta(minutes=3))


def at(seconds: float) -> datetime:
    """So many seconds after the moment."""
    return MOMENT + timedelta(seconds=seconds)


def observation(
    seconds: float = 0,
    *,
    symbol: str = "SOL",
    type_: ObservationType = "B",
    long: str = "binance",
    short: str = "bybit",
    long_price: str = "200",
    short_price: str = "204",
    factors: Mapping[str, float] | None = None,
    caller: CallerPrediction = NO_PREDICTION,
) -> Observation:
    """SOL is 2 % dearer on bybit; funding is unknown."""
    low, high = Decimal(long_price), Decimal(short_price)
    return Observation(
        symbol=symbol,
        type=type_,
        observed_at=at(seconds),
        long=LegQuote(long, low),
        short=LegQuote(short, high),
        spread=log(high / low),
        factors=factors or {},
        caller=caller,
    )


def with_funding(
    seen: Observation,
    long_rate: float | None,
    short_rate: float | None,
    *,
    interval_hours: float | None = 8,
    next_at: datetime | None = None,
) -> Observation:
    """The observation with both venues' funding."""
    next_at = next_at or at(3600)
    return replace(
        seen,
        long=replace(seen.long, funding_rate=long_rate, funding_interval_hours=interval_hours, next_funding_at=next_at),
        short=replace(
            seen.short, funding_rate=short_rate, funding_interval_hours=interval_hours, next_funding_at=next_at
        ),
    )


def triggered(seen: Observation) -> JudgedObservation:
    return JudgedObservation(seen, None)


def refused(seen: Observation, refusal: Refusal = Refusal.SPREAD_TOO_SMALL) -> JudgedObservation:
    return JudgedObservation(seen, refusal)


def posted(**changes: Any) -> dict[str, Any]:
    """A body for POST /signals that triggers: a gap of 2 %, funding known and equal on both sides."""
    leg = {"funding_rate": 0.0001, "funding_interval_hours": 8}
    return {
        "symbol": "SOL",
        "type": "B",
        "long": {"venue": "binance", "price": "200", **leg},
        "short": {"venue": "bybit", "price": "204", **leg},
        **changes,
    }
