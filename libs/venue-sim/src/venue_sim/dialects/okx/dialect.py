"""OKX v5 over HTTP: routing, request signatures, and the envelope around every answer.

A signed request carries OK-ACCESS-SIGN = base64 HMAC-SHA256 of timestamp, method, path with its query, and body,
and the key's passphrase. The timestamp is checked against the real clock.
"""

from datetime import UTC, datetime
from typing import Any

from venue_sim.dialects.identifiers import NumberedIdentifiers
from venue_sim.dialects.okx.account_endpoints import AccountEndpoints
from venue_sim.dialects.okx.errors import OkxError, OkxOrderError, refusal_error
from venue_sim.dialects.okx.fields import symbol_of
from venue_sim.dialects.okx.market_endpoints import MarketEndpoints
from venue_sim.dialects.okx.order_endpoints import OrderEndpoints, accepted
from venue_sim.dialects.okx.own_orders import OkxOrders
from venue_sim.dialects.rest import ApiError, RestDialect, json_params
from venue_sim.dialects.wire import Answer, Call, Credentials, Params, json_answer, query_params, to_ms, wall_clock_ms
from venue_sim.faults import EndpointClass
from venue_sim.refusals import Refusal
from venue_sim.venue import Venue, VenueRules

OKX_RULES = VenueRules(default_leverage=3, shrinks_reduce_only=True)
"""Instruments start at 3x. A reduce-only order beyond the position is shrunk to the position."""

_WINDOW_MS = 30_000
_CLASSES = {
    ("POST", "/api/v5/trade/order"): EndpointClass.ORDER_CREATE,
    ("GET", "/api/v5/trade/order"): EndpointClass.ORDER_QUERY,
    ("GET", "/api/v5/trade/orders-pending"): EndpointClass.ORDER_QUERY,
    ("GET", "/api/v5/trade/orders-history"): EndpointClass.ORDER_QUERY,
    ("POST", "/api/v5/trade/cancel-order"): EndpointClass.ORDER_CANCEL,
    ("GET", "/api/v5/market/books"): EndpointClass.BOOK,
    ("GET", "/api/v5/market/tickers"): EndpointClass.BOOK,
    ("GET", "/api/v5/account/positions"): EndpointClass.POSITIONS,
    ("GET", "/api/v5/account/balance"): EndpointClass.BALANCE,
    ("GET", "/api/v5/trade/fills"): EndpointClass.FILLS,
    ("GET", "/api/v5/trade/fills-history"): EndpointClass.FILLS,
    ("GET", "/api/v5/account/bills"): EndpointClass.FUNDING,
    ("GET", "/api/v5/account/bills-archive"): EndpointClass.FUNDING,
}
_HEADERS = {
    "ok-access-key": ("50103", "Request header OK-ACCESS-KEY can not be empty."),
    "ok-access-passphrase": ("50104", "Request header OK-ACCESS-PASSPHRASE can not be empty."),
    "ok-access-sign": ("50106", "Request header OK-ACCESS-SIGN can not be empty."),
    "ok-access-timestamp": ("50107", "Request header OK-ACCESS-TIMESTAMP can not be empty."),
}


class OkxIdentifiers(NumberedIdentifiers):
    """OKX's ids are large integers; fills and payments are numbered by the bills that book them."""

    orders_from = 680_800_019_000_000_000
    fills_from = payments_from = 691_293_628_000_000_000


class OkxDialect(RestDialect):
    """Answers OKX's v5 REST calls for one venue."""

    classes = _CLASSES
    half_an_answer = b'{"code":"0","data":[{"clOrdId":"'

    def __init__(self, venue: Venue, credentials: Credentials) -> None:
        market, orders, account = MarketEndpoints(venue), OrderEndpoints(venue), AccountEndpoints(venue)
        super().__init__(market.routes(), {**orders.routes(), **account.routes()})
        self._credentials = credentials
        self.own_orders = OkxOrders(venue, credentials)

    def params(self, call: Call) -> Params:
        if call.method == "GET":
            return query_params(call.query)
        return json_params(call.body, OkxError("50002", "JSON syntax error", 400))

    def verify(self, call: Call, params: Params) -> None:
        for name, (code, message) in _HEADERS.items():
            if not call.headers.get(name):
                raise OkxError(code, message, 401)
        if call.headers["ok-access-key"] != self._credentials.key:
            raise OkxError("50111", "Invalid OK-ACCESS-KEY", 401)
        if call.headers["ok-access-passphrase"] != self._credentials.passphrase:
            raise OkxError("50105", "Request header OK-ACCESS-PASSPHRASE incorrect.", 401)
        timestamp = call.headers["ok-access-timestamp"]
        if abs(_milliseconds(timestamp) - wall_clock_ms()) > _WINDOW_MS:
            raise self.outside_the_window()
        path = f"{call.path}?{call.query}" if call.query else call.path
        payload = timestamp + call.method + path + call.body.decode(errors="replace")
        if not self._credentials.signs_in_base64(payload, call.headers["ok-access-sign"]):
            raise OkxError("50113", "Invalid Sign", 401)

    def symbol(self, params: Params) -> str | None:
        return symbol_of(params["instId"]) if params.get("instId") else None

    def success(self, result: object) -> Answer:
        if isinstance(result, list) and result and "sCode" in result[0]:
            return _order_answer("0", "", result)
        return json_answer({"code": "0", "msg": "", "data": result})

    def failure(self, error: ApiError) -> Answer:
        if isinstance(error, OkxOrderError):
            row = accepted(error.client_id, "") | {"sCode": error.code, "sMsg": error.message}
            return _order_answer("1", "All operations failed", [row])
        return json_answer({"code": error.code, "msg": error.message, "data": []}, error.status)

    def order_failure(self, error: ApiError) -> Answer:
        return self.failure(OkxOrderError(error))

    def refused(self, refusal: Refusal) -> ApiError:
        return refusal_error(refusal)

    def no_such_route(self, call: Call) -> ApiError:
        return OkxError("404", "Not Found", 404)

    def outside_the_window(self) -> ApiError:
        return OkxError("50102", "Timestamp request expired", 401)

    def some_rejection(self) -> ApiError:
        return OkxError("51022", "Contract suspended.")

    def banned(self, status: int, remaining_seconds: float) -> Answer:
        """A limit and a ban are worded alike, and without an end."""
        return self.failure(OkxError("50011", "Too Many Requests", 429))

    def server_error(self, status: int | None) -> Answer:
        if status is None:
            return self.failure(OkxError("50026", "System error. Try again later", 500))
        return Answer(status, b"<html><body>Bad gateway</body></html>", {"Content-Type": "text/html"})


def _order_answer(code: str, message: str, rows: list[dict[str, Any]]) -> Answer:
    """Answers about orders also say when the gateway took the request and when it answered, in microseconds."""
    now = f"{wall_clock_ms()}000"
    return json_answer({"code": code, "data": rows, "inTime": now, "msg": message, "outTime": now})


def _milliseconds(timestamp: str) -> int:
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError as error:
        raise OkxError("50112", "Invalid OK-ACCESS-TIMESTAMP", 401) from error
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
