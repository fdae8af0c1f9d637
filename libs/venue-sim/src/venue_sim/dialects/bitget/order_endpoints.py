"""Bitget's order endpoints: place, query, cancel, list; and the account's fills."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from venue_sim.account import Order
from venue_sim.dialects.bitget.errors import BitgetError, invalid
from venue_sim.dialects.bitget.fields import (
    check_account,
    fill_fields,
    order_fields,
    page,
    required,
    required_symbol,
)
from venue_sim.dialects.rest import Routes
from venue_sim.dialects.wire import Call, Params, parse_decimal
from venue_sim.matching import Side
from venue_sim.refusals import Reason, Refusal
from venue_sim.venue import OrderRequest, Venue

_CLIENT_ID = re.compile(r"[\x21-\x7e]{1,50}")
_WEEK, _QUARTER = timedelta(days=7), timedelta(days=90)


class OrderEndpoints:
    """What Bitget answers about orders and fills, signed."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Routes:
        """Endpoints by method and path."""
        return {
            ("POST", "/api/v2/mix/order/place-order"): self.place,
            ("GET", "/api/v2/mix/order/detail"): self.query,
            ("POST", "/api/v2/mix/order/cancel-order"): self.cancel,
            ("GET", "/api/v2/mix/order/orders-pending"): self.pending,
            ("GET", "/api/v2/mix/order/orders-history"): self.history,
            ("GET", "/api/v2/mix/order/fills"): self.fills,
            ("GET", "/api/v2/mix/order/fill-history"): self.fills,
        }

    def place(self, params: Params, call: Call) -> Any:
        """A market order. Only its ids are answered: what became of it has to be asked for."""
        order = self._venue.place(self._request(params, call))
        return {"clientOid": order.client_id, "orderId": order.order_id}

    def query(self, params: Params, _call: Call) -> Any:
        """One order by `orderId` or `clientOid`."""
        return self._fields(self._venue.find_order(*_reference(params)))

    def cancel(self, params: Params, _call: Call) -> Any:
        """The ids of the cancelled order; the same error for one that has ended and for an unknown one."""
        try:
            order = self._venue.cancel(*_reference(params))
        except Refusal as refusal:
            raise Refusal(Reason.ORDER_NOT_OPEN) from refusal
        return {"orderId": order.order_id, "clientOid": order.client_id}

    def pending(self, params: Params, _call: Call) -> Any:
        """Orders that are open, newest first."""
        self._venue.settle()
        return self._page_of_orders(params, self._venue.working_orders())

    def history(self, params: Params, _call: Call) -> Any:
        """Orders that ended, newest first."""
        self._venue.settle()
        return self._page_of_orders(params, self._venue.ended_orders())

    def fills(self, params: Params, _call: Call) -> Any:
        """The account's fills, newest first."""
        self._venue.settle()
        account, symbol = self._venue.account, self._optional_symbol(params)
        rows = [
            fill_fields(fill, order)
            for fill in self._venue.shown.fills(symbol)
            if (order := account.order_by_id(fill.order_id)) is not None
            and symbol in (None, fill.symbol)
            and params.get("orderId", "") in ("", fill.order_id)
        ]
        return page(params, rows, "fillList", "tradeId", _WEEK)

    def _page_of_orders(self, params: Params, orders: Iterable[Order]) -> dict[str, Any]:
        symbol = self._optional_symbol(params)
        shown = self._venue.shown.orders(symbol, (order for order in orders if symbol in (None, order.symbol)))
        rows = [{**row, "status": row.pop("state")} for row in map(self._fields, shown)]
        found = page(params, rows, "entrustedList", "orderId", _QUARTER)
        return found | {"entrustedList": found["entrustedList"] or None}

    def _fields(self, order: Order) -> dict[str, Any]:
        return order_fields(order, self._venue.leverage(order.symbol), "crossed")

    def _optional_symbol(self, params: Params) -> str | None:
        check_account(params)
        if not params.get("symbol"):
            return None
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        return symbol

    def _request(self, params: Params, call: Call) -> OrderRequest:
        symbol, client_id = required_symbol(params), params.get("clientOid", "")
        self._venue.instrument(symbol)
        quantity = parse_decimal(required(params, "size"))
        allowed = {"marginMode": ("crossed", "isolated"), "side": ("buy", "sell"), "orderType": ("market",)}
        wrong = [name for name, values in allowed.items() if required(params, name).lower() not in values]
        if quantity is None:
            wrong.append("size")
        if client_id and not _CLIENT_ID.fullmatch(client_id):
            wrong.append("clientOid")
        if params.get("reduceOnly", "NO").upper() not in ("YES", "NO"):
            wrong.append("reduceOnly")
        if wrong or quantity is None:
            raise invalid(wrong[0])
        return OrderRequest(
            symbol=symbol,
            side=Side(params["side"].lower()),
            quantity=quantity,
            client_id=client_id,
            reduce_only=params.get("reduceOnly", "").upper() == "YES",
            received_monotonic_ns=call.received_monotonic_ns,
        )


def _reference(params: Params) -> tuple[str, str, str]:
    symbol = required_symbol(params)
    order_id, client_id = params.get("orderId", ""), params.get("clientOid", "")
    if not order_id and not client_id:
        raise BitgetError("40019", "Parameter orderId or clientOid cannot be empty")
    return symbol, order_id, client_id
