"""Bybit tells of positions by settlement coin and page: none of them may be taken for flat."""

from typing import Any

from common.venues.ccxt.account_bybit import BybitAccount
from common.venues.ccxt.facts import FACTS
from common.venues.ccxt.markets import Markets
from support.ledger_rows import NOON
from support.standing_clock import StandingClock


def market(base: str, settle: str) -> dict[str, Any]:
    return {
        "symbol": f"{base}/{settle}:{settle}",
        "base": base,
        "settle": settle,
        "swap": True,
        "linear": True,
        "active": True,
        "contractSize": 1.0,
        "precision": {"amount": 0.1, "price": 0.01},
    }


def long_of(symbol: str, next_page: str = "") -> dict[str, Any]:
    return {
        "symbol": symbol,
        "side": "long",
        "contracts": 2.0,
        "entryPrice": 100.0,
        "markPrice": 100.0,
        "leverage": 1.0,
        "info": {"nextPageCursor": next_page},
    }


class FakeExchange:
    """ccxt's Bybit as far as it lists positions."""

    def __init__(self, *listed: dict[str, Any]) -> None:
        self.markets = {one["symbol"]: one for one in listed}
        self.pages: dict[tuple[str, str], list[dict[str, Any]]] = {}

    async def load_markets(self, _reload: bool) -> dict[str, Any]:
        return self.markets

    def market(self, symbol: str) -> dict[str, Any]:
        return self.markets[symbol]

    async def fetch_positions(self, symbols: list[str] | None, asked: dict[str, str]) -> list[dict[str, Any]]:
        assert symbols is None
        return self.pages.get((asked.get("settleCoin", "USDT"), asked.get("cursor", "")), [])


async def test_positions_of_every_settlement_and_every_page_are_read() -> None:
    exchange = FakeExchange(market("SOL", "USDT"), market("ETH", "USDT"), market("NEW", "USDC"))
    exchange.pages = {
        ("USDT", ""): [long_of("SOL/USDT:USDT", next_page="2")],
        ("USDT", "2"): [long_of("ETH/USDT:USDT")],
        ("USDC", ""): [long_of("NEW/USDC:USDC")],
    }
    clock = StandingClock(NOON)
    account = BybitAccount(Markets("bybit", exchange, clock), FACTS["bybit"], clock)
    assert set(await account.positions()) == {"SOL", "ETH", "NEW"}
