"""What Hyperliquid does at /exchange: the actions that a wallet signs."""

from collections.abc import Callable, Mapping
from typing import Any

from venue_sim.account import MarginMode, Order, OrderStatus
from venue_sim.dialects.hyperliquid.errors import (
    NO_MATCH,
    WRONG_PRICE,
    ActionError,
    HyperliquidError,
    UnreadableError,
    refusal_text,
)
from venue_sim.dialects.hyperliquid.fields import CLIENT_ID, figure, price_is_allowed, symbol_at
from venue_sim.dialects.rest import is_integer
from venue_sim.dialects.wire import Call, Params, parse_decimal
from venue_sim.matching import Side
from venue_sim.refusals import Reason, Refusal
from venue_sim.venue import OrderRequest, Venue

Action = Callable[[Params, Call], Any]


class ActionEndpoints:
    """Orders that fill at once or never, their cancels, and leverage."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def actions(self) -> dict[str, Action]:
        """Endpoints by the action's `type`."""
        return {
            "order": self.place,
            "cancelByCloid": self.cancel,
            "updateLeverage": self.update_leverage,
            "noop": self.nothing,
        }

    def place(self, params: Params, call: Call) -> Any:
        """One order with a limit and `Ioc`: what it got is answered, not by which client id."""
        asset = _number(params, "a")
        try:
            request = self._request(params, call, asset)
            order = self._venue.place(request)
        except Refusal as refusal:
            raise ActionError("order", refusal_text(refusal), asset) from refusal
        if order.status is OrderStatus.EXPIRED and not order.filled:
            raise ActionError("order", NO_MATCH, asset)
        return _accepted("order", _outcome(order))

    def cancel(self, params: Params, _call: Call) -> Any:
        """Ends a working order; the same error for one that has ended and for an unknown one."""
        asset, client_id = _number(params, "asset"), params.get("cloid", "")
        symbol = symbol_at(self._venue, str(asset))
        try:
            self._venue.cancel(symbol, "", client_id)
        except Refusal as refusal:
            raise ActionError("cancel", refusal_text(Refusal(Reason.ORDER_NOT_OPEN)), asset) from refusal
        return _accepted("cancel", "success")

    def update_leverage(self, params: Params, _call: Call) -> Any:
        """Margin mode and leverage of one asset, both at once; what is set already is no error."""
        symbol = symbol_at(self._venue, str(_number(params, "asset")))
        wanted = MarginMode.CROSS if params.get("isCross") == "true" else MarginMode.ISOLATED
        leverage = _number(params, "leverage")
        try:
            self._venue.instrument(symbol)
            if self._venue.account.margin_modes.get(symbol, MarginMode.CROSS) is not wanted:
                self._venue.set_margin_mode(symbol, wanted)
            self._venue.set_leverage(symbol, leverage)
        except Refusal as refusal:
            raise HyperliquidError(refusal_text(refusal)) from refusal
        return self.nothing(params, _call)

    def nothing(self, _params: Params, _call: Call) -> Any:
        """Uses up a nonce."""
        return {"status": "ok", "response": {"type": "default"}}

    def _request(self, params: Params, call: Call, asset: int) -> OrderRequest:
        symbol = symbol_at(self._venue, str(asset))
        rules = self._venue.instrument(symbol)
        quantity, price, client_id = parse_decimal(params["s"]), parse_decimal(params["p"]), params.get("cloid", "")
        is_bool = params["b"] in ("true", "false") and params["reduceOnly"] in ("true", "false")
        if quantity is None or price is None or not is_bool or params["tif"] != "Ioc":
            raise UnreadableError
        if client_id and not CLIENT_ID.fullmatch(client_id):
            raise UnreadableError
        if not price_is_allowed(price, rules):
            raise ActionError("order", WRONG_PRICE, asset)
        return OrderRequest(
            symbol=symbol,
            side=Side.BUY if params["b"] == "true" else Side.SELL,
            quantity=quantity,
            client_id=client_id,
            reduce_only=params["reduceOnly"] == "true",
            received_monotonic_ns=call.received_monotonic_ns,
            limit_price=price,
        )


def action_params(action: Mapping[str, Any]) -> Params:
    """An action's fields as text: those of its one order or cancel, or its own."""
    kind = action.get("type")
    if "builder" in action:
        raise HyperliquidError("Builder fee has not been approved.")
    if kind == "order":
        order = _only(action.get("orders"))
        kind_of_order = order.get("t")
        limit = kind_of_order.get("limit") if isinstance(kind_of_order, Mapping) else None
        if not isinstance(limit, Mapping) or not {"a", "b", "p", "s", "r"} <= set(order):
            raise UnreadableError
        fields = {**order, "reduceOnly": order["r"], "tif": limit.get("tif"), "cloid": order.get("c")}
    elif kind == "cancelByCloid":
        fields = dict(_only(action.get("cancels")))
    else:
        fields = dict(action)
    return {name: _as_text(value) for name, value in {**fields, "type": kind}.items() if value is not None}


def _only(rows: Any) -> Mapping[str, Any]:
    if not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], Mapping):
        raise UnreadableError
    return rows[0]


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(params: Params, name: str) -> int:
    if not is_integer(params.get(name, "")):
        raise UnreadableError
    return int(params[name])


def _outcome(order: Order) -> dict[str, Any]:
    number = int(order.order_id)
    if order.status is OrderStatus.WORKING:
        return {"resting": {"oid": number}}
    return {"filled": {"totalSz": figure(order.filled), "avgPx": f"{order.average:.6g}", "oid": number}}


def _accepted(kind: str, status: Any) -> dict[str, Any]:
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": [status]}}}
