"""Bitget's public endpoints: contracts, books, tickers, funding, server time."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from venue_sim.dialects.bitget.fields import QUOTE, integer, is_our_product, required_symbol, venue_symbol
from venue_sim.dialects.rest import Routes
from venue_sim.dialects.wire import Call, Params, decimals_of, rounded, text, to_ms, wall_clock_ms
from venue_sim.market import Level
from venue_sim.scenario import Instrument
from venue_sim.venue import Venue

_LEVELS_MAX, _LEVELS_DEFAULT = 1000, 100
_FUNDING_HISTORY = timedelta(days=90)
_RATES_MAX, _RATES_DEFAULT = 100, 20


class MarketEndpoints:
    """What Bitget answers without a signature."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Routes:
        """Endpoints by method and path."""
        return {
            ("GET", "/api/v2/public/time"): self.server_time,
            ("GET", "/api/v2/mix/market/contracts"): self.contracts,
            ("GET", "/api/v2/mix/market/merge-depth"): self.book,
            ("GET", "/api/v2/mix/market/tickers"): self.tickers,
            ("GET", "/api/v2/mix/market/ticker"): self.ticker,
            ("GET", "/api/v2/mix/market/current-fund-rate"): self.funding_rate,
            ("GET", "/api/v2/mix/market/funding-time"): self.funding_time,
            ("GET", "/api/v2/mix/market/history-fund-rate"): self.funding_history,
        }

    def server_time(self, _params: Params, _call: Call) -> Any:
        """The real time."""
        return {"serverTime": str(wall_clock_ms())}

    def contracts(self, params: Params, _call: Call) -> Any:
        """Every listed contract of a product, or one."""
        return [_contract(symbol, self._venue.instrument(symbol)) for symbol in self._symbols(params)]

    def book(self, params: Params, _call: Call) -> Any:
        """The book of one contract, best price first: price and base units, as numbers."""
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        asked = params.get("limit", "")
        levels = _LEVELS_MAX if asked == "max" else min(integer(params, "limit") or _LEVELS_DEFAULT, _LEVELS_MAX)
        book = self._venue.book(symbol)

        def side(rows: tuple[Level, ...]) -> list[list[float]]:
            return [[float(row.price), float(row.quantity)] for row in rows[:levels]]

        return {
            "asks": side(book.asks),
            "bids": side(book.bids),
            "ts": str(to_ms(book.time)),
            "scale": text(self._venue.instruments[symbol].price_tick),
            "precision": "scale0",
            "isMaxPrecision": "NO",
        }

    def tickers(self, params: Params, _call: Call) -> Any:
        """Best prices of all contracts of a product."""
        return [self._ticker(symbol) for symbol in self._venue.instruments] if is_our_product(params) else []

    def ticker(self, params: Params, _call: Call) -> Any:
        """Best prices of one contract."""
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        return [self._ticker(symbol)]

    def funding_rate(self, params: Params, _call: Call) -> Any:
        """The rate of the next settlement, when that is, and the interval; of all contracts, or of one."""
        return [self._funding(symbol) for symbol in self._symbols(params)]

    def funding_time(self, params: Params, _call: Call) -> Any:
        """When the next settlement of one contract is."""
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        funding = self._venue.funding(symbol)
        return [
            {
                "symbol": venue_symbol(symbol),
                "nextFundingTime": str(to_ms(funding.next_time)),
                "ratePeriod": str(funding.interval_hours),
            }
        ]

    def funding_history(self, params: Params, _call: Call) -> Any:
        """Settled rates of one contract, newest first."""
        symbol = required_symbol(params)
        now, size = self._venue.now(), min(integer(params, "pageSize") or _RATES_DEFAULT, _RATES_MAX)
        first = size * ((integer(params, "pageNo") or 1) - 1)
        rows = [
            {"symbol": venue_symbol(symbol), "fundingRate": text(rate), "fundingTime": str(to_ms(moment))}
            for moment, rate in self._venue.settled_rates(symbol, now - _FUNDING_HISTORY, now)
        ]
        return rows[::-1][first : first + size]

    def _symbols(self, params: Params) -> list[str]:
        if not is_our_product(params):
            return []
        if not params.get("symbol"):
            return list(self._venue.instruments)
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        return [symbol]

    def _ticker(self, symbol: str) -> dict[str, Any]:
        book, now, rules = self._venue.book(symbol), self._venue.now(), self._venue.instruments[symbol]
        last, opened = self._venue.mid(symbol), self._venue.mid(symbol, now - timedelta(days=1))
        tick = decimals_of(rules.price_tick)
        bid, ask = next(iter(book.bids), None), next(iter(book.asks), None)
        return {
            "symbol": venue_symbol(symbol),
            "lastPr": rounded(last, tick),
            "askPr": text(ask.price) if ask else "",
            "bidPr": text(bid.price) if bid else "",
            "bidSz": text(bid.quantity) if bid else "",
            "askSz": text(ask.quantity) if ask else "",
            "high24h": rounded(max(last, opened), tick),
            "low24h": rounded(min(last, opened), tick),
            "ts": str(to_ms(now)),
            "change24h": rounded(last / opened - 1, 5),
            "baseVolume": "0",
            "quoteVolume": "0",
            "usdtVolume": "0",
            "openUtc": rounded(opened, tick),
            "changeUtc24h": rounded(last / opened - 1, 5),
            "indexPrice": text(self._venue.mark(symbol)),
            "fundingRate": text(self._venue.funding(symbol).rate),
            "holdingAmount": "0",
            "deliveryStartTime": None,
            "deliveryTime": None,
            "deliveryStatus": "",
            "open24h": rounded(opened, tick),
            "markPrice": text(self._venue.mark(symbol)),
        }

    def _funding(self, symbol: str) -> dict[str, Any]:
        funding = self._venue.funding(symbol)
        return {
            "symbol": venue_symbol(symbol),
            "fundingRate": text(funding.rate),
            "fundingRateInterval": str(funding.interval_hours),
            "nextUpdate": str(to_ms(funding.next_time)),
            "minFundingRate": "-0.015",
            "maxFundingRate": "0.015",
        }


def _contract(symbol: str, rules: Instrument) -> dict[str, Any]:
    places = decimals_of(rules.price_tick)
    return {
        "symbol": venue_symbol(symbol),
        "baseCoin": symbol,
        "quoteCoin": QUOTE,
        "buyLimitPriceRatio": "0.05",
        "sellLimitPriceRatio": "0.05",
        "feeRateUpRatio": "0.005",
        "makerFeeRate": "0.0002",
        "takerFeeRate": "0.0006",
        "openCostUpRatio": "0.01",
        "supportMarginCoins": [QUOTE],
        "minTradeNum": text(rules.quantity_min),
        # The tick in units of the last decimal of a price.
        "priceEndStep": text((rules.price_tick * Decimal(10) ** places).normalize()),
        "volumePlace": str(decimals_of(rules.quantity_step)),
        "pricePlace": str(places),
        "sizeMultiplier": text(rules.quantity_step),
        "symbolType": "perpetual",
        "minTradeUSDT": text(rules.notional_min),
        "maxSymbolOrderNum": "200",
        "maxProductOrderNum": "1000",
        "maxPositionNum": "150",
        "symbolStatus": "normal",
        "offTime": "-1",
        "limitOpenTime": "-1",
        "deliveryTime": "",
        "deliveryStartTime": "",
        "deliveryPeriod": "",
        "launchTime": "",
        "fundInterval": str(rules.funding_interval_hours),
        "minLever": "1",
        "maxLever": str(rules.max_leverage),
        "posLimit": "0.1",
        "maintainTime": "",
        # As at the venue, limit orders may be larger than market orders.
        "maxMarketOrderQty": text(rules.quantity_max),
        "maxOrderQty": text(rules.quantity_max * 10),
    }
