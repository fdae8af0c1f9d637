"""Bybit's public endpoints: instruments, books, tickers with funding, server time."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from venue_sim.dialects.bybit.fields import QUOTE, category, integer, linear_symbol, venue_symbol
from venue_sim.dialects.wire import Call, Endpoint, Params, base_asset, decimals_of, from_ms, rounded, text, to_ms
from venue_sim.scenario import Instrument
from venue_sim.venue import Venue

_BOOK_LEVELS_MAX = 500
_LAUNCHED_MS = "1585526400000"
_FUNDING_HISTORY = timedelta(days=90)


class MarketEndpoints:
    """What Bybit answers without a signature."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Mapping[tuple[str, str], Endpoint]:
        """Endpoints by method and path."""
        return {
            ("GET", "/v5/market/time"): self.server_time,
            ("GET", "/v5/market/instruments-info"): self.instruments,
            ("GET", "/v5/market/orderbook"): self.order_book,
            ("GET", "/v5/market/tickers"): self.tickers,
            ("GET", "/v5/market/funding/history"): self.funding_history,
        }

    def server_time(self, _params: Params, _call: Call) -> Any:
        """The real time."""
        now_ns = time.time_ns()
        return {"timeSecond": str(now_ns // 1_000_000_000), "timeNano": str(now_ns)}

    def instruments(self, params: Params, _call: Call) -> Any:
        """Every listed contract of a category; nothing is in pre-launch."""
        kind = category(params)
        rows = []
        if kind == "linear" and params.get("status", "Trading") == "Trading":
            rows = [
                _contract(symbol, self._venue.instruments[symbol], self._venue.funding(symbol).interval_hours)
                for symbol in self._asked(params)
            ]
        return {"category": kind, "list": rows, "nextPageCursor": ""}

    def order_book(self, params: Params, _call: Call) -> Any:
        """The book of one symbol, best price first."""
        symbol = linear_symbol(params)
        self._venue.instrument(symbol)
        limit = min(max(integer(params, "limit") or 25, 1), _BOOK_LEVELS_MAX)
        book = self._venue.book(symbol)
        return {
            "s": venue_symbol(symbol),
            "b": [[text(level.price), text(level.quantity)] for level in book.bids[:limit]],
            "a": [[text(level.price), text(level.quantity)] for level in book.asks[:limit]],
            "ts": to_ms(book.time),
            "u": book.update_id,
            "seq": book.update_id,
            "cts": to_ms(book.time),
        }

    def tickers(self, params: Params, _call: Call) -> Any:
        """Best prices, mark and funding: of one symbol or of all."""
        kind = category(params)
        rows = [self._ticker(symbol) for symbol in self._asked(params)] if kind == "linear" else []
        return {"category": kind, "list": rows}

    def funding_history(self, params: Params, _call: Call) -> Any:
        """Settled rates of one symbol, newest first."""
        symbol = linear_symbol(params)
        self._venue.instrument(symbol)
        start, end = integer(params, "startTime"), integer(params, "endTime")
        limit = min(max(integer(params, "limit") or 200, 1), 200)
        now = self._venue.now()
        last = min(now, from_ms(end)) if end is not None else now
        first = last - _FUNDING_HISTORY if start is None else max(from_ms(start - 1), last - _FUNDING_HISTORY)
        rows = [
            {
                "symbol": venue_symbol(symbol),
                "fundingRate": text(rate),
                "fundingRateTimestamp": str(to_ms(moment)),
            }
            for moment, rate in self._venue.settled_rates(symbol, first, last)
        ]
        return {"category": "linear", "list": rows[::-1][:limit]}

    def _asked(self, params: Params) -> list[str]:
        if not params.get("symbol"):
            return list(self._venue.instruments)
        symbol = base_asset(params["symbol"])
        self._venue.instrument(symbol)
        return [symbol]

    def _ticker(self, symbol: str) -> dict[str, Any]:
        book, funding = self._venue.book(symbol), self._venue.funding(symbol)
        now = self._venue.now()
        last, opened = self._venue.mid(symbol), self._venue.mid(symbol, now - timedelta(days=1))
        hour_ago = self._venue.mid(symbol, now - timedelta(hours=1))
        tick = decimals_of(self._venue.instruments[symbol].price_tick)
        bid, ask = next(iter(book.bids), None), next(iter(book.asks), None)
        mark = text(self._venue.mark(symbol))
        return {
            "symbol": venue_symbol(symbol),
            "lastPrice": rounded(last, tick),
            "indexPrice": mark,
            "markPrice": mark,
            "prevPrice24h": rounded(opened, tick),
            "price24hPcnt": rounded(last / opened - 1, 6),
            "highPrice24h": rounded(max(last, opened), tick),
            "lowPrice24h": rounded(min(last, opened), tick),
            "prevPrice1h": rounded(hour_ago, tick),
            "openInterest": "0",
            "openInterestValue": "0",
            "turnover24h": "0",
            "volume24h": "0",
            "fundingRate": text(funding.rate),
            "nextFundingTime": str(to_ms(funding.next_time)),
            "fundingIntervalHour": str(funding.interval_hours),
            "predictedDeliveryPrice": "",
            "basisRate": "",
            "deliveryFeeRate": "",
            "deliveryTime": "0",
            "basis": "",
            "bid1Price": text(bid.price) if bid else "",
            "bid1Size": text(bid.quantity) if bid else "",
            "ask1Price": text(ask.price) if ask else "",
            "ask1Size": text(ask.quantity) if ask else "",
        }


def _contract(symbol: str, rules: Instrument, interval_hours: int) -> dict[str, Any]:
    return {
        "symbol": venue_symbol(symbol),
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": symbol,
        "quoteCoin": QUOTE,
        "launchTime": _LAUNCHED_MS,
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(decimals_of(rules.price_tick)),
        "leverageFilter": {
            "minLeverage": "1",
            "maxLeverage": f"{rules.max_leverage}.00",
            "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": text(rules.price_tick),
            "maxPrice": "1999999.98",
            "tickSize": text(rules.price_tick),
        },
        "lotSizeFilter": {
            "maxOrderQty": text(rules.quantity_max * 10),
            "maxMktOrderQty": text(rules.quantity_max),
            "minOrderQty": text(rules.quantity_min),
            "qtyStep": text(rules.quantity_step),
            "postOnlyMaxOrderQty": text(rules.quantity_max * 10),
            "minNotionalValue": text(rules.notional_min),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": interval_hours * 60,
        "settleCoin": QUOTE,
        "copyTrading": "both",
        "upperFundingRate": "0.02",
        "lowerFundingRate": "-0.02",
        "isPreListing": False,
        "preListingInfo": None,
    }
