"""From ccxt's markets to ours: which contracts are traded, by base asset, and their rules in base units.

ccxt hands out binary floats made from the venue's decimal text; `str` of such a float is that text again, so
`Decimal(str(x))` is exact for figures of up to 15 digits.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from common.domain.identifiers import SYMBOL_PATTERN
from common.domain.instruments import Instrument
from common.venues.errors import VenueRefused

_SETTLEMENTS = ("USDT", "USDC")
_SYMBOL = re.compile(SYMBOL_PATTERN)


def decimal(figure: Any) -> Decimal:
    """A figure of ccxt (float, int or text), exactly as the venue wrote it."""
    return Decimal(str(figure))


def optional_decimal(figure: Any) -> Decimal | None:
    """As `decimal`; None stays None."""
    return None if figure is None else decimal(figure)


class Markets:
    """The linear perpetuals of one venue, loaded once, and the ccxt exchange that trades them."""

    def __init__(self, venue: str, exchange: Any) -> None:
        self.venue = venue
        self.exchange = exchange
        self._markets: dict[str, Mapping[str, Any]] = {}
        self._symbols: dict[str, str] = {}

    async def load(self) -> Mapping[str, Mapping[str, Any]]:
        """ccxt's market of each of our symbols."""
        if not self._markets:
            await self.exchange.load_markets()
            self._markets = _linear_perpetuals(self.exchange.markets.values())
            self._symbols = {market["symbol"]: symbol for symbol, market in self._markets.items()}
        return self._markets

    async def market(self, symbol: str) -> Mapping[str, Any]:
        """ccxt's market of our symbol.

        Raises:
            VenueRefused: the venue does not list it.
        """
        market = (await self.load()).get(symbol)
        if market is None:
            raise VenueRefused(self.venue, f"{symbol} is not listed")
        return market

    async def unified(self, symbol: str) -> str:
        """ccxt's name of our symbol; raises as `market`."""
        return str((await self.market(symbol))["symbol"])

    def symbol_of(self, unified: str | None) -> str | None:
        """Our symbol of ccxt's name, or None of a contract that is not ours."""
        return self._symbols.get(unified or "")

    def instrument(self, symbol: str, market: Mapping[str, Any]) -> Instrument:
        """The trading rules in base units."""
        size = decimal(market["contractSize"])
        limits = market["limits"]
        largest = [limit["max"] for limit in (limits["amount"], limits.get("market") or {"max": None}) if limit["max"]]
        return Instrument(
            venue=self.venue,
            symbol=symbol,
            quantity_step=decimal(market["precision"]["amount"]) * size,
            quantity_min=decimal(limits["amount"]["min"] or market["precision"]["amount"]) * size,
            notional_min=decimal(limits["cost"]["min"] or 0),
            price_tick=decimal(market["precision"]["price"]),
            contract_size=size,
            quantity_max=min(map(decimal, largest)) * size if largest else None,
            leverage_max=optional_decimal(limits["leverage"]["max"]),
        )


def _linear_perpetuals(markets: Any) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for market in markets:
        listed = market["swap"] and market["linear"] and market["active"] and market["settle"] in _SETTLEMENTS
        if not listed or not _SYMBOL.match(market["base"]):
            continue
        known = found.get(market["base"])
        if known is None or _SETTLEMENTS.index(market["settle"]) < _SETTLEMENTS.index(known["settle"]):
            found[market["base"]] = market
    return found
