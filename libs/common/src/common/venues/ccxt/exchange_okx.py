"""ccxt's class of OKX, where it is not what is needed."""

from collections.abc import Mapping
from typing import Any

import ccxt.async_support as ccxt_async


class OkxExchange(ccxt_async.okx):  # type: ignore[misc]  # ccxt has no types
    """Sends no broker tag, gives every order a deadline, and knows how large a market order may be."""

    def sign(self, path: str, api: Any = "public", method: str = "GET", params: Any = None, *rest: Any) -> Any:
        places_order = method == "POST" and path == "trade/order"
        if places_order and not params.get("clOrdId"):
            # ccxt would make one up from its broker id, and tag the order with it.
            raise ValueError("an order without a client order id")
        request = super().sign(path, api, method, params or {}, *rest)
        if places_order:
            # OKX takes requests that are 30 s old: that is too late for an order.
            request["headers"]["expTime"] = str(int(self.nonce()) + self.options["recvWindow"])
        return request

    def parse_market(self, market: Any) -> Any:
        parsed = super().parse_market(market)
        if parsed is not None:
            # ccxt has the limit of limit orders only.
            parsed["limits"]["market"] = {"min": None, "max": self.safe_number(market, "maxMktSz")}
        return parsed

    @staticmethod
    def own_code(response: Mapping[str, Any]) -> Any:
        """What is said of an order is in the order's row; the envelope says only that not all went well."""
        code = response.get("code")
        rows = response.get("data")
        if code in ("1", "2") and isinstance(rows, list) and rows and isinstance(rows[0], Mapping):
            return rows[0].get("sCode") or code
        return code
