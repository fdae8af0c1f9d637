"""Bitget's private stream: a signed login, then the channel `orders`."""

from typing import Any

from venue_sim.account import Order
from venue_sim.dialects.bitget.fields import MODES, PRODUCT, QUOTE, order_fields
from venue_sim.dialects.order_streams import OrderChannel, OrderSession
from venue_sim.dialects.rest import is_integer
from venue_sim.dialects.streams import json_text, parse_object
from venue_sim.dialects.wire import Credentials, text, to_ms, wall_clock_ms
from venue_sim.venue import Venue

_TOPIC = {"instType": PRODUCT, "channel": "orders", "instId": "default"}
_LOGIN_LIVES_MS = 30_000


class BitgetOrders(OrderChannel):
    """The login signs its time in seconds."""

    def __init__(self, venue: Venue, credentials: Credentials) -> None:
        self._venue = venue
        self._credentials = credentials

    def serves(self, path: str) -> bool:
        return path == "/v2/ws/private"

    def hear(self, text: str, session: OrderSession) -> list[str]:
        if text == "ping":
            return ["pong"]
        request = parse_object(text)
        arguments = request.get("args") if request else None
        if request is None or not isinstance(arguments, list) or not arguments:
            return [_error(30016, "Param error")]
        match request.get("op"):
            case "login":
                return [self._log_in(arguments[0], session)]
            case "subscribe":
                return [_subscribe(arguments[0], session)]
        return [_error(30003, "INVALID op")]

    def _log_in(self, login: Any, session: OrderSession) -> str:
        given = {name: str(value) for name, value in login.items()} if isinstance(login, dict) else {}
        timestamp = given.get("timestamp", "")
        if given.get("apiKey") != self._credentials.key:
            return _error(30011, "Invalid ACCESS_KEY")
        if given.get("passphrase") != self._credentials.passphrase:
            return _error(30012, "Invalid ACCESS_PASSPHRASE")
        if not is_integer(timestamp) or abs(int(timestamp) * 1000 - wall_clock_ms()) > _LOGIN_LIVES_MS:
            return _error(30008, "Timestamp request expired")
        if not self._credentials.signs_in_base64(f"{timestamp}GET/user/verify", given.get("sign", "")):
            return _error(30015, "Invalid sign")
        session.has_logged_in = True
        return json_text({"event": "login", "code": 0})

    def words(self, order: Order) -> str:
        fields = order_fields(order, self._venue.leverage(order.symbol), "crossed")
        last = order.fills[-1] if order.fills else None
        update = {
            "accBaseVolume": fields["baseVolume"],
            "cTime": fields["cTime"],
            "cancelReason": fields["cancelReason"],
            "clientOid": fields["clientOid"],
            "enterPointSource": fields["enterPointSource"],
            "feeDetail": [{"feeCoin": QUOTE, "fee": fields["fee"]}],
            "force": fields["force"],
            "instId": fields["symbol"],
            "leverage": fields["leverage"],
            "marginCoin": QUOTE,
            "marginMode": fields["marginMode"],
            "notionalUsd": text(order.quote),
            "orderId": fields["orderId"],
            "orderType": fields["orderType"],
            "posMode": MODES[False],
            "posSide": fields["posSide"],
            "price": fields["price"],
            "priceAvg": fields["priceAvg"],
            "reduceOnly": fields["reduceOnly"].lower(),
            "side": fields["side"],
            "size": fields["size"],
            "status": fields["state"],
            "stpMode": "none",
            "totalProfits": fields["totalProfits"],
            "tradeSide": fields["tradeSide"],
            "uTime": fields["uTime"],
        }
        if last is not None:
            update |= {
                "baseVolume": text(last.quantity),
                "fillFee": text(-last.fee),
                "fillFeeCoin": QUOTE,
                "fillPrice": text(last.price),
                "fillTime": str(to_ms(last.time)),
                "pnl": text(last.realised_pnl),
                "tradeId": last.fill_id,
                "tradeScope": "T",
            }
        return json_text({"action": "snapshot", "arg": _TOPIC, "data": [update], "ts": wall_clock_ms()})


def _subscribe(argument: Any, session: OrderSession) -> str:
    if not session.has_logged_in:
        return _error(30004, "User needs to log in")
    if argument != _TOPIC:
        return _error(30001, f"{argument} doesn't exist")
    session.listens = True
    return json_text({"event": "subscribe", "arg": _TOPIC})


def _error(code: int, message: str) -> str:
    return json_text({"event": "error", "code": code, "msg": message})
