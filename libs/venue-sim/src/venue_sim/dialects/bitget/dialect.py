"""Bitget v2 over HTTP: routing, request signatures, and the envelope around every answer.

A signed request carries ACCESS-SIGN = base64 HMAC-SHA256 of timestamp, method, path with its query, and body, and the
key's passphrase. The timestamp, in milliseconds, is checked against the real clock: that is all that limits how late
an order may arrive.
"""

from urllib.parse import unquote_plus

from venue_sim.account import Origin
from venue_sim.dialects.bitget.account_endpoints import AccountEndpoints
from venue_sim.dialects.bitget.errors import BitgetError, refusal_error
from venue_sim.dialects.bitget.market_endpoints import MarketEndpoints
from venue_sim.dialects.bitget.order_endpoints import OrderEndpoints
from venue_sim.dialects.bitget.own_orders import BitgetOrders
from venue_sim.dialects.identifiers import NumberedIdentifiers
from venue_sim.dialects.rest import ApiError, RestDialect, is_integer, json_params
from venue_sim.dialects.wire import (
    Answer,
    Call,
    Credentials,
    Params,
    base_asset,
    json_answer,
    query_params,
    wall_clock_ms,
)
from venue_sim.faults import EndpointClass
from venue_sim.refusals import Refusal
from venue_sim.venue import Venue, VenueRules

BITGET_RULES = VenueRules(default_leverage=10, shrinks_reduce_only=True)
"""Contracts start at 10x. A reduce-only order beyond the position is shrunk to the position."""

_WINDOW_MS = 30_000
_CLASSES = {
    ("POST", "/api/v2/mix/order/place-order"): EndpointClass.ORDER_CREATE,
    ("GET", "/api/v2/mix/order/detail"): EndpointClass.ORDER_QUERY,
    ("GET", "/api/v2/mix/order/orders-pending"): EndpointClass.ORDER_QUERY,
    ("GET", "/api/v2/mix/order/orders-history"): EndpointClass.ORDER_QUERY,
    ("POST", "/api/v2/mix/order/cancel-order"): EndpointClass.ORDER_CANCEL,
    ("GET", "/api/v2/mix/market/merge-depth"): EndpointClass.BOOK,
    ("GET", "/api/v2/mix/market/tickers"): EndpointClass.BOOK,
    ("GET", "/api/v2/mix/market/ticker"): EndpointClass.BOOK,
    ("GET", "/api/v2/mix/position/all-position"): EndpointClass.POSITIONS,
    ("GET", "/api/v2/mix/position/single-position"): EndpointClass.POSITIONS,
    ("GET", "/api/v2/mix/account/accounts"): EndpointClass.BALANCE,
    ("GET", "/api/v2/mix/account/account"): EndpointClass.BALANCE,
    ("GET", "/api/v2/mix/order/fills"): EndpointClass.FILLS,
    ("GET", "/api/v2/mix/order/fill-history"): EndpointClass.FILLS,
    ("GET", "/api/v2/mix/account/bill"): EndpointClass.FUNDING,
}
_HEADERS = {
    "access-key": ("40001", "ACCESS_KEY cannot be empty"),
    "access-sign": ("40003", "Signature cannot be empty"),
    "access-timestamp": ("40005", "Invalid ACCESS_TIMESTAMP"),
    "access-passphrase": ("40011", "ACCESS_PASSPHRASE cannot be empty"),
}


class BitgetIdentifiers(NumberedIdentifiers):
    """Bitget's ids are large integers; trades and bills have one series."""

    orders_from = 111_146_525_300_000_000
    fills_from = payments_from = 111_146_866_400_000_000

    def foreign_client_id(self, origin: Origin, number: int) -> str:
        return str(111_146_525_400_000_000 + number)


class BitgetDialect(RestDialect):
    """Answers Bitget's v2 REST calls for one venue."""

    classes = _CLASSES
    half_an_answer = b'{"code":"00000","msg":"success","data":{"clientOid":"'

    def __init__(self, venue: Venue, credentials: Credentials) -> None:
        market, orders, account = MarketEndpoints(venue), OrderEndpoints(venue), AccountEndpoints(venue)
        super().__init__(market.routes(), {**orders.routes(), **account.routes()})
        self._credentials = credentials
        self.own_orders = BitgetOrders(venue, credentials)

    def params(self, call: Call) -> Params:
        if call.method == "GET":
            return query_params(call.query)
        return json_params(call.body, BitgetError("40020", "Parameter body error"))

    def verify(self, call: Call, params: Params) -> None:
        for name, (code, message) in _HEADERS.items():
            if not call.headers.get(name):
                raise BitgetError(code, message)
        if call.headers["access-key"] != self._credentials.key:
            raise BitgetError("40006", "Invalid ACCESS_KEY")
        if call.headers["access-passphrase"] != self._credentials.passphrase:
            raise BitgetError("40012", "apikey/password is incorrect")
        timestamp = call.headers["access-timestamp"]
        if not is_integer(timestamp):
            raise BitgetError("40005", "Invalid ACCESS_TIMESTAMP")
        if abs(int(timestamp) - wall_clock_ms()) > _WINDOW_MS:
            raise self.outside_the_window()
        path = f"{call.path}?{unquote_plus(call.query)}" if call.query else call.path
        payload = timestamp + call.method + path + call.body.decode(errors="replace")
        if not self._credentials.signs_in_base64(payload, call.headers["access-sign"]):
            raise BitgetError("40009", "sign signature error")

    def symbol(self, params: Params) -> str | None:
        return base_asset(params["symbol"].upper()) if params.get("symbol") else None

    def reduces(self, params: Params) -> bool:
        return params.get("reduceOnly", "").upper() == "YES"

    def success(self, result: object) -> Answer:
        return json_answer({"code": "00000", "msg": "success", "requestTime": wall_clock_ms(), "data": result})

    def failure(self, error: ApiError) -> Answer:
        content = {"code": error.code, "msg": error.message, "requestTime": wall_clock_ms(), "data": None}
        return json_answer(content, error.status)

    def refused(self, refusal: Refusal) -> ApiError:
        return refusal_error(refusal)

    def no_such_route(self, call: Call) -> ApiError:
        return BitgetError("40404", "Request URL NOT FOUND", 404)

    def outside_the_window(self) -> ApiError:
        return BitgetError("40008", "Request timestamp expired")

    def some_rejection(self) -> ApiError:
        return BitgetError("45113", "Maximum order value limit triggered")

    def banned(self, status: int, remaining_seconds: float) -> Answer:
        """A limit and a ban are worded alike, and without an end."""
        return self.failure(BitgetError("429", "Too Many Requests", 429))

    def server_error(self, status: int | None) -> Answer:
        if status is None:
            return self.failure(BitgetError("40725", "service return an error", 500))
        return Answer(status, b"<html><body>Bad gateway</body></html>", {"Content-Type": "text/html"})
