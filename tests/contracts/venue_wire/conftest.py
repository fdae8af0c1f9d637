"""ccxt clients, as a trader would make them, against simulated venues over a socket."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import ccxt.async_support as ccxt
import pytest

from support.simulated_venues import KEY, SECRET, RunningVenue, running_venue

PROTOCOLS = {"binance": "binanceusdm", "bybit": "bybit"}
OPTIONS = {
    "binance": {"fetchCurrencies": False, "fetchMargins": False},
    "bybit": {
        "enableUnifiedAccount": True,
        "enableUnifiedMargin": False,
        "unifiedMarginStatus": 6,
        "fetchMarkets": {"types": ["linear"]},
    },
}
SOL, ETH = "SOL/USDT:USDT", "ETH/USDT:USDT"


@dataclass
class Wire:
    """One venue and one client that trades there."""

    protocol: str
    simulated: RunningVenue
    client: Any

    async def order(self, client_id: str) -> Any:
        """What the venue says of an order, asked for by its client id."""
        if self.protocol == "binance":
            return await self.client.fetch_order("", SOL, {"origClientOrderId": client_id})
        return await self.client.fetch_order("", SOL, {"orderLinkId": client_id, "acknowledged": True})

    async def raw_order(self, **changes: Any) -> Any:
        """Sends one SOL bought at the market, changed, as it stands: ccxt corrects nothing on the way."""
        if self.protocol == "binance":
            order = {"symbol": "SOLUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
            return await self.client.fapiPrivatePostOrder(order | changes)
        order = {"category": "linear", "symbol": "SOLUSDT", "side": "Buy", "orderType": "Market", "qty": "1"}
        return await self.client.privatePostV5OrderCreate(order | changes)

    async def raw_book(self, symbol: str) -> Any:
        """The book as the venue answers it."""
        if self.protocol == "binance":
            return await self.client.fapiPublicGetDepth({"symbol": symbol})
        return (await self.client.publicGetV5MarketOrderbook({"category": "linear", "symbol": symbol}))["result"]

    def code(self, binance: int, bybit: int) -> str:
        """The error code of this venue, as it stands in the body."""
        return f'"code":{binance},' if self.protocol == "binance" else f'"retCode":{bybit},'

    async def market_order(self, side: str, quantity: float, client_id: str, *, reduce_only: bool = False) -> Any:
        """Sends a market order and answers its final state."""
        params = {"clientOrderId": client_id, "reduceOnly": reduce_only}
        await self.client.create_order(SOL, "market", side, quantity, None, params)
        return await self.order(client_id)


def move_urls(urls: Any, base: str) -> Any:
    """The nested addresses of a ccxt exchange, moved to another host."""
    if isinstance(urls, dict):
        return {name: move_urls(value, base) for name, value in urls.items()}
    parts, target = urlsplit(urls), urlsplit(base)
    return urlunsplit((target.scheme, target.netloc, parts.path, parts.query, ""))


def make_client(protocol: str, url: str, **changes: Any) -> Any:
    """A ccxt client with the right keys, unless changed."""
    client = getattr(ccxt, PROTOCOLS[protocol])(
        {"apiKey": KEY, "secret": SECRET, "enableRateLimit": False, "options": OPTIONS[protocol], **changes}
    )
    client.timeout_on_exit = 0
    client.has["fetchCurrencies"] = False
    client.urls["api"] = move_urls(client.urls["api"], url)
    return client


@pytest.fixture(params=sorted(PROTOCOLS))
async def wire(request: pytest.FixtureRequest) -> AsyncIterator[Wire]:
    async with running_venue(request.param) as simulated:
        client = make_client(request.param, simulated.url)
        try:
            await client.load_markets()
            yield Wire(request.param, simulated, client)
        finally:
            await client.close()
