"""Gate's order endpoints: place, query, cancel, list; and the account's fills."""

import re
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from venue_sim.account import Order, OrderStatus
from venue_sim.dialects.gate.errors import GateError, invalid
from venue_sim.dialects.gate.fields import (
    CLIENT_PREFIX,
    fill_fields,
    order_fields,
    page,
    required,
    required_symbol,
)
from venue_sim.dialects.rest import Routes, is_integer
from venue_sim.dialects.wire import Call, Params, parse_decimal, wall_clock_ms
from venue_sim.matching import Side
from venue_sim.refusals import Reason, Refusal
from venue_sim.venue import OrderRequest, Venue

_TEXT = re.compile(r"t-[A-Za-z0-9._-]{1,28}")
_TEXT_KNOWN = timedelta(seconds=60)
"""How long after its end an order is found by its `text`."""


class OrderEndpoints:
    """What Gate answers about orders and fills, signed."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Routes:
        """Endpoints by method and path."""
        return {
            ("POST", "/api/v4/futures/usdt/orders"): self.place,
            ("GET", "/api/v4/futures/usdt/orders"): self.orders,
            ("GET", "/api/v4/futures/usdt/orders_timerange"): self.ended,
            ("GET", "/api/v4/futures/usdt/orders/{order_id}"): self.query,
            ("DELETE", "/api/v4/futures/usdt/orders/{order_id}"): self.cancel,
            ("GET", "/api/v4/futures/usdt/my_trades"): self.fills,
            ("GET", "/api/v4/futures/usdt/my_trades_timerange"): self.fills,
        }

    def place(self, params: Params, call: Call) -> Any:
        """A market order, answered as it stands then: an IOC order at the price 0."""
        _check_deadline(call)
        return self._fields(self._venue.place(self._request(params, call)), call)

    def query(self, params: Params, call: Call) -> Any:
        """One order by its id, or by its `text` as long as that is known."""
        return self._fields(self._find(params["order_id"]), call)

    def cancel(self, params: Params, call: Call) -> Any:
        """The cancelled order."""
        order = self._find(params["order_id"])
        return self._fields(self._venue.cancel(order.symbol, order.order_id, ""), call)

    def orders(self, params: Params, call: Call) -> Any:
        """Orders that are open, or that have ended, newest first."""
        status = required(params, "status")
        if status not in ("open", "finished"):
            raise invalid("status")
        self._venue.settle()
        venue = self._venue
        return self._list(params, call, venue.working_orders() if status == "open" else venue.ended_orders())

    def ended(self, params: Params, call: Call) -> Any:
        """Orders of a time that have ended, newest first."""
        self._venue.settle()
        return self._list(params, call, self._venue.ended_orders())

    def fills(self, params: Params, call: Call) -> Any:
        """The account's fills, newest first."""
        self._venue.settle()
        account, symbol = self._venue.account, self._optional_symbol(params)
        rows = [
            fill_fields(fill, order, self._venue.instrument(fill.symbol), call)
            for fill in self._venue.shown.fills(symbol)
            if (order := account.order_by_id(fill.order_id)) is not None
            and symbol in (None, fill.symbol)
            and params.get("order", "") in ("", fill.order_id)
        ]
        return page(params, rows[::-1], "create_time")

    def _list(self, params: Params, call: Call, orders: Iterable[Order]) -> list[dict[str, Any]]:
        symbol = self._optional_symbol(params)
        shown = self._venue.shown.orders(symbol, (order for order in orders if symbol in (None, order.symbol)))
        return page(params, [self._fields(order, call) for order in shown[::-1]], "create_time")

    def _find(self, reference: str) -> Order:
        self._venue.settle()
        account, by_text = self._venue.account, reference.startswith(CLIENT_PREFIX)
        client_id = reference.removeprefix(CLIENT_PREFIX)
        known = account.order_by_client_id(client_id) if by_text else account.order_by_id(reference)
        if known is None or (by_text and self._is_forgotten(known)):
            raise Refusal(Reason.ORDER_NOT_FOUND, reference)
        return self._venue.find_order(known.symbol, known.order_id, "")

    def _is_forgotten(self, order: Order) -> bool:
        ended = order.updated_at or order.time
        return order.status is not OrderStatus.WORKING and self._venue.now() - ended > _TEXT_KNOWN

    def _fields(self, order: Order, call: Call) -> dict[str, Any]:
        return order_fields(order, self._venue.instrument(order.symbol), call)

    def _optional_symbol(self, params: Params) -> str | None:
        if not params.get("contract"):
            return None
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        return symbol

    def _request(self, params: Params, call: Call) -> OrderRequest:
        symbol, client_text = required_symbol(params), params.get("text", "")
        rules, contracts = self._venue.instrument(symbol), parse_decimal(required(params, "size"))
        wrong = ["size"] if contracts is None else []
        if parse_decimal(params.get("price", "")) != Decimal(0):
            wrong.append("price")
        if params.get("tif") != "ioc":
            wrong.append("tif")
        if client_text and not _TEXT.fullmatch(client_text):
            wrong.append("text")
        if params.get("reduce_only", "false") not in ("true", "false"):
            wrong.append("reduce_only")
        if wrong or contracts is None:
            raise invalid(wrong[0])
        return OrderRequest(
            symbol=symbol,
            side=Side.BUY if contracts > 0 else Side.SELL,
            quantity=abs(contracts) * rules.contract_size,
            client_id=client_text.removeprefix(CLIENT_PREFIX),
            reduce_only=params.get("reduce_only") == "true",
            received_monotonic_ns=call.received_monotonic_ns,
            position_side_given=bool(params.get("auto_size")),
        )


def _check_deadline(call: Call) -> None:
    """An order that arrives after the moment in the header `X-Gate-Exptime` is refused."""
    deadline = call.headers.get("x-gate-exptime", "")
    if deadline and (not is_integer(deadline) or int(deadline) < wall_clock_ms()):
        raise GateError("REQUEST_EXPIRED", "request expired")
