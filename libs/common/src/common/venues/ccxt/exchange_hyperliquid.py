"""ccxt's class of Hyperliquid, where it is not what is needed."""

import json
import re
from collections.abc import Mapping
from typing import Any

import ccxt.async_support as ccxt_async

from common.venues.ccxt.facts import ORDER_RECEIVE_WINDOW_MS

ACTIONS = frozenset({"order", "cancelByCloid", "updateLeverage"})
"""All that is ever signed. ccxt would also approve a builder's fee, and set a referrer."""

_CHANGING = re.compile(r"\s(?:asset=|0x|[$(\d])|,")
"""Where the part of an error text begins that is another one each time."""


class HyperliquidExchange(ccxt_async.hyperliquid):  # type: ignore[misc]  # ccxt has no types
    """Approves no builder, sets no referrer, pays neither, and signs a deadline into every order."""

    _deadline_ms: int | None = None

    async def initialize_client(self) -> bool:
        # ccxt signs an approval and a referral here, and then adds the builder to every order.
        return True

    def sign(self, path: str, api: Any = "public", method: str = "GET", params: Any = None, *rest: Any) -> Any:
        action = (params or {}).get("action")
        if action is not None:
            _refuse_what_is_not_ours(action)
        return super().sign(path, api, method, params or {}, *rest)

    def create_orders_request(self, orders: Any, params: Any = None) -> Any:
        # A nonce may be two days old: that is too late for an order.
        self._deadline_ms = int(self.nonce()) + ORDER_RECEIVE_WINDOW_MS
        request = super().create_orders_request(orders, params or {})
        return {**request, "expiresAfter": self._deadline_ms}

    def sign_l1_action(self, action: Any, nonce: Any, vaultAdress: Any = None, expiresAfter: Any = None) -> Any:  # noqa: N803
        deadline_ms = self._deadline_ms if action["type"] == "order" else expiresAfter
        return super().sign_l1_action(action, nonce, vaultAdress, deadline_ms)

    def parse_json(self, http_response: Any) -> Any:
        # ccxt takes a text alone, as `"default"`, for no answer.
        if isinstance(http_response, str) and http_response.startswith('"'):
            try:
                return json.loads(http_response)
            except ValueError:
                return None
        return super().parse_json(http_response)

    @staticmethod
    def own_code(response: Mapping[str, Any]) -> Any:
        """Hyperliquid has texts only: what never changes of one is its code."""
        text = _error_text(response)
        return None if text is None else _CHANGING.split(text, maxsplit=1)[0].rstrip(" .:") or text


def _refuse_what_is_not_ours(action: Mapping[str, Any]) -> None:
    if action["type"] not in ACTIONS:
        raise ValueError(f"an action that Tandem does not sign: {action['type']}")
    if "builder" in action:
        raise ValueError("an order that pays a builder")
    if action["type"] == "order" and not all(order.get("c") for order in action["orders"]):
        raise ValueError("an order without a client order id")


def _error_text(response: Mapping[str, Any]) -> str | None:
    """The error of a whole request, or of the one order that it was about."""
    status, content = response.get("status"), response.get("response")
    if status == "err":
        return str(content)
    if status == "unknownOid":
        return "unknownOid"
    data = content.get("data") if isinstance(content, Mapping) else None
    rows = data.get("statuses") if isinstance(data, Mapping) else None
    errors = [row["error"] for row in rows or [] if isinstance(row, Mapping) and row.get("error")]
    return str(errors[0]) if errors else None
