"""ccxt's class of Gate, where it is not what is needed."""

from collections.abc import Mapping
from typing import Any

import ccxt.async_support as ccxt_async
from ccxt.base import errors as ccxt_errors


class GateExchange(ccxt_async.gate):  # type: ignore[misc]  # ccxt has no types
    """Sends no channel id, gives every order a deadline, and knows how large a market order may be."""

    def describe(self) -> Any:
        described = self.deep_extend(
            super().describe(),
            {
                "exceptions": {
                    "exact": {
                        # The clocks differ; ccxt takes it for a wrong key.
                        "REQUEST_EXPIRED": ccxt_errors.InvalidNonce,
                        # An order that has ended cannot be cancelled.
                        "ORDER_FINISHED": ccxt_errors.OrderNotFound,
                    }
                }
            },
        )
        # ccxt names itself as the channel of every request.
        return {**described, "headers": {}}

    def sign(self, path: str, api: Any = "public", method: str = "GET", params: Any = None, *rest: Any) -> Any:
        request = super().sign(path, api, method, params or {}, *rest)
        if method == "POST" and path == "{settle}/orders":
            # Gate takes requests that are a minute old: that is too late for an order.
            request["headers"]["X-Gate-Exptime"] = str(int(self.nonce()) + self.options["recvWindow"])
        return request

    def create_order_request(self, *order: Any) -> Any:
        """The client id is put in here: ccxt counts its prefix among the 28 characters that Gate allows without it."""
        *described, params = order
        others = {name: value for name, value in params.items() if name != "clientOrderId"}
        return {**super().create_order_request(*described, others), "text": params["clientOrderId"]}

    async def cancel_order(self, order_id: str, symbol: Any = None, params: Any = None) -> Any:
        """Client ids stand in the place of the venue's ids."""
        others = {name: value for name, value in (params or {}).items() if name != "text"}
        return await super().cancel_order((params or {}).get("text") or order_id, symbol, others)

    def parse_order(self, order: Any, market: Any = None) -> Any:
        """ccxt knows some of the reasons why an order ended before it was filled, and none that Gate will have yet."""
        parsed = super().parse_order(order, market)
        is_ended = order.get("status") == "finished"
        return {**parsed, "status": "canceled"} if is_ended and parsed["status"] != "closed" else parsed

    def parse_contract_market(self, market: Any, settleId: Any) -> Any:  # noqa: N803  # ccxt's name
        parsed = super().parse_contract_market(market, settleId)
        if parsed is not None:
            # ccxt has the limit of limit orders only.
            parsed["limits"]["market"] = {"min": None, "max": self.safe_number(market, "market_order_size_max")}
        return parsed

    @staticmethod
    def own_code(response: Mapping[str, Any]) -> Any:
        return response.get("label")
