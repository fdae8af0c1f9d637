"""ccxt clients, as a trader would make them, against simulated venues over a socket."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import ccxt.async_support as ccxt
import pytest

from support.simulated_venues import KEY, PASSPHRASE, SECRET, RunningVenue, running_venue

from .spoken import ETH, SOL, SPOKEN, Spoken

__all__ = ["ETH", "SOL", "Wire", "make_client"]


@dataclass
class Wire:
    """One venue and one client that trades there. Quantities are in base units here."""

    protocol: str
    simulated: RunningVenue
    client: Any

    @property
    def spoken(self) -> Spoken:
        """How the protocol is spoken."""
        return SPOKEN[self.protocol]

    async def order(self, client_id: str) -> Any:
        """What the venue says of an order, asked for by its client id; filled in base units."""
        parameters = {self.spoken.client_id_parameter: client_id, **self.spoken.query}
        order = await self.client.fetch_order("", SOL, parameters)
        return {**order, "filled": order["filled"] * self.spoken.contract_size}

    async def raw_order(self, **changes: Any) -> Any:
        """Sends one SOL bought at the market, changed, as it stands: ccxt corrects nothing on the way."""
        return await getattr(self.client, self.spoken.place)(dict(self.spoken.order) | changes)

    async def raw_book(self, symbol: str) -> Any:
        """The book as the venue answers it, in its envelope."""
        parameters = {self.spoken.symbol_parameter: symbol, **self.spoken.book_parameters}
        return await getattr(self.client, self.spoken.book)(parameters)

    def code(self, refusal: str) -> str:
        """A pattern of the error code of this venue for a refusal, as it stands in the body."""
        return self.spoken.code(refusal)

    async def create(self, side: str, quantity: float, client_id: str, *, reduce_only: bool = False) -> Any:
        """Sends a market order and answers what the venue answered."""
        params = {"clientOrderId": client_id, "reduceOnly": reduce_only}
        contracts = quantity / self.spoken.contract_size
        return await self.client.create_order(SOL, "market", side, contracts, None, params)

    async def market_order(self, side: str, quantity: float, client_id: str, *, reduce_only: bool = False) -> Any:
        """Sends a market order and answers its final state."""
        await self.create(side, quantity, client_id, reduce_only=reduce_only)
        return await self.order(client_id)


def move_urls(urls: Any, base: str) -> Any:
    """The nested addresses of a ccxt exchange, moved to another host."""
    if isinstance(urls, dict):
        return {name: move_urls(value, base) for name, value in urls.items()}
    parts, target = urlsplit(urls), urlsplit(base)
    return urlunsplit((target.scheme, target.netloc, parts.path, parts.query, ""))


def make_client(protocol: str, url: str, **changes: Any) -> Any:
    """A ccxt client with the right keys, unless changed."""
    spoken = SPOKEN[protocol]
    keys = dict(zip(spoken.credentials, (KEY, SECRET, PASSPHRASE), strict=False))
    client = getattr(ccxt, spoken.exchange_id)(
        {**keys, "enableRateLimit": False, "options": dict(spoken.options), **changes}
    )
    client.timeout_on_exit = 0
    client.has["fetchCurrencies"] = False
    client.urls["api"] = move_urls(client.urls["api"], url)
    return client


@pytest.fixture(params=sorted(SPOKEN))
async def wire(request: pytest.FixtureRequest) -> AsyncIterator[Wire]:
    async with running_venue(request.param) as simulated:
        client = make_client(request.param, simulated.url)
        try:
            await client.load_markets()
            yield Wire(request.param, simulated, client)
        finally:
            await client.close()
