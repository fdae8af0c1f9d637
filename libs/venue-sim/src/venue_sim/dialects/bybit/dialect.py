"""Bybit v5 over HTTP: routing, request signatures, and the envelope around every answer.

A signed request carries X-BAPI-SIGN = HMAC-SHA256 of timestamp, key, receive window and the raw query (GET) or
the raw body (POST). The timestamp is checked against the real clock.
"""

import uuid

from venue_sim.account import Origin
from venue_sim.dialects.bybit.account_endpoints import AccountEndpoints
from venue_sim.dialects.bybit.errors import PARAMETER_ERROR, BybitError, envelope, refusal_error
from venue_sim.dialects.bybit.market_endpoints import MarketEndpoints
from venue_sim.dialects.bybit.order_endpoints import OrderEndpoints
from venue_sim.dialects.bybit.own_orders import BybitOrders
from venue_sim.dialects.rest import ApiError, RestDialect, is_integer, json_params
from venue_sim.dialects.wire import Answer, Call, Credentials, Params, base_asset, query_params, wall_clock_ms
from venue_sim.faults import EndpointClass
from venue_sim.refusals import Refusal
from venue_sim.venue import Venue, VenueRules

BYBIT_RULES = VenueRules(default_leverage=10, shrinks_reduce_only=True)
"""New symbols start at 10x. A reduce-only order beyond the position is shrunk to the position."""

_CLOCK_AHEAD_MS = 1000
_RECV_WINDOW_DEFAULT = "5000"
_NAMESPACE = uuid.UUID("6f2f6b0e-3f6f-5f44-9d3a-0b1f1a4f7c55")


class BybitIdentifiers:
    """Bybit's ids are UUIDs; here a function of the venue's name and the number."""

    def __init__(self, venue: str) -> None:
        self._venue = venue

    def order(self, number: int) -> str:
        return self._uuid("order", number)

    def fill(self, number: int) -> str:
        return self._uuid("fill", number)

    def payment(self, number: int) -> str:
        return self._uuid("payment", number)

    def foreign_client_id(self, origin: Origin, number: int) -> str:
        return ""

    def _uuid(self, kind: str, number: int) -> str:
        return str(uuid.uuid5(_NAMESPACE, f"{self._venue}/{kind}/{number}"))


_CLASSES = {
    ("POST", "/v5/order/create"): EndpointClass.ORDER_CREATE,
    ("GET", "/v5/order/realtime"): EndpointClass.ORDER_QUERY,
    ("GET", "/v5/order/history"): EndpointClass.ORDER_QUERY,
    ("POST", "/v5/order/cancel"): EndpointClass.ORDER_CANCEL,
    ("GET", "/v5/market/orderbook"): EndpointClass.BOOK,
    ("GET", "/v5/position/list"): EndpointClass.POSITIONS,
    ("GET", "/v5/account/wallet-balance"): EndpointClass.BALANCE,
    ("GET", "/v5/execution/list"): EndpointClass.FILLS,
}


class BybitDialect(RestDialect):
    """Answers Bybit's v5 REST calls for one venue."""

    classes = _CLASSES
    half_an_answer = b'{"retCode":0,"retMsg":"OK","result":{"orderId":"'

    def __init__(self, venue: Venue, credentials: Credentials) -> None:
        market, orders, account = MarketEndpoints(venue), OrderEndpoints(venue), AccountEndpoints(venue)
        super().__init__(market.routes(), {**orders.routes(), **account.routes()})
        self._credentials = credentials
        self.own_orders = BybitOrders(credentials)

    def params(self, call: Call) -> Params:
        if call.method == "GET":
            return query_params(call.query)
        return json_params(call.body, BybitError(PARAMETER_ERROR, "Json params parsing error"))

    def verify(self, call: Call, params: Params) -> None:
        key = call.headers.get("x-bapi-api-key", "")
        timestamp = call.headers.get("x-bapi-timestamp", "")
        signature = call.headers.get("x-bapi-sign", "")
        window = call.headers.get("x-bapi-recv-window", _RECV_WINDOW_DEFAULT)
        if not key or not timestamp or not signature:
            raise BybitError(PARAMETER_ERROR, f"empty value: apiTimestamp[{timestamp}] apiKey[] apiSignature[]")
        if key != self._credentials.key:
            raise BybitError(10003, "API key is invalid.")
        _check_timestamp(timestamp, window)
        payload = call.query if call.method == "GET" else call.body.decode(errors="replace")
        if not self._credentials.signs(timestamp + key + window + payload, signature):
            raise BybitError(10004, "error sign! please check your signature generation algorithm.")

    def class_of(self, call: Call, params: Params) -> EndpointClass | None:
        """Trades and funding are one list, told apart by what is asked for."""
        known = super().class_of(call, params)
        about_funding = known is EndpointClass.FILLS and params.get("execType") == "Funding"
        return EndpointClass.FUNDING if about_funding else known

    def symbol(self, params: Params) -> str | None:
        return base_asset(params["symbol"]) if params.get("symbol") else None

    def success(self, result: object) -> Answer:
        return envelope(0, "OK", result)

    def failure(self, error: ApiError) -> Answer:
        return envelope(error.code, error.message, {}, error.status)

    def refused(self, refusal: Refusal) -> ApiError:
        return refusal_error(refusal)

    def no_such_route(self, call: Call) -> ApiError:
        return BybitError(10017, "Route not found.", 404)

    def outside_the_window(self) -> ApiError:
        return BybitError(10002, "invalid request, please check your server timestamp.")

    def some_rejection(self) -> ApiError:
        return BybitError(110023, "Currently you can only reduce positions. Please check announcement.")

    def banned(self, status: int, remaining_seconds: float) -> Answer:
        """A limit is a code of its own; a ban is a 403 at the edge without a body to read."""
        if status == 418:
            return Answer(403, b"access too frequent", {"Content-Type": "text/plain"})
        answer = self.failure(BybitError(10006, "Too many visits. Exceeded the API Rate Limit."))
        reset_ms = wall_clock_ms() + int(remaining_seconds * 1000)
        limits = {"X-Bapi-Limit": "10", "X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": str(reset_ms)}
        return Answer(answer.status, answer.content, limits)

    def server_error(self, status: int | None) -> Answer:
        if status is None:
            return self.failure(BybitError(10016, "Server error."))
        return Answer(status, b"<html><body>Bad gateway</body></html>", {"Content-Type": "text/html"})


def _check_timestamp(timestamp: str, window: str) -> None:
    if not is_integer(timestamp) or not is_integer(window):
        raise BybitError(PARAMETER_ERROR, "params error: timestamp invalid")
    now = wall_clock_ms()
    if not now - int(window) <= int(timestamp) < now + _CLOCK_AHEAD_MS:
        raise BybitError(
            10002,
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{timestamp}],server_timestamp[{now}],recv_window[{window}]",
        )
