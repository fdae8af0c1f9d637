"""Binance's order endpoints: place, query, cancel, list; and the account's trades."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from venue_sim.account import Fill
from venue_sim.dialects.binance.errors import BinanceError, missing
from venue_sim.dialects.binance.fields import (
    accepted_order_fields,
    boolean,
    fill_fields,
    integer,
    order_fields,
    quantity,
    required_symbol,
)
from venue_sim.dialects.wire import Call, Endpoint, Params, from_ms, to_ms
from venue_sim.matching import Side
from venue_sim.refusals import Reason, Refusal
from venue_sim.venue import OrderRequest, Venue

_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_RANGE_MAX = timedelta(days=7)


class OrderEndpoints:
    """What Binance answers about orders and trades, signed."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Mapping[tuple[str, str], Endpoint]:
        """Endpoints by method and path."""
        return {
            ("POST", "/fapi/v1/order"): self.place,
            ("GET", "/fapi/v1/order"): self.query,
            ("DELETE", "/fapi/v1/order"): self.cancel,
            ("GET", "/fapi/v1/openOrders"): self.open_orders,
            ("GET", "/fapi/v1/allOrders"): self.all_orders,
            ("GET", "/fapi/v1/userTrades"): self.trades,
        }

    def place(self, params: Params, call: Call) -> Any:
        """A market order; answers its final state, or with ACK that it was accepted."""
        order = self._venue.place(_order_request(params, call))
        response_type = params.get("newOrderRespType", "ACK")
        fields = order_fields(order) if response_type == "RESULT" else accepted_order_fields(order)
        return {**fields, "cumQty": fields["executedQty"]}

    def query(self, params: Params, _call: Call) -> Any:
        """One order by `orderId` or `origClientOrderId`."""
        symbol, order_id, client_id = _order_reference(params)
        order = self._venue.find_order(symbol, order_id, client_id)
        fields = order_fields(order)
        return {**fields, "time": to_ms(order.time)}

    def cancel(self, params: Params, _call: Call) -> Any:
        """The cancelled order; the same error for one that has ended and for an unknown one."""
        symbol, order_id, client_id = _order_reference(params)
        try:
            return order_fields(self._venue.cancel(symbol, order_id, client_id))
        except Refusal as refusal:
            if refusal.reason is Reason.ORDER_NOT_FOUND:
                raise Refusal(Reason.ORDER_NOT_OPEN) from refusal
            raise

    def open_orders(self, params: Params, _call: Call) -> Any:
        """Orders that are open, of one symbol or of all."""
        symbol = required_symbol(params) if params.get("symbol") else None
        self._venue.settle()
        return [order_fields(order) for order in self._venue.working_orders(symbol)]

    def all_orders(self, params: Params, _call: Call) -> Any:
        """Orders of one symbol, oldest first, from `orderId` on or the latest."""
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        from_id = integer(params, "orderId")
        limit = min(integer(params, "limit", 500) or 500, 1000)
        self._venue.settle()
        orders = [order for order in self._venue.account.orders if order.symbol == symbol]
        orders = self._venue.shown.orders(symbol, orders)
        if from_id is not None:
            orders = [order for order in orders if int(order.order_id) >= from_id][:limit]
        return [order_fields(order) for order in orders[-limit:]]

    def trades(self, params: Params, _call: Call) -> Any:
        """The account's trades of one symbol, oldest first: of an order, from an id on, or of a time range."""
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        order_id, from_id = integer(params, "orderId"), integer(params, "fromId")
        start, end = integer(params, "startTime"), integer(params, "endTime")
        limit = min(integer(params, "limit", 500) or 500, 1000)
        if from_id is not None and (start is not None or end is not None):
            raise BinanceError(-1128, "Combination of optional parameters invalid.")
        first, last = _time_range(start, end, self._venue.now())

        def wanted(fill: Fill) -> bool:
            if fill.symbol != symbol or (order_id is not None and int(fill.order_id) != order_id):
                return False
            if from_id is not None:
                return int(fill.fill_id) >= from_id
            return order_id is not None or first <= fill.time <= last

        self._venue.settle()
        fills = [fill for fill in self._venue.shown.fills(symbol) if wanted(fill)]
        oldest_first = from_id is not None or start is not None
        return [fill_fields(fill) for fill in (fills[:limit] if oldest_first else fills[-limit:])]


def _time_range(start: int | None, end: int | None, now: datetime) -> tuple[datetime, datetime]:
    """The range asked for: seven days at most, the last seven where none is given."""
    if start is None:
        last = from_ms(end) if end is not None else now
        return last - _RANGE_MAX, last
    first = from_ms(start)
    last = from_ms(end) if end is not None else first + _RANGE_MAX
    if last - first > _RANGE_MAX:
        raise BinanceError(-4165, "Maximum time interval is 7 days.")
    return first, last


def _order_reference(params: Params) -> tuple[str, str, str]:
    symbol = required_symbol(params)
    order_id, client_id = integer(params, "orderId"), params.get("origClientOrderId", "")
    if order_id is None and not client_id:
        raise BinanceError(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    return symbol, "" if order_id is None else str(order_id), client_id


def _order_request(params: Params, call: Call) -> OrderRequest:
    symbol = required_symbol(params)
    if not params.get("side"):
        raise missing("side")
    if params["side"] not in ("BUY", "SELL"):
        raise BinanceError(-1117, "Invalid side.")
    if not params.get("type"):
        raise missing("type")
    if params["type"] != "MARKET":
        raise BinanceError(-1116, "Invalid orderType.")
    client_id = params.get("newClientOrderId", "")
    if client_id and not _CLIENT_ID.fullmatch(client_id):
        raise BinanceError(-4015, "Client order id is not valid.")
    return OrderRequest(
        symbol=symbol,
        side=Side.BUY if params["side"] == "BUY" else Side.SELL,
        quantity=quantity(params),
        client_id=client_id,
        reduce_only=boolean(params, "reduceOnly") or False,
        received_monotonic_ns=call.received_monotonic_ns,
        position_side_given=params.get("positionSide", "BOTH") != "BOTH",
    )
