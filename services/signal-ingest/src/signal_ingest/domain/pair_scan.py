"""What one look at the best prices of several venues shows: an observation for each two venues of a symbol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import combinations

from common.domain.funding import FundingTerms, funding_per_hour
from common.domain.spread import entry_spread_metric
from signal_ingest.domain.observation import LegQuote, Observation


@dataclass(frozen=True, slots=True)
class VenueQuote:
    """One symbol's best prices on one venue, in USDT, and its funding where that is known."""

    venue: str
    bid: Decimal
    ask: Decimal
    funding: FundingTerms | None


def pair_observations(quotes: Mapping[str, Sequence[VenueQuote]], now: datetime) -> list[Observation]:
    """For each symbol and each two venues the better of both directions, triggered or not.

    The dear venue counts with its best bid, the cheap one with its best ask. SPEC 3, Scanner. A venue whose own bid
    is not below its ask shows no price that could be traded, and is left out.
    """
    return [
        _better_direction(symbol, first, second, now)
        for symbol, venues in quotes.items()
        for first, second in combinations([quote for quote in venues if quote.bid < quote.ask], 2)
    ]


def _better_direction(symbol: str, first: VenueQuote, second: VenueQuote, now: datetime) -> Observation:
    if second.bid * second.ask >= first.bid * first.ask:
        long, short = first, second
    else:
        long, short = second, first
    factors = {}
    if long.funding is not None and short.funding is not None:
        factors["funding_per_hour"] = funding_per_hour(long.funding, short.funding)
    return Observation(
        symbol=symbol,
        type="B",
        observed_at=now,
        long=_leg(long.venue, long.ask, long.funding),
        short=_leg(short.venue, short.bid, short.funding),
        spread=entry_spread_metric(long.ask, short.bid),
        factors=factors,
        source="scanner",
    )


def _leg(venue: str, price: Decimal, funding: FundingTerms | None) -> LegQuote:
    if funding is None:
        return LegQuote(venue, price)
    return LegQuote(venue, price, funding.rate, funding.interval_hours, funding.next_at)
