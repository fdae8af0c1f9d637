"""Bybit's private stream: a signed login, then the topic `order`."""

import uuid
from typing import Any

from venue_sim.account import Order
from venue_sim.dialects.bybit.fields import order_fields
from venue_sim.dialects.bybit.stream import answer
from venue_sim.dialects.order_streams import OrderChannel, OrderSession
from venue_sim.dialects.rest import is_integer
from venue_sim.dialects.streams import json_text, parse_object
from venue_sim.dialects.wire import Credentials, wall_clock_ms

_TOPIC = "order"


class BybitOrders(OrderChannel):
    """The login signs the moment until which it is good."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def serves(self, path: str) -> bool:
        return path == "/v5/private"

    def hear(self, text: str, session: OrderSession) -> list[str]:
        request = parse_object(text)
        if request is None:
            return [answer({}, success=False, message="error:invalid JSON")]
        match request.get("op"):
            case "ping":
                return [json_text({"op": "pong", "args": [str(wall_clock_ms())], "req_id": request.get("req_id", "")})]
            case "auth":
                wrong = self._wrong_in(request.get("args"))
                session.has_logged_in = not wrong
                return [answer(request, success=not wrong, message=wrong)]
            case "subscribe":
                return [_subscribe(request, session)]
        return [answer(request, success=False, message="error:request params")]

    def _wrong_in(self, login: Any) -> str:
        """What is wrong with a login; empty where it is right."""
        if not isinstance(login, list) or len(login) != 3:
            return "error:params"
        key, expires, signature = (str(part) for part in login)
        if key != self._credentials.key:
            return "error:API key is invalid."
        if not is_integer(expires) or int(expires) <= wall_clock_ms():
            return "error:the login has expired"
        return "" if self._credentials.signs(f"GET/realtime{expires}", signature) else "error:error sign!"

    def words(self, order: Order) -> str:
        return json_text(
            {
                "id": str(uuid.uuid4()),
                "topic": _TOPIC,
                "creationTime": wall_clock_ms(),
                "data": [{**order_fields(order), "category": "linear"}],
            }
        )


def _subscribe(request: dict[str, Any], session: OrderSession) -> str:
    if not session.has_logged_in:
        return answer(request, success=False, message="Request not authorized")
    topics = request.get("args")
    if topics != [_TOPIC]:
        return answer(request, success=False, message=f"error:handler not found,topic:{topics}")
    session.listens = True
    return answer(request, success=True, message="")
