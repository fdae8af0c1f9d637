"""ccxt clients, as a trader would make them, against simulated venues over a socket."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import ccxt.async_support as ccxt
import pytest

from support.simulated_venues import KEY, PASSPHRASE, SECRET, RunningVenue, running_venue

from .spoken import SPOKEN, Spoken

__all__ = ["Wire", "make_client"]


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

    @property
    def sol(self) -> str:
        """SOL's perpetual by ccxt's name."""
        return f"SOL/{self.spoken.settle}:{self.spoken.settle}"

    @property
    def eth(self) -> str:
        """ETH's."""
        return f"ETH/{self.spoken.settle}:{self.spoken.settle}"

    def client_id(self, name: str) -> str:
        """A client order id, in the venue's alphabet."""
        return self.spoken.client_id_form.format(name.encode().hex() if self.spoken.hexadecimal_client_ids else name)

    async def order(self, client_id: str) -> Any:
        """What the venue says of an order, asked for by its client id; filled in base units."""
        parameters = {self.spoken.client_id_parameter: self.client_id(client_id), **self.spoken.query}
        order = await self.client.fetch_order("", self.sol, parameters)
        return {**order, "filled": order["filled"] * self.spoken.contract_size}

    async def raw_order(self, **changes: Any) -> Any:
        """Sends one SOL bought at the market, changed, as it stands: ccxt corrects nothing on the way."""
        order = dict(self.spoken.order) | changes
        if self.protocol == "hyperliquid":
            order = self.signed({"type": "order", "orders": [order], "grouping": "na"})
        return await getattr(self.client, self.spoken.place)(order)

    def signed(self, signed_action: dict[str, Any], /, **changes: Any) -> dict[str, Any]:
        """A request of Hyperliquid, and what is changed in it after it was signed."""
        nonce = self.client.incrementing_nonce()
        signature = self.client.sign_l1_action(signed_action, nonce)
        return {"action": signed_action, "nonce": nonce, "signature": signature} | changes

    async def raw_book(self, symbol: str) -> Any:
        """The book as the venue answers it, in its envelope."""
        parameters = {self.spoken.symbol_parameter: symbol, **self.spoken.book_parameters}
        return await getattr(self.client, self.spoken.book)(parameters)

    def code(self, refusal: str) -> str:
        """A pattern of the error code of this venue for a refusal, as it stands in the body."""
        return self.spoken.code(refusal)

    async def create(self, side: str, quantity: float, client_id: str, *, reduce_only: bool = False) -> Any:
        """Sends a market order and answers what the venue answered."""
        params = {"clientOrderId": self.client_id(client_id), "reduceOnly": reduce_only}
        contracts = quantity / self.spoken.contract_size
        price = float(self.simulated.venue.mid("SOL")) if self.spoken.market_orders_need_a_price else None
        return await self.client.create_order(self.sol, "market", side, contracts, price, params)

    async def cancel(self, client_id: str) -> Any:
        """Cancels an order by its client id; ccxt wants Gate's in the place of the venue's id."""
        if self.protocol == "gate":
            return await self.client.cancel_order(self.client_id(client_id), self.sol)
        return await self.client.cancel_order(
            "", self.sol, {self.spoken.client_id_parameter: self.client_id(client_id)}
        )

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
