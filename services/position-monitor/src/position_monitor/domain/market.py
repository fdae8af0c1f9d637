"""What a trade could be closed for now: both books swept for the whole open quantity, or why there is no price.

A book that is missing, stale, crossed or too thin is no book.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from common.domain.funding import FundingTerms, funding_per_hour
from common.domain.identifiers import Leg
from common.domain.order_book import InsufficientDepth, OrderBook, Sweep
from common.domain.position import Valuation, value_position
from position_monitor.domain.trade import Trade

BOOK_MISSING = "book_missing"
"""The venue has not answered yet since the trade is watched."""


@dataclass(frozen=True, slots=True)
class Quote:
    """One leg's book as it was found: its age in real seconds, and why the last reading failed, if it did."""

    book: OrderBook | None
    age_seconds: float = 0.0
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class NoPrices:
    """Why a trade has no exit price now."""

    reason: str
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Market:
    """Everything outside of the ledger that a verdict looks at.

    Either `valuation` with the `sweeps` it came from, or `no_prices`. `terms` has the legs whose funding is known.
    """

    valuation: Valuation | None
    sweeps: Mapping[Leg, Sweep]
    no_prices: NoPrices | None
    quotes: Mapping[Leg, Quote]
    terms: Mapping[Leg, FundingTerms]

    @property
    def funding_per_hour(self) -> float | None:
        """SPEC 2, from each contract's own interval; None while a leg's terms are unknown."""
        if len(self.terms) < len(Leg):
            return None
        return funding_per_hour(self.terms[Leg.LONG], self.terms[Leg.SHORT])


def look(
    trade: Trade,
    quotes: Mapping[Leg, Quote],
    terms: Mapping[Leg, FundingTerms],
    funding_usdt: Decimal | None,
    book_age_seconds_max: float,
) -> Market:
    """Sweeps both books and values the trade on them."""
    priced = _sweep(trade, quotes, book_age_seconds_max)
    if isinstance(priced, NoPrices):
        return Market(None, {}, priced, quotes, terms)
    metric = trade.entry_metric_weighted
    if metric is None:
        return Market(None, priced, NoPrices("no_filled_entry", {}), quotes, terms)
    valuation = value_position(
        trade.leg(Leg.LONG),
        trade.leg(Leg.SHORT),
        metric,
        priced[Leg.LONG].price,
        priced[Leg.SHORT].price,
        fees_usdt=trade.fees_usdt,
        funding_usdt=funding_usdt,
    )
    return Market(valuation, priced, None, quotes, terms)


def _sweep(trade: Trade, quotes: Mapping[Leg, Quote], book_age_seconds_max: float) -> dict[Leg, Sweep] | NoPrices:
    sweeps: dict[Leg, Sweep] = {}
    for leg in Leg:
        found = _sweep_leg(trade, leg, quotes[leg], book_age_seconds_max)
        if isinstance(found, NoPrices):
            return found
        sweeps[leg] = found
    return sweeps


def _sweep_leg(trade: Trade, leg: Leg, quote: Quote, book_age_seconds_max: float) -> Sweep | NoPrices:
    figures: dict[str, Any] = {"leg": str(leg), "venue": trade.venues[leg]}
    quantity = trade.leg(leg).quantity
    if quantity <= 0:
        return NoPrices("leg_missing", {**figures, "quantity": str(quantity)})
    book = usable_book(quote, figures, book_age_seconds_max)
    if isinstance(book, NoPrices):
        return book
    side = book.bids if leg is Leg.LONG else book.asks
    try:
        return side.sweep_quantity(quantity)
    except InsufficientDepth as thin:
        depth = {"wanted": str(thin.wanted), "shortfall": str(thin.shortfall)}
        return NoPrices("insufficient_depth", {**figures, **depth})


def usable_book(quote: Quote, figures: Mapping[str, Any], book_age_seconds_max: float) -> OrderBook | NoPrices:
    """The book, where it may be traded on; otherwise why not, with `figures`."""
    if quote.book is None:
        return NoPrices(quote.failure or BOOK_MISSING, dict(figures))
    if quote.age_seconds > book_age_seconds_max:
        ages = {"age_seconds": round(quote.age_seconds, 3), "age_seconds_max": book_age_seconds_max}
        return NoPrices("book_stale", {**figures, **ages, "last_failure": quote.failure})
    if quote.book.is_crossed:
        best = {"bid": str(quote.book.bids.best), "ask": str(quote.book.asks.best)}
        return NoPrices("book_crossed", {**figures, **best})
    return quote.book
