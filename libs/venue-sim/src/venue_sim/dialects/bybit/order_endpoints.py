"""Bybit's order endpoints and the executions: trades and funding payments in one list."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from venue_sim.account import Order
from venue_sim.dialects.bybit.errors import BybitError, invalid
from venue_sim.dialects.bybit.fields import (
    category,
    execution_type,
    fill_fields,
    integer,
    linear_symbol,
    order_fields,
    page,
    payment_fields,
)
from venue_sim.dialects.wire import Call, Endpoint, Params, base_asset, from_ms, parse_decimal, text
from venue_sim.matching import Side
from venue_sim.venue import OrderRequest, Venue

_CLIENT_ID_LENGTH_MAX = 36
_REALTIME_ORDERS = 500
_RANGE_MAX = timedelta(days=7)


class OrderEndpoints:
    """What Bybit answers about orders and executions, signed."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Mapping[tuple[str, str], Endpoint]:
        """Endpoints by method and path."""
        return {
            ("POST", "/v5/order/create"): self.create,
            ("POST", "/v5/order/cancel"): self.cancel,
            ("GET", "/v5/order/realtime"): self.realtime,
            ("GET", "/v5/order/history"): self.history,
            ("GET", "/v5/execution/list"): self.executions,
        }

    def create(self, params: Params, call: Call) -> Any:
        """A market order. Only its ids are answered: what became of it has to be asked for."""
        order = self._venue.place(_order_request(params, call))
        return {"orderId": order.order_id, "orderLinkId": order.client_id}

    def cancel(self, params: Params, _call: Call) -> Any:
        """The ids of the cancelled order."""
        symbol = linear_symbol(params)
        order_id, client_id = params.get("orderId", ""), params.get("orderLinkId", "")
        if not order_id and not client_id:
            raise invalid("orderId")
        order = self._venue.cancel(symbol, order_id, client_id)
        return {"orderId": order.order_id, "orderLinkId": order.client_id}

    def realtime(self, params: Params, _call: Call) -> Any:
        """Open orders; with an id, one of the last 500 of any symbol, open or ended."""
        self._venue.settle()
        asked_for_one = params.get("orderId") or params.get("orderLinkId")
        orders = self._venue.account.orders[-_REALTIME_ORDERS:] if asked_for_one else self._venue.working_orders()
        return self._orders(params, orders, default=20)

    def history(self, params: Params, _call: Call) -> Any:
        """Every order that ended."""
        self._venue.settle()
        return self._orders(params, self._venue.ended_orders(), default=20)

    def executions(self, params: Params, _call: Call) -> Any:
        """Trades and funding payments, newest first; of the last seven days where no range is given."""
        if category(params) != "linear":
            return {"category": category(params), "list": [], "nextPageCursor": ""}
        self._venue.settle()
        account = self._venue.account
        symbol = self._optional_symbol(params)
        order_id, client_id = params.get("orderId", ""), params.get("orderLinkId", "")
        kind = params.get("execType", "")
        fee_rate = text(account.taker_fee)
        first, last = _time_range(params, self._venue.now(), unlimited=bool(order_id or client_id))
        rows: list[tuple[int, dict[str, Any]]] = []
        if kind != "Funding":
            rows += [
                (fill.number, fill_fields(fill, order, fee_rate))
                for fill in self._venue.shown.fills(symbol)
                if (order := account.order_by_id(fill.order_id)) is not None
                and (not order_id or order.order_id == order_id)
                and (not client_id or order.client_id == client_id)
                and (symbol is None or order.symbol == symbol)
                and kind in ("", execution_type(order))
                and first <= fill.time <= last
            ]
        if kind in ("", "Funding") and not order_id and not client_id:
            rows += [
                (payment.number, payment_fields(payment))
                for payment in self._venue.shown.payments(symbol)
                if (symbol is None or payment.symbol == symbol) and first <= payment.time <= last
            ]
        return page(params, rows, default=50, most=100)

    def _orders(self, params: Params, orders: list[Order], default: int) -> Any:
        if category(params) != "linear":
            return {"category": category(params), "list": [], "nextPageCursor": ""}
        symbol = self._optional_symbol(params)
        order_id, client_id = params.get("orderId", ""), params.get("orderLinkId", "")
        rows = [
            (order.number, order_fields(order))
            for order in self._venue.shown.orders(symbol, orders)
            if (symbol is None or order.symbol == symbol)
            and (not order_id or order.order_id == order_id)
            and (not client_id or order.client_id == client_id)
        ]
        return page(params, rows, default=default, most=50)

    def _optional_symbol(self, params: Params) -> str | None:
        if not params.get("symbol"):
            return None
        symbol = base_asset(params["symbol"])
        self._venue.instrument(symbol)
        return symbol


def _time_range(params: Params, now: datetime, *, unlimited: bool) -> tuple[datetime, datetime]:
    """The range asked for: seven days at most, the last seven where none is given; an order is found at any age."""
    start, end = integer(params, "startTime"), integer(params, "endTime")
    if start is None:
        last = from_ms(end) if end is not None else now
        return (from_ms(0) if unlimited else last - _RANGE_MAX), last
    first = from_ms(start)
    last = from_ms(end) if end is not None else first + _RANGE_MAX
    if last - first > _RANGE_MAX:
        raise BybitError(10001, "The time range between startTime and endTime cannot exceed 7 days")
    return first, last


def _order_request(params: Params, call: Call) -> OrderRequest:
    symbol = linear_symbol(params)
    if params.get("side") not in ("Buy", "Sell"):
        raise BybitError(10001, "Side invalid")
    if params.get("orderType") != "Market":
        raise BybitError(10001, "OrderType invalid")
    quantity = parse_decimal(params.get("qty", ""))
    if quantity is None:
        raise BybitError(10001, "Qty invalid")
    client_id = params.get("orderLinkId", "")
    if len(client_id) > _CLIENT_ID_LENGTH_MAX:
        raise BybitError(10001, f"params error: OrderLinkId length cannot exceed {_CLIENT_ID_LENGTH_MAX}")
    reduce_only = params.get("reduceOnly", "false")
    if reduce_only not in ("true", "false"):
        raise invalid("reduceOnly")
    return OrderRequest(
        symbol=symbol,
        side=Side.BUY if params["side"] == "Buy" else Side.SELL,
        quantity=quantity,
        client_id=client_id,
        reduce_only=reduce_only == "true",
        received_monotonic_ns=call.received_monotonic_ns,
        position_side_given=params.get("positionIdx", "0") != "0",
    )
