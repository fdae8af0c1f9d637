"""What Hyperliquid answers at /info about its markets."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from venue_sim.dialects.hyperliquid.fields import figure, integer, page, required_coin, size_decimals
from venue_sim.dialects.wire import Call, Endpoint, Params, from_ms, to_ms, wall_clock_ms
from venue_sim.market import Book, Level
from venue_sim.matching import average_price
from venue_sim.venue import Venue

LEVELS_MAX = 20
_PAGE = 500
_IMPACT_NOTIONAL = Decimal(6000)
"""What the impact prices are the average prices of, in USD."""


class MarketEndpoints:
    """Readings that name no user."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def readings(self) -> dict[str, Endpoint]:
        """Endpoints by the request's `type`."""
        return {
            "exchangeStatus": self.status,
            "meta": self.meta,
            "metaAndAssetCtxs": self.contexts,
            "allMids": self.mids,
            "l2Book": self.book,
            "predictedFundings": self.predicted,
            "fundingHistory": self.funding_history,
        }

    def status(self, _params: Params, _call: Call) -> Any:
        """The real time."""
        return {"specialStatuses": None, "time": wall_clock_ms()}

    def meta(self, _params: Params, _call: Call) -> Any:
        """Every listed perpetual; an asset's number is its place here."""
        universe = [
            {"szDecimals": size_decimals(rules), "name": symbol, "maxLeverage": rules.max_leverage}
            for symbol, rules in self._venue.instruments.items()
        ]
        return {"universe": universe}

    def contexts(self, params: Params, call: Call) -> Any:
        """The same, and beside it prices and funding of each."""
        return [self.meta(params, call), [self._context(symbol) for symbol in self._venue.instruments]]

    def mids(self, _params: Params, _call: Call) -> Any:
        """The mid of each."""
        return {symbol: figure(self._venue.mark(symbol)) for symbol in self._venue.instruments}

    def book(self, params: Params, _call: Call) -> Any:
        """Twenty levels of each side at most, bids first."""
        return book_fields(self._venue.book(required_coin(params, self._venue)))

    def predicted(self, _params: Params, _call: Call) -> Any:
        """What settles next at this venue; the real one lists others beside it."""
        return [[symbol, [["HlPerp", self._predicted(symbol)]]] for symbol in self._venue.instruments]

    def funding_history(self, params: Params, _call: Call) -> Any:
        """Settled rates of one coin, oldest first."""
        symbol = required_coin(params, self._venue)
        now, start, end = self._venue.now(), integer(params, "startTime") or 0, integer(params, "endTime")
        last = now if end is None else min(now, from_ms(end))
        rows = [
            {"coin": symbol, "fundingRate": figure(rate), "premium": "0.0", "time": to_ms(moment)}
            for moment, rate in self._venue.settled_rates(symbol, max(from_ms(start), last - timedelta(days=60)), last)
        ]
        return page(params, rows, _PAGE)

    def _predicted(self, symbol: str) -> dict[str, Any]:
        funding = self._venue.funding(symbol)
        return {
            "fundingRate": figure(funding.rate),
            "nextFundingTime": to_ms(funding.next_time),
            "fundingIntervalHours": funding.interval_hours,
        }

    def _context(self, symbol: str) -> dict[str, Any]:
        book, mark = self._venue.book(symbol), figure(self._venue.mark(symbol))
        prices = [self._impact(book.bids), self._impact(book.asks)]
        return {
            "funding": figure(self._venue.funding(symbol).rate),
            "openInterest": "0.0",
            "prevDayPx": figure(self._venue.mark(symbol, self._venue.now() - timedelta(days=1))),
            "dayNtlVlm": "0.0",
            "premium": "0.0",
            "oraclePx": mark,
            "markPx": mark,
            "midPx": mark if None not in prices else None,
            "impactPxs": prices if None not in prices else None,
            "dayBaseVlm": "0.0",
        }

    def _impact(self, side: tuple[Level, ...]) -> str | None:
        """The average price of a trade of the usual notional."""
        if not side:
            return None
        wanted, taken = _IMPACT_NOTIONAL, []
        for row in side:
            part = min(row.quantity, wanted / row.price)
            taken.append(Level(row.price, part))
            wanted -= part * row.price
            if wanted <= 0:
                break
        return figure(average_price(taken, otherwise=side[0].price).quantize(side[0].price))


def book_fields(book: Book) -> dict[str, Any]:
    """A book as requests and streams show it."""

    def side(rows: tuple[Level, ...]) -> list[dict[str, Any]]:
        return [{"px": figure(row.price), "sz": figure(row.quantity), "n": 1} for row in rows[:LEVELS_MAX]]

    return {"coin": book.symbol, "time": to_ms(book.time), "levels": [side(book.bids), side(book.asks)]}
