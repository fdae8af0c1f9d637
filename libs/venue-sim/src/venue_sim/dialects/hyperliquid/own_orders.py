"""Hyperliquid's channel of an account's orders, `orderUpdates`: what is on a chain is told to whoever asks."""

from typing import Any

from venue_sim.account import Order
from venue_sim.dialects.hyperliquid.fields import order_fields
from venue_sim.dialects.order_streams import OrderChannel, OrderSession
from venue_sim.dialects.streams import json_text, parse_object

_CHANNEL = "orderUpdates"
_TOLD = ("coin", "side", "limitPx", "sz", "oid", "timestamp", "origSz", "cloid")


class HyperliquidOrders(OrderChannel):
    """It is at the path of the order books. One account is known; of another there is nothing to tell."""

    def __init__(self, address: str) -> None:
        self._address = address.lower()

    def serves(self, path: str) -> bool:
        return path == "/ws"

    def hear(self, text: str, session: OrderSession) -> list[str] | None:
        request = parse_object(text)
        wanted = request.get("subscription") if request else None
        if request is None or not isinstance(wanted, dict) or wanted.get("type") != _CHANNEL:
            return None
        user = str(wanted.get("user"))
        session.listens = request.get("method") == "subscribe" and user.lower() == self._address
        said: Any = {"method": request.get("method"), "subscription": {"type": _CHANNEL, "user": user}}
        return [json_text({"channel": "subscriptionResponse", "data": said})]

    def words(self, order: Order) -> str:
        fields = order_fields(order)
        told = {**fields, "order": {name: fields["order"][name] for name in _TOLD}}
        return json_text({"channel": _CHANNEL, "data": [told]})
