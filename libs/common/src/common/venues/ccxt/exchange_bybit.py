"""ccxt's class of Bybit, where it is not what is needed."""

from collections.abc import Mapping
from typing import Any

import ccxt.async_support as ccxt_async


class BybitExchange(ccxt_async.bybit):  # type: ignore[misc]  # ccxt has no types
    """Sends no broker tag, and knows how large a market order may be."""

    def sign(self, *arguments: Any, **named: Any) -> Any:
        request = super().sign(*arguments, **named)
        # The broker tag travels as a Referer header, and ccxt has no option to leave it out.
        if request["headers"] is not None:
            request["headers"].pop("Referer", None)
        return request

    async def fetch_markets(self, params: Any = None) -> Any:
        markets = await super().fetch_markets(params or {})
        for market in markets:
            # ccxt has the limit of limit orders only, which is several times as large.
            largest = self.safe_number(market["info"]["lotSizeFilter"], "maxMktOrderQty")
            market["limits"]["market"] = {"min": None, "max": largest}
        return markets

    @staticmethod
    def own_code(response: Mapping[str, Any]) -> Any:
        return response.get("retCode")
