"""Gate's channel of own orders, `futures.orders`: each request to follow it is signed, and names the account."""

from typing import Any

from venue_sim.account import Order
from venue_sim.dialects.gate.fields import USER, order_fields
from venue_sim.dialects.order_streams import OrderChannel, OrderSession
from venue_sim.dialects.rest import is_integer
from venue_sim.dialects.streams import json_text, parse_object
from venue_sim.dialects.wire import Call, Credentials, to_ms, wall_clock_ms
from venue_sim.venue import Venue

_CHANNEL = "futures.orders"
_LIVES_MS = 60_000
_NO_REQUEST = Call("GET", "", "", {}, b"", 0)


class GateOrders(OrderChannel):
    """It is at the path of the order books. All contracts of the account are followed."""

    def __init__(self, venue: Venue, credentials: Credentials) -> None:
        self._venue = venue
        self._credentials = credentials

    def serves(self, path: str) -> bool:
        return path == "/v4/ws/usdt"

    def hear(self, text: str, session: OrderSession) -> list[str] | None:
        request = parse_object(text)
        if request is None or request.get("channel") != _CHANNEL:
            return None
        wrong = self._wrong_in(request)
        session.listens = wrong is None
        return [_answer(request, wrong)]

    def _wrong_in(self, request: dict[str, Any]) -> tuple[int, str] | None:
        """What is wrong with a request to follow the orders."""
        auth, event, time = request.get("auth"), request.get("event"), str(request.get("time"))
        if event != "subscribe" or request.get("payload") != [str(USER), "!all"]:
            return 2, "invalid argument"
        if not isinstance(auth, dict) or auth.get("KEY") != self._credentials.key:
            return 4, '{"label":"INVALID_KEY","message":"Invalid key provided"}'
        if not is_integer(time) or abs(int(time) * 1000 - wall_clock_ms()) > _LIVES_MS:
            return 4, '{"label":"REQUEST_EXPIRED","message":"gap between request time and server time exceeds 60"}'
        signed = f"channel={_CHANNEL}&event={event}&time={time}"
        if not self._credentials.signs_with_sha512(signed, str(auth.get("SIGN"))):
            return 4, '{"label":"INVALID_SIGNATURE","message":"Signature mismatch"}'
        return None

    def words(self, order: Order) -> str:
        fields = order_fields(order, self._venue.instrument(order.symbol), _NO_REQUEST)
        created_ms = to_ms(order.time)
        update = {
            **fields,
            "id_string": str(fields["id"]),
            "create_time": created_ms // 1000,
            "create_time_ms": created_ms,
            "finish_as": fields.get("finish_as", "_new" if not order.filled else "_update"),
            "user": str(USER),
        }
        now = wall_clock_ms()
        return json_text(
            {"time": now // 1000, "time_ms": now, "channel": _CHANNEL, "event": "update", "result": [update]}
        )


def _answer(request: dict[str, Any], wrong: tuple[int, str] | None) -> str:
    now = wall_clock_ms()
    asked = {name: request.get(name) for name in ("id", "channel", "event", "payload")}
    result = {"result": {"status": "fail" if wrong else "success"}}
    error = {"error": {"code": wrong[0], "message": wrong[1]}} if wrong else {}
    return json_text({"time": now // 1000, "time_ms": now, **asked, **error, **result})
