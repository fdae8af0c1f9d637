"""OKX's order endpoints: place, query, cancel, list; and the account's fills."""

import re
from collections.abc import Iterable
from typing import Any

from venue_sim.account import Order
from venue_sim.dialects.okx.errors import OkxError, OkxOrderError, invalid, refusal_error
from venue_sim.dialects.okx.fields import (
    fill_fields,
    order_fields,
    page,
    required,
    required_symbol,
    symbol_of,
)
from venue_sim.dialects.rest import Routes, is_integer
from venue_sim.dialects.wire import Call, Params, parse_decimal, wall_clock_ms
from venue_sim.matching import Side
from venue_sim.refusals import Reason, Refusal
from venue_sim.venue import OrderRequest, Venue

_CLIENT_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_EXPIRED = "The expTime can't be earlier than the current system time. Please adjust the expTime and try again."


class OrderEndpoints:
    """What OKX answers about orders and fills, signed."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Routes:
        """Endpoints by method and path."""
        return {
            ("POST", "/api/v5/trade/order"): self.place,
            ("GET", "/api/v5/trade/order"): self.query,
            ("POST", "/api/v5/trade/cancel-order"): self.cancel,
            ("GET", "/api/v5/trade/orders-pending"): self.pending,
            ("GET", "/api/v5/trade/orders-history"): self.history,
            ("GET", "/api/v5/trade/fills"): self.fills,
            ("GET", "/api/v5/trade/fills-history"): self.fills,
        }

    def place(self, params: Params, call: Call) -> Any:
        """A market order. Only its ids are answered: what became of it has to be asked for."""
        client_id = params.get("clOrdId", "")
        try:
            _check_deadline(call)
            order = self._venue.place(self._request(params, call))
        except Refusal as refusal:
            raise OkxOrderError(refusal_error(refusal), client_id) from refusal
        return [accepted(order.client_id, order.order_id)]

    def query(self, params: Params, _call: Call) -> Any:
        """One order by `ordId` or `clOrdId`."""
        return self._rows([self._venue.find_order(*_reference(params))])

    def cancel(self, params: Params, _call: Call) -> Any:
        """The ids of the cancelled order; the same error for one that has ended and for an unknown one."""
        reference = _reference(params)
        try:
            order = self._venue.cancel(*reference)
        except Refusal as refusal:
            raise OkxOrderError(refusal_error(Refusal(Reason.ORDER_NOT_OPEN)), reference[2]) from refusal
        return [accepted(order.client_id, order.order_id)]

    def pending(self, params: Params, _call: Call) -> Any:
        """Orders that are open, newest first."""
        self._venue.settle()
        return self._page_of_orders(params, self._venue.working_orders())

    def history(self, params: Params, _call: Call) -> Any:
        """Orders that ended, newest first."""
        self._venue.settle()
        return self._page_of_orders(params, self._venue.ended_orders())

    def fills(self, params: Params, _call: Call) -> Any:
        """The account's fills, newest first, paged by bill id."""
        self._venue.settle()
        account, symbol = self._venue.account, self._optional_symbol(params)
        rows = [
            fill_fields(fill, order, self._venue.instrument(fill.symbol), account.taker_fee)
            for fill in self._venue.shown.fills(symbol)
            if (order := account.order_by_id(fill.order_id)) is not None
            and symbol in (None, fill.symbol)
            and params.get("ordId", "") in ("", fill.order_id)
        ]
        return page(params, rows, "billId", "ts")

    def _page_of_orders(self, params: Params, orders: Iterable[Order]) -> list[dict[str, Any]]:
        symbol = self._optional_symbol(params)
        shown = self._venue.shown.orders(symbol, (order for order in orders if symbol in (None, order.symbol)))
        return page(params, self._rows(shown), "ordId", "cTime")

    def _rows(self, orders: Iterable[Order]) -> list[dict[str, Any]]:
        venue = self._venue
        return [order_fields(order, venue.instrument(order.symbol), venue.leverage(order.symbol)) for order in orders]

    def _optional_symbol(self, params: Params) -> str | None:
        if not params.get("instId"):
            return None
        symbol = symbol_of(params["instId"])
        self._venue.instrument(symbol)
        return symbol

    def _request(self, params: Params, call: Call) -> OrderRequest:
        symbol, client_id = required_symbol(params), params.get("clOrdId", "")
        rules = self._venue.instrument(symbol)
        quantity = parse_decimal(required(params, "sz"))
        allowed = {"tdMode": ("cross", "isolated"), "side": ("buy", "sell"), "ordType": ("market",)}
        wrong = [name for name, values in allowed.items() if required(params, name) not in values]
        if quantity is None:
            wrong.append("sz")
        if client_id and not _CLIENT_ID.fullmatch(client_id):
            wrong.append("clOrdId")
        if params.get("reduceOnly", "false") not in ("true", "false"):
            wrong.append("reduceOnly")
        if wrong or quantity is None:
            raise OkxOrderError(invalid(wrong[0]), client_id)
        return OrderRequest(
            symbol=symbol,
            side=Side(params["side"]),
            quantity=quantity * rules.contract_size,
            client_id=client_id,
            reduce_only=params.get("reduceOnly") == "true",
            received_monotonic_ns=call.received_monotonic_ns,
            position_side_given=params.get("posSide", "net") != "net",
        )


def accepted(client_id: str, order_id: str) -> dict[str, str]:
    """The row of an order that was taken."""
    row = {"clOrdId": client_id, "ordId": order_id, "tag": "", "ts": str(wall_clock_ms())}
    return {**row, "sCode": "0", "sMsg": ""}


def _check_deadline(call: Call) -> None:
    """An order that arrives after the moment in the header `expTime` is refused."""
    deadline = call.headers.get("exptime", "")
    if deadline and (not is_integer(deadline) or int(deadline) < wall_clock_ms()):
        raise OkxOrderError(OkxError("50036", _EXPIRED))


def _reference(params: Params) -> tuple[str, str, str]:
    symbol = required_symbol(params)
    order_id, client_id = params.get("ordId", ""), params.get("clOrdId", "")
    if not order_id and not client_id:
        raise OkxError("51003", "Either client order ID or order ID is required")
    return symbol, order_id, client_id
