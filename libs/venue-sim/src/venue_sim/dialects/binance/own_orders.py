"""Binance's user data stream: a listen key from a request opens a connection that tells of orders."""

import secrets
from collections.abc import Mapping
from typing import Any

from venue_sim.account import Order, OrderStatus
from venue_sim.dialects.binance.errors import BinanceError
from venue_sim.dialects.binance.fields import QUOTE, order_fields
from venue_sim.dialects.order_streams import OrderChannel, OrderSession
from venue_sim.dialects.rest import Routes
from venue_sim.dialects.streams import json_text
from venue_sim.dialects.wire import Call, Params, query_params, rounded, text, to_ms, wall_clock_ms

LISTEN_KEY = "/fapi/v1/listenKey"
VALID_MS = 3_600_000
_ENDED = {OrderStatus.EXPIRED: "EXPIRED", OrderStatus.CANCELLED: "CANCELED"}


class BinanceOrders(OrderChannel):
    """One key at a time, for an hour after it was last asked for or kept alive."""

    listens_at_once = True

    def __init__(self) -> None:
        self._key = ""
        self._valid_until_ms = 0

    def routes(self) -> Routes:
        """Endpoints by method and path. They want the API key, and no signature."""
        return {
            ("POST", LISTEN_KEY): self.begin,
            ("PUT", LISTEN_KEY): self.keep_alive,
            ("DELETE", LISTEN_KEY): self.end,
        }

    def begin(self, _params: Params, _call: Call) -> Any:
        """The key that is valid already, for another hour, or a new one."""
        if not self._is_valid():
            self._key = secrets.token_hex(32)
        return self._for_an_hour()

    def keep_alive(self, _params: Params, _call: Call) -> Any:
        """The key, for another hour."""
        if not self._is_valid():
            raise BinanceError(-1125, "This listenKey does not exist.")
        return self._for_an_hour()

    def end(self, _params: Params, _call: Call) -> Any:
        """Ends the key."""
        self._valid_until_ms = 0
        return {}

    def serves(self, path: str) -> bool:
        return path == "/private/ws"

    def admits(self, query: str) -> bool:
        return self._opens(query)

    def hear(self, text: str, session: OrderSession) -> list[str]:
        return []

    def last_words(self, session: OrderSession) -> str | None:
        if self._opens(session.query):
            return None
        return json_text({"e": "listenKeyExpired", "E": wall_clock_ms(), "listenKey": _key_in(session.query)})

    def words(self, order: Order) -> str:
        stamp = to_ms(order.updated_at or order.time)
        return json_text({"e": "ORDER_TRADE_UPDATE", "E": stamp, "T": stamp, "o": _update(order, stamp)})

    def _opens(self, query: str) -> bool:
        return self._is_valid() and _key_in(query) == self._key

    def _is_valid(self) -> bool:
        return wall_clock_ms() < self._valid_until_ms

    def _for_an_hour(self) -> dict[str, str]:
        self._valid_until_ms = wall_clock_ms() + VALID_MS
        return {"listenKey": self._key}


def _key_in(query: str) -> str:
    return query_params(query).get("listenKey", "")


def _update(order: Order, stamp: int) -> Mapping[str, Any]:
    fields = order_fields(order)
    return {
        "s": fields["symbol"],
        "c": fields["clientOrderId"],
        "S": fields["side"],
        "o": fields["type"],
        "f": fields["timeInForce"],
        "q": fields["origQty"],
        "p": fields["price"],
        "ap": fields["avgPrice"],
        "sp": fields["stopPrice"],
        "x": _ENDED.get(order.status, "TRADE" if order.fills else "NEW"),
        "X": fields["status"],
        "i": fields["orderId"],
        **_last_fill(order),
        "z": fields["executedQty"],
        "T": stamp,
        "b": "0",
        "a": "0",
        "m": False,
        "R": fields["reduceOnly"],
        "wt": fields["workingType"],
        "ot": fields["origType"],
        "ps": fields["positionSide"],
        "cp": fields["closePosition"],
        "pP": fields["priceProtect"],
        "si": 0,
        "ss": 0,
        "V": fields["selfTradePreventionMode"],
        "pm": fields["priceMatch"],
        "gtd": fields["goodTillDate"],
    }


def _last_fill(order: Order) -> Mapping[str, Any]:
    """Of a trade, what it was; nothing of it otherwise."""
    if not order.fills or order.status in _ENDED:
        return {"l": "0", "L": "0", "t": 0, "rp": "0"}
    fill = order.fills[-1]
    return {
        "l": text(fill.quantity),
        "L": text(fill.price),
        "N": QUOTE,
        "n": text(fill.fee),
        "t": int(fill.fill_id),
        "rp": rounded(fill.realised_pnl),
    }
