"""Whether an observation counts for an event, and if not, the one reason.

A pure function of the observation, the time and the rules. What is not known refuses; it is never taken as zero.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from common.domain.funding import projected_net_cost
from common.domain.spread import entry_spread_pct
from signal_ingest.domain.observation import Observation

FundingFilterMode = Literal["net_cost", "range", "off"]


class Refusal(StrEnum):
    """Why an observation is stored without counting for an event."""

    STALE_OBSERVATION = "stale_observation"
    SPREAD_TOO_SMALL = "spread_too_small"
    IMPLAUSIBLE_SPREAD = "implausible_spread"
    FUNDING_UNKNOWN = "funding_unknown"
    FUNDING_NET_COST = "funding_net_cost"
    FUNDING_OUT_OF_RANGE = "funding_out_of_range"


@dataclass(frozen=True, slots=True)
class TriggerRules:
    """Spreads as fractions (short price / long price - 1), funding as fractions of notional per interval."""

    spread_min: float
    spread_plausible_max: float
    funding_filter: FundingFilterMode
    net_cost_max: float
    net_cost_horizon_hours: float
    funding_rate_min: float
    funding_rate_max: float
    age_max: timedelta


@dataclass(frozen=True, slots=True)
class JudgedObservation:
    """An observation with its verdict: it counts for an event where `refusal` is None."""

    observation: Observation
    refusal: Refusal | None

    @property
    def triggered(self) -> bool:
        return self.refusal is None

    @property
    def is_current(self) -> bool:
        """Whether it says anything about now; a stale one neither feeds nor interrupts an event."""
        return self.refusal is not Refusal.STALE_OBSERVATION


def judge(observation: Observation, now: datetime, rules: TriggerRules) -> JudgedObservation:
    """Judges one observation. SPEC 3, Scanner; types A and C are triggered by having been sent."""
    return JudgedObservation(observation, _refusal(observation, now, rules))


def _refusal(observation: Observation, now: datetime, rules: TriggerRules) -> Refusal | None:
    if now - observation.observed_at > rules.age_max:
        return Refusal.STALE_OBSERVATION
    if observation.type != "B":
        return None
    gap = entry_spread_pct(observation.long.price, observation.short.price)
    if gap <= rules.spread_min:
        return Refusal.SPREAD_TOO_SMALL
    if gap > rules.spread_plausible_max:
        return Refusal.IMPLAUSIBLE_SPREAD
    match rules.funding_filter:
        case "net_cost":
            return _net_cost_refusal(observation, rules)
        case "range":
            return _range_refusal(observation, rules)
        case "off":
            return None


def _net_cost_refusal(observation: Observation, rules: TriggerRules) -> Refusal | None:
    long = observation.long.funding_terms(observation.symbol)
    short = observation.short.funding_terms(observation.symbol)
    if long is None or short is None:
        return Refusal.FUNDING_UNKNOWN
    cost = projected_net_cost(long, short, observation.observed_at, rules.net_cost_horizon_hours)
    return Refusal.FUNDING_NET_COST if cost > rules.net_cost_max else None


def _range_refusal(observation: Observation, rules: TriggerRules) -> Refusal | None:
    for rate in (observation.long.funding_rate, observation.short.funding_rate):
        if rate is None:
            return Refusal.FUNDING_UNKNOWN
        if not rules.funding_rate_min <= rate <= rules.funding_rate_max:
            return Refusal.FUNDING_OUT_OF_RANGE
    return None
