"""OKX's private stream: a signed login, then the channel `orders`."""

from typing import Any

from venue_sim.account import Order
from venue_sim.dialects.okx.fields import KIND, order_fields
from venue_sim.dialects.okx.stream import CONNECTION, error
from venue_sim.dialects.order_streams import OrderChannel, OrderSession
from venue_sim.dialects.rest import is_integer
from venue_sim.dialects.streams import json_text, parse_object
from venue_sim.dialects.wire import Credentials, text, wall_clock_ms
from venue_sim.venue import Venue

_CHANNEL = "orders"
_KINDS = ("ANY", KIND)
_LOGIN_LIVES_MS = 30_000
_ACCOUNT = "446556981"


class OkxOrders(OrderChannel):
    """The login signs its time in seconds, which may be half a minute old."""

    def __init__(self, venue: Venue, credentials: Credentials) -> None:
        self._venue = venue
        self._credentials = credentials

    def serves(self, path: str) -> bool:
        return path == "/ws/v5/private"

    def hear(self, text: str, session: OrderSession) -> list[str]:
        if text == "ping":
            return ["pong"]
        request = parse_object(text)
        if request is None or not isinstance(request.get("args"), list) or not request["args"]:
            return [error("60012", f"Invalid request: {text}")]
        argument = request["args"][0]
        match request.get("op"):
            case "login":
                return [self._log_in(argument, session)]
            case "subscribe":
                return [_subscribe(argument, session)]
        return [error("60012", f"Invalid request: {text}")]

    def _log_in(self, login: Any, session: OrderSession) -> str:
        given = {name: str(value) for name, value in login.items()} if isinstance(login, dict) else {}
        timestamp = given.get("timestamp", "")
        if given.get("apiKey") != self._credentials.key:
            return error("60005", "Invalid apiKey")
        if given.get("passphrase") != self._credentials.passphrase:
            return error("60024", "Wrong passphrase")
        if not is_integer(timestamp) or abs(int(timestamp) * 1000 - wall_clock_ms()) > _LOGIN_LIVES_MS:
            return error("60006", "Timestamp request expired")
        if not self._credentials.signs_in_base64(f"{timestamp}GET/users/self/verify", given.get("sign", "")):
            return error("60007", "Invalid sign")
        session.has_logged_in = True
        return json_text({"event": "login", "code": "0", "msg": "", "connId": CONNECTION})

    def words(self, order: Order) -> str:
        instrument = self._venue.instrument(order.symbol)
        fields = order_fields(order, instrument, self._venue.leverage(order.symbol))
        last = order.fills[-1] if order.fills else None
        update = {
            **fields,
            "amendResult": "",
            "amendSource": "",
            "code": "0",
            "execType": "T" if last else "",
            "fillFee": text(-last.fee) if last else "0",
            "fillFeeCcy": fields["feeCcy"] if last else "",
            "fillNotionalUsd": text(last.price * last.quantity) if last else "",
            "fillPnl": text(last.realised_pnl) if last else "0",
            "lastPx": text(last.price) if last else "",
            "msg": "",
            "notionalUsd": text(order.quantity * self._venue.mark(order.symbol)),
            "reqId": "",
        }
        return json_text({"arg": {"channel": _CHANNEL, "instType": KIND, "uid": _ACCOUNT}, "data": [update]})


def _subscribe(argument: Any, session: OrderSession) -> str:
    asked = argument if isinstance(argument, dict) else {}
    channel, kind = asked.get("channel"), asked.get("instType")
    if not session.has_logged_in:
        return error("60011", "Please log in")
    if channel != _CHANNEL or kind not in _KINDS:
        return error("60018", f"Wrong URL or channel:{channel},instType:{kind} doesn't exist.")
    session.listens = True
    return json_text({"event": "subscribe", "arg": argument, "connId": CONNECTION})
