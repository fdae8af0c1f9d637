"""Gate's public endpoints: contracts, books, tickers, funding, server time."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from venue_sim.dialects.gate.fields import (
    contract_name,
    integer,
    is_traded_in_parts,
    required_symbol,
    seconds,
    size,
)
from venue_sim.dialects.rest import Routes
from venue_sim.dialects.wire import Call, Params, decimals_of, rounded, text, to_ms, wall_clock_ms
from venue_sim.market import Level
from venue_sim.venue import Venue

_LEVELS_MAX, _LEVELS_DEFAULT = 300, 10
_FUNDING_HISTORY = timedelta(days=90)
_RATES_MAX, _RATES_DEFAULT = 1000, 100


class MarketEndpoints:
    """What Gate answers without a signature."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Routes:
        """Endpoints by method and path."""
        return {
            ("GET", "/api/v4/spot/time"): self.server_time,
            ("GET", "/api/v4/futures/usdt/contracts"): self.contracts,
            ("GET", "/api/v4/futures/usdt/contracts/{contract}"): self.contract,
            ("GET", "/api/v4/futures/usdt/order_book"): self.book,
            ("GET", "/api/v4/futures/usdt/tickers"): self.tickers,
            ("GET", "/api/v4/futures/usdt/funding_rate"): self.funding_history,
        }

    def server_time(self, _params: Params, _call: Call) -> Any:
        """The real time."""
        return {"server_time": wall_clock_ms()}

    def contracts(self, _params: Params, call: Call) -> Any:
        """Every listed contract."""
        return [self._contract(symbol, call) for symbol in self._venue.instruments]

    def contract(self, params: Params, call: Call) -> Any:
        """One contract."""
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        return self._contract(symbol, call)

    def book(self, params: Params, call: Call) -> Any:
        """The book of one contract, best price first."""
        symbol = required_symbol(params)
        rules, levels = self._venue.instrument(symbol), min(integer(params, "limit") or _LEVELS_DEFAULT, _LEVELS_MAX)
        book = self._venue.book(symbol)

        def side(rows: tuple[Level, ...]) -> list[dict[str, Any]]:
            return [{"p": text(row.price), "s": size(row.quantity, rules, call.headers)} for row in rows[:levels]]

        moment = seconds(book.time)
        content = {"current": moment, "update": moment, "asks": side(book.asks), "bids": side(book.bids)}
        return {"id": book.update_id, **content} if params.get("with_id") == "true" else content

    def tickers(self, params: Params, call: Call) -> Any:
        """Best prices of all contracts, or of one."""
        if not params.get("contract"):
            return [self._ticker(symbol, call) for symbol in self._venue.instruments]
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        return [self._ticker(symbol, call)]

    def funding_history(self, params: Params, _call: Call) -> Any:
        """Settled rates of one contract, newest first."""
        symbol, now = required_symbol(params), self._venue.now()
        settled = self._venue.settled_rates(symbol, now - _FUNDING_HISTORY, now)
        rows = [{"t": to_ms(moment) // 1000, "r": text(rate)} for moment, rate in settled]
        return rows[::-1][: min(integer(params, "limit") or _RATES_DEFAULT, _RATES_MAX)]

    def _ticker(self, symbol: str, call: Call) -> dict[str, Any]:
        book, now, rules = self._venue.book(symbol), self._venue.now(), self._venue.instruments[symbol]
        last, opened = self._venue.mid(symbol), self._venue.mid(symbol, now - timedelta(days=1))
        tick = decimals_of(rules.price_tick)
        bid, ask = next(iter(book.bids), None), next(iter(book.asks), None)
        mark, rate = text(self._venue.mark(symbol)), text(self._venue.funding(symbol).rate)
        return {
            "contract": contract_name(symbol),
            "last": rounded(last, tick),
            "low_24h": rounded(min(last, opened), tick),
            "high_24h": rounded(max(last, opened), tick),
            "change_percentage": rounded((last / opened - 1) * 100, 2),
            "total_size": "0",
            **dict.fromkeys(_VOLUMES, "0"),
            "mark_price": mark,
            "funding_rate": rate,
            "funding_rate_indicative": rate,
            "index_price": mark,
            "quanto_multiplier": text(rules.contract_size),
            "highest_bid": text(bid.price) if bid else "",
            "highest_size": size(bid.quantity, rules, call.headers) if bid else "",
            "lowest_ask": text(ask.price) if ask else "",
            "lowest_size": size(ask.quantity, rules, call.headers) if ask else "",
        }

    def _contract(self, symbol: str, call: Call) -> dict[str, Any]:
        rules, funding = self._venue.instruments[symbol], self._venue.funding(symbol)
        mark, rate = text(self._venue.mark(symbol)), text(funding.rate)
        return {
            "name": contract_name(symbol),
            "type": "direct",
            "quanto_multiplier": text(rules.contract_size),
            "ref_discount_rate": "0",
            "order_price_deviate": "0.5",
            "maintenance_rate": "0.005",
            "mark_type": "index",
            "last_price": rounded(self._venue.mid(symbol), decimals_of(rules.price_tick)),
            "mark_price": mark,
            "index_price": mark,
            "funding_rate_indicative": rate,
            "mark_price_round": text(rules.price_tick),
            "funding_offset": 0,
            "in_delisting": False,
            "risk_limit_base": "1000000",
            "interest_rate": "0.0003",
            "order_price_round": text(rules.price_tick),
            "order_size_min": size(rules.quantity_min, rules, call.headers),
            "ref_rebate_rate": "0.2",
            "funding_interval": funding.interval_hours * 3600,
            "risk_limit_step": "1000000",
            "leverage_min": "1",
            "leverage_max": str(rules.max_leverage),
            "risk_limit_max": "8000000",
            "maker_fee_rate": "-0.0001",
            "taker_fee_rate": "0.00075",
            "funding_rate": rate,
            # As at the venue, limit orders may be larger than market orders.
            "order_size_max": size(rules.quantity_max * 10, rules, call.headers),
            "market_order_size_max": str(size(rules.quantity_max, rules, call.headers)),
            "funding_next_apply": to_ms(funding.next_time) // 1000,
            "short_users": 0,
            "config_change_time": 1609899548,
            "trade_size": size(Decimal(0), rules, call.headers),
            "position_size": size(Decimal(0), rules, call.headers),
            "long_users": 0,
            "funding_impact_value": "60000",
            "orders_limit": 50,
            "trade_id": 1,
            "orderbook_id": self._venue.market_book(symbol).update_id,
            "enable_bonus": True,
            "enable_credit": True,
            "create_time": 1669688556,
            "funding_cap_ratio": "0.75",
            "enable_decimal": is_traded_in_parts(rules),
            "status": "trading",
        }


_VOLUMES = (
    *("volume_24h", "volume_24h_btc", "volume_24h_usd"),
    *("volume_24h_base", "volume_24h_quote", "volume_24h_settle"),
)
