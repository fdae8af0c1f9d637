"""Binance's public endpoints: instruments, books, tickers, funding, server time."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from venue_sim.dialects.binance.errors import BinanceError
from venue_sim.dialects.binance.fields import QUOTE, integer, required_symbol, venue_symbol
from venue_sim.dialects.wire import Call, Endpoint, Params, decimals_of, from_ms, rounded, text, to_ms, wall_clock_ms
from venue_sim.scenario import Instrument
from venue_sim.venue import Venue

_DEPTHS = (5, 10, 20, 50, 100, 500, 1000)
_FUNDING_HISTORY = timedelta(days=90)
_ONBOARDED_MS = 1_569_398_400_000
_DELIVERY_NEVER_MS = 4_133_404_800_000


class MarketEndpoints:
    """What Binance answers without a signature."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Mapping[tuple[str, str], Endpoint]:
        """Endpoints by method and path."""
        return {
            ("GET", "/fapi/v1/ping"): lambda _params, _call: {},
            ("GET", "/fapi/v1/time"): lambda _params, _call: {"serverTime": wall_clock_ms()},
            ("GET", "/fapi/v1/exchangeInfo"): self.exchange_info,
            ("GET", "/fapi/v1/depth"): self.depth,
            ("GET", "/fapi/v1/ticker/bookTicker"): self._one_or_all(self._book_ticker),
            ("GET", "/fapi/v1/ticker/24hr"): self._one_or_all(self._day_ticker),
            ("GET", "/fapi/v1/premiumIndex"): self._one_or_all(self._premium_index),
            ("GET", "/fapi/v1/fundingInfo"): self.funding_info,
            ("GET", "/fapi/v1/fundingRate"): self.funding_rates,
        }

    def exchange_info(self, _params: Params, _call: Call) -> Any:
        """Every listed contract with its filters."""
        return {
            "timezone": "UTC",
            "serverTime": wall_clock_ms(),
            "futuresType": "U_MARGINED",
            "rateLimits": [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
                {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
            ],
            "exchangeFilters": [],
            "assets": [{"asset": QUOTE, "marginAvailable": True, "autoAssetExchange": 0}],
            "symbols": [_contract(symbol, rules) for symbol, rules in self._venue.instruments.items()],
        }

    def depth(self, params: Params, _call: Call) -> Any:
        """The book of one symbol, best price first."""
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        limit = integer(params, "limit", 500)
        if limit not in _DEPTHS:
            raise BinanceError(-4021, f"{limit} is not valid depth limit.")
        book = self._venue.book(symbol)
        stamp = to_ms(book.time)
        return {
            "lastUpdateId": book.update_id,
            "E": stamp,
            "T": stamp,
            "bids": [[text(level.price), text(level.quantity)] for level in book.bids[:limit]],
            "asks": [[text(level.price), text(level.quantity)] for level in book.asks[:limit]],
        }

    def funding_info(self, _params: Params, _call: Call) -> Any:
        """The interval of every contract."""
        return [
            {
                "symbol": venue_symbol(symbol),
                "adjustedFundingRateCap": "0.02000000",
                "adjustedFundingRateFloor": "-0.02000000",
                "fundingIntervalHours": self._venue.funding(symbol).interval_hours,
                "disclaimer": False,
                "updateTime": to_ms(self._venue.now()),
            }
            for symbol in self._venue.instruments
        ]

    def funding_rates(self, params: Params, _call: Call) -> Any:
        """Settled rates, oldest first; the last 100 without a range."""
        symbols = [required_symbol(params)] if params.get("symbol") else list(self._venue.instruments)
        now = self._venue.now()
        since = integer(params, "startTime")
        until = integer(params, "endTime")
        limit = min(integer(params, "limit", 100) or 100, 1000)
        last = min(now, from_ms(until)) if until is not None else now
        first = max(from_ms(since - 1), last - _FUNDING_HISTORY) if since is not None else last - timedelta(days=7)
        rows = [
            {
                "symbol": venue_symbol(symbol),
                "fundingTime": to_ms(moment),
                "fundingRate": rounded(rate),
                "markPrice": text(self._venue.mark(symbol, moment)),
            }
            for symbol in symbols
            for moment, rate in self._venue.settled_rates(symbol, first, last)
        ]
        rows.sort(key=lambda row: (row["fundingTime"], row["symbol"]))
        return rows[:limit] if since is not None else rows[-limit:]

    def _one_or_all(self, describe: Callable[[str], dict[str, Any]]) -> Endpoint:
        """An endpoint that answers one object for a `symbol` and the list of all without."""

        def answer(params: Params, _call: Call) -> Any:
            if not params.get("symbol"):
                return [describe(symbol) for symbol in self._venue.instruments]
            symbol = required_symbol(params)
            self._venue.instrument(symbol)
            return describe(symbol)

        return answer

    def _book_ticker(self, symbol: str) -> dict[str, Any]:
        book = self._venue.book(symbol)
        bid_price, bid_quantity = _best(book.bids)
        ask_price, ask_quantity = _best(book.asks)
        return {
            "symbol": venue_symbol(symbol),
            "bidPrice": bid_price,
            "bidQty": bid_quantity,
            "askPrice": ask_price,
            "askQty": ask_quantity,
            "time": to_ms(book.time),
            "lastUpdateId": book.update_id,
        }

    def _day_ticker(self, symbol: str) -> dict[str, Any]:
        now = self._venue.now()
        day_ago = now - timedelta(days=1)
        last, opened = self._venue.mid(symbol), self._venue.mid(symbol, day_ago)
        tick = decimals_of(self._venue.instruments[symbol].price_tick)
        return {
            "symbol": venue_symbol(symbol),
            "priceChange": rounded(last - opened, tick),
            "priceChangePercent": rounded((last / opened - 1) * 100, 3),
            "weightedAvgPrice": rounded((last + opened) / 2, tick),
            "lastPrice": rounded(last, tick),
            "lastQty": "0",
            "openPrice": rounded(opened, tick),
            "highPrice": rounded(max(last, opened), tick),
            "lowPrice": rounded(min(last, opened), tick),
            "volume": "0",
            "quoteVolume": "0",
            "openTime": to_ms(day_ago),
            "closeTime": to_ms(now),
            "firstId": -1,
            "lastId": -1,
            "count": 0,
        }

    def _premium_index(self, symbol: str) -> dict[str, Any]:
        mark = text(self._venue.mark(symbol))
        funding = self._venue.funding(symbol)
        return {
            "symbol": venue_symbol(symbol),
            "markPrice": mark,
            "indexPrice": mark,
            "estimatedSettlePrice": mark,
            "lastFundingRate": rounded(funding.rate),
            "interestRate": "0.00010000",
            "nextFundingTime": to_ms(funding.next_time),
            "time": to_ms(self._venue.now()),
        }


def _best(side: Iterable[tuple[Any, Any]]) -> tuple[str, str]:
    for price, quantity in side:
        return text(price), text(quantity)
    return "0", "0"


def _contract(symbol: str, rules: Instrument) -> dict[str, Any]:
    lot = {
        "minQty": text(rules.quantity_min),
        "maxQty": text(rules.quantity_max),
        "stepSize": text(rules.quantity_step),
    }
    return {
        "symbol": venue_symbol(symbol),
        "pair": venue_symbol(symbol),
        "contractType": "PERPETUAL",
        "deliveryDate": _DELIVERY_NEVER_MS,
        "onboardDate": _ONBOARDED_MS,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": symbol,
        "quoteAsset": QUOTE,
        "marginAsset": QUOTE,
        "pricePrecision": decimals_of(rules.price_tick),
        "quantityPrecision": decimals_of(rules.quantity_step),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "settlePlan": 0,
        "triggerProtect": "0.0500",
        "liquidationFee": "0.015000",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": text(rules.price_tick),
                "maxPrice": "1000000",
                "tickSize": text(rules.price_tick),
            },
            {"filterType": "LOT_SIZE", **lot, "maxQty": text(rules.quantity_max * 10)},
            {"filterType": "MARKET_LOT_SIZE", **lot},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
            {"filterType": "MIN_NOTIONAL", "notional": text(rules.notional_min)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": "1.0500",
                "multiplierDown": "0.9500",
                "multiplierDecimal": "4",
            },
        ],
        "orderTypes": ["MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }
