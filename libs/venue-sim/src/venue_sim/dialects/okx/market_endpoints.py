"""OKX's public endpoints: instruments, books, tickers, funding, server time."""

from datetime import timedelta
from typing import Any

from venue_sim.dialects.okx.fields import (
    KIND,
    PAGE_MAX,
    QUOTE,
    contracts,
    instrument_id,
    integer,
    required,
    required_symbol,
)
from venue_sim.dialects.rest import Routes
from venue_sim.dialects.wire import Call, Params, decimals_of, from_ms, rounded, text, to_ms, wall_clock_ms
from venue_sim.market import Level
from venue_sim.scenario import Instrument
from venue_sim.venue import Venue

_LISTED_MS = "1585526400000"
_LEVELS_MAX = 400
_FUNDING_HISTORY = timedelta(days=90)


class MarketEndpoints:
    """What OKX answers without a signature."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Routes:
        """Endpoints by method and path."""
        return {
            ("GET", "/api/v5/public/time"): self.server_time,
            ("GET", "/api/v5/public/instruments"): self.instruments,
            ("GET", "/api/v5/market/books"): self.books,
            ("GET", "/api/v5/market/tickers"): self.tickers,
            ("GET", "/api/v5/public/funding-rate"): self.funding_rate,
            ("GET", "/api/v5/public/funding-rate-history"): self.funding_history,
        }

    def server_time(self, _params: Params, _call: Call) -> Any:
        """The real time."""
        return [{"ts": str(wall_clock_ms())}]

    def instruments(self, params: Params, _call: Call) -> Any:
        """Every listed swap."""
        if required(params, "instType") != KIND:
            return []
        return [_instrument(symbol, rules) for symbol, rules in self._venue.instruments.items()]

    def books(self, params: Params, _call: Call) -> Any:
        """The book of one instrument, best price first: price, contracts, liquidated orders, orders."""
        symbol = required_symbol(params)
        rules, levels = self._venue.instrument(symbol), min(integer(params, "sz") or 1, _LEVELS_MAX)
        book = self._venue.book(symbol)

        def side(rows: tuple[Level, ...]) -> list[list[str]]:
            return [[text(row.price), contracts(row.quantity, rules), "0", "1"] for row in rows[:levels]]

        return [{"asks": side(book.asks), "bids": side(book.bids), "ts": str(to_ms(book.time))}]

    def tickers(self, params: Params, _call: Call) -> Any:
        """Best prices of all instruments of a kind."""
        if required(params, "instType") != KIND:
            return []
        return [self._ticker(symbol) for symbol in self._venue.instruments]

    def funding_rate(self, params: Params, _call: Call) -> Any:
        """The rate of the next settlement (`fundingTime`), and when the one after it is; of `ANY`: of all swaps."""
        if required(params, "instId") == "ANY":
            return [self._funding(symbol) for symbol in self._venue.instruments]
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        return [self._funding(symbol)]

    def funding_history(self, params: Params, _call: Call) -> Any:
        """Settled rates of one instrument, newest first."""
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        now, after, before = self._venue.now(), integer(params, "after"), integer(params, "before")
        last = now if after is None else min(now, from_ms(after - 1))
        first = last - _FUNDING_HISTORY if before is None else max(from_ms(before), last - _FUNDING_HISTORY)
        rows = [
            {
                "fundingRate": text(rate),
                "fundingTime": str(to_ms(moment)),
                "instId": instrument_id(symbol),
                "instType": KIND,
                "method": "current_period",
                "realizedRate": text(rate),
            }
            for moment, rate in self._venue.settled_rates(symbol, first, last)
        ]
        return rows[::-1][: min(integer(params, "limit") or PAGE_MAX, PAGE_MAX)]

    def _ticker(self, symbol: str) -> dict[str, Any]:
        book, now, rules = self._venue.book(symbol), self._venue.now(), self._venue.instruments[symbol]
        last, opened = self._venue.mid(symbol), self._venue.mid(symbol, now - timedelta(days=1))
        tick = decimals_of(rules.price_tick)
        bid, ask = next(iter(book.bids), None), next(iter(book.asks), None)
        return {
            "instType": KIND,
            "instId": instrument_id(symbol),
            "last": rounded(last, tick),
            "lastSz": "1",
            "askPx": text(ask.price) if ask else "",
            "askSz": contracts(ask.quantity, rules) if ask else "",
            "bidPx": text(bid.price) if bid else "",
            "bidSz": contracts(bid.quantity, rules) if bid else "",
            "open24h": rounded(opened, tick),
            "high24h": rounded(max(last, opened), tick),
            "low24h": rounded(min(last, opened), tick),
            "volCcy24h": "0",
            "vol24h": "0",
            "sodUtc0": rounded(opened, tick),
            "sodUtc8": rounded(opened, tick),
            "ts": str(to_ms(now)),
        }

    def _funding(self, symbol: str) -> dict[str, Any]:
        funding = self._venue.funding(symbol)
        after_next = funding.next_time + timedelta(hours=funding.interval_hours)
        return {
            "fundingRate": text(funding.rate),
            "fundingTime": str(to_ms(funding.next_time)),
            "instId": instrument_id(symbol),
            "instType": KIND,
            "method": "current_period",
            "maxFundingRate": "0.015",
            "minFundingRate": "-0.015",
            "nextFundingRate": "",
            "nextFundingTime": str(to_ms(after_next)),
            "premium": "0",
            "settFundingRate": text(funding.rate),
            "settState": "settled",
            "ts": str(to_ms(self._venue.now())),
        }


def _instrument(symbol: str, rules: Instrument) -> dict[str, Any]:
    most = contracts(rules.quantity_max, rules)
    return {
        "alias": "",
        "baseCcy": "",
        "category": "1",
        "ctMult": "1",
        "ctType": "linear",
        "ctVal": text(rules.contract_size),
        "ctValCcy": symbol,
        "expTime": "",
        "instFamily": f"{symbol}-{QUOTE}",
        "instId": instrument_id(symbol),
        "instType": KIND,
        "lever": str(rules.max_leverage),
        "listTime": _LISTED_MS,
        "lotSz": contracts(rules.quantity_step, rules),
        "maxIcebergSz": most,
        "maxLmtAmt": "20000000",
        # As at the venue, limit orders may be larger than market orders.
        "maxLmtSz": contracts(rules.quantity_max * 10, rules),
        "maxMktAmt": "",
        "maxMktSz": most,
        "maxStopSz": most,
        "maxTriggerSz": most,
        "maxTwapSz": most,
        "minSz": contracts(rules.quantity_min, rules),
        "optType": "",
        "quoteCcy": "",
        "settleCcy": QUOTE,
        "state": "live",
        "stk": "",
        "tickSz": text(rules.price_tick),
        "uly": f"{symbol}-{QUOTE}",
    }
