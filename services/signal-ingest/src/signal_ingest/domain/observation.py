"""One look at one pair: what was seen, and what the caller's own model made of it.

An observation never changes; everything that is decided about it is kept beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal, NamedTuple

from common.domain.funding import FundingTerms

ObservationType = Literal["A", "B", "C"]


class PairKey(NamedTuple):
    """What observations are merged by."""

    symbol: str
    type: ObservationType
    long_venue: str
    short_venue: str

    def mirrored(self) -> "PairKey":
        """The same two venues, bought and sold the other way round."""
        return PairKey(self.symbol, self.type, self.short_venue, self.long_venue)


@dataclass(frozen=True, slots=True)
class LegQuote:
    """One venue's side of an observation: `price` in USDT, funding as a fraction of notional per interval."""

    venue: str
    price: Decimal
    funding_rate: float | None = None
    funding_interval_hours: float | None = None
    next_funding_at: datetime | None = None

    def funding_terms(self, symbol: str) -> FundingTerms | None:
        """The funding terms, or None while the rate or its interval is unknown."""
        if self.funding_rate is None or self.funding_interval_hours is None:
            return None
        return FundingTerms(self.venue, symbol, self.funding_rate, self.funding_interval_hours, self.next_funding_at)

    def as_evidence(self) -> dict[str, Any]:
        """What was seen, as JSON values; the price as text."""
        return {
            "venue": self.venue,
            "price": str(self.price),
            "funding_rate": self.funding_rate,
            "funding_interval_hours": self.funding_interval_hours,
            "next_funding_at": self.next_funding_at.isoformat() if self.next_funding_at else None,
        }


@dataclass(frozen=True, slots=True)
class CallerPrediction:
    """What the sender's own model says; each part may be missing."""

    pnl_hat: float | None = None
    win_prob: float | None = None
    horizon_min: float | None = None


NO_PREDICTION = CallerPrediction()


@dataclass(frozen=True)
class Observation:
    """One look at one pair. `spread` is ln(short price / long price); `factors` are finite figures by name."""

    symbol: str
    type: ObservationType
    observed_at: datetime
    long: LegQuote
    short: LegQuote
    spread: float
    factors: Mapping[str, float] = field(default_factory=dict)
    caller: CallerPrediction = NO_PREDICTION
    source: str = "posted"

    @cached_property
    def key(self) -> PairKey:
        """What this observation is merged by."""
        return PairKey(self.symbol, self.type, self.long.venue, self.short.venue)

    @cached_property
    def evidence(self) -> dict[str, Any]:
        """All that was seen, as JSON values."""
        caller = self.caller
        return {
            "source": self.source,
            "observed_at": self.observed_at.isoformat(),
            "long": self.long.as_evidence(),
            "short": self.short.as_evidence(),
            "spread": self.spread,
            "factors": dict(self.factors),
            "caller": {"pnl_hat": caller.pnl_hat, "win_prob": caller.win_prob, "horizon_min": caller.horizon_min},
        }
