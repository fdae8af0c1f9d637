"""ccxt's class of Bitget, where it is not what is needed."""

from collections.abc import Mapping
from typing import Any

import ccxt.async_support as ccxt_async
from ccxt.base import errors as ccxt_errors


class BitgetExchange(ccxt_async.bitget):  # type: ignore[misc]  # ccxt has no types
    """Sends no broker's channel code, and knows how large a market order may be.

    Only contracts margined in USDT are listed: others are margined from an account of their own.
    """

    def describe(self) -> Any:
        # An order that has ended cannot be cancelled.
        return self.deep_extend(super().describe(), {"exceptions": {"exact": {"22001": ccxt_errors.OrderNotFound}}})

    def sign(self, *arguments: Any, **named: Any) -> Any:
        request = super().sign(*arguments, **named)
        if request["headers"] is not None:
            request["headers"].pop("X-CHANNEL-API-CODE", None)
        return request

    async def fetch_markets(self, params: Any = None) -> Any:
        markets = [market for market in await super().fetch_markets(params or {}) if market["settle"] == "USDT"]
        for market in markets:
            # A quantity is a multiple of this; ccxt takes the number of decimals where that is finer.
            market["precision"]["amount"] = self.safe_number(market["info"], "sizeMultiplier")
            market["limits"]["market"] = {"min": None, "max": self.safe_number(market["info"], "maxMarketOrderQty")}
        return markets

    @staticmethod
    def own_code(response: Mapping[str, Any]) -> Any:
        """None of a success that ccxt takes for an error because of its text."""
        code = response.get("code")
        return None if code == "00000" else code
