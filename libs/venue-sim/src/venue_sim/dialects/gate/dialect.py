"""Gate v4 over HTTP: routing and request signatures; there is no envelope around an answer.

A signed request carries SIGN = hex HMAC-SHA512 of method, path, query, SHA-512 of the body, and timestamp, a line each.
The timestamp, in seconds, is checked against the real clock.
"""

import hashlib
from urllib.parse import unquote_plus

from venue_sim.dialects.gate.account_endpoints import AccountEndpoints
from venue_sim.dialects.gate.errors import GateError, invalid, refusal_error
from venue_sim.dialects.gate.fields import symbol_of
from venue_sim.dialects.gate.market_endpoints import MarketEndpoints
from venue_sim.dialects.gate.order_endpoints import OrderEndpoints
from venue_sim.dialects.gate.own_orders import GateOrders
from venue_sim.dialects.identifiers import NumberedIdentifiers
from venue_sim.dialects.rest import ApiError, RestDialect, is_integer, json_params
from venue_sim.dialects.wire import Answer, Call, Credentials, Params, json_answer, query_params, wall_clock_ms
from venue_sim.faults import EndpointClass
from venue_sim.refusals import Refusal
from venue_sim.venue import Venue, VenueRules

GATE_RULES = VenueRules(default_leverage=10, shrinks_reduce_only=False)
"""Contracts start at 10x. A reduce-only order beyond the position ends with a remainder."""

_FUTURES = "/api/v4/futures/usdt"
_WINDOW_MS = 60_000
_CLASSES = {
    ("POST", f"{_FUTURES}/orders"): EndpointClass.ORDER_CREATE,
    ("GET", f"{_FUTURES}/orders"): EndpointClass.ORDER_QUERY,
    ("GET", f"{_FUTURES}/orders_timerange"): EndpointClass.ORDER_QUERY,
    ("GET", f"{_FUTURES}/orders/{{order_id}}"): EndpointClass.ORDER_QUERY,
    ("DELETE", f"{_FUTURES}/orders/{{order_id}}"): EndpointClass.ORDER_CANCEL,
    ("GET", f"{_FUTURES}/order_book"): EndpointClass.BOOK,
    ("GET", f"{_FUTURES}/tickers"): EndpointClass.BOOK,
    ("GET", f"{_FUTURES}/positions"): EndpointClass.POSITIONS,
    ("GET", f"{_FUTURES}/positions/{{contract}}"): EndpointClass.POSITIONS,
    ("GET", f"{_FUTURES}/accounts"): EndpointClass.BALANCE,
    ("GET", f"{_FUTURES}/my_trades"): EndpointClass.FILLS,
    ("GET", f"{_FUTURES}/my_trades_timerange"): EndpointClass.FILLS,
    ("GET", f"{_FUTURES}/account_book"): EndpointClass.FUNDING,
}


class GateIdentifiers(NumberedIdentifiers):
    """Gate's ids are integers; a settlement of funding has none."""

    orders_from = 95_938_572_000
    fills_from = 121_234_000


class GateDialect(RestDialect):
    """Answers Gate's v4 REST calls for one venue."""

    classes = _CLASSES
    half_an_answer = b'{"id":95938572001,"user":10000,"contract":"'

    def __init__(self, venue: Venue, credentials: Credentials) -> None:
        market, orders, account = MarketEndpoints(venue), OrderEndpoints(venue), AccountEndpoints(venue)
        super().__init__(market.routes(), {**orders.routes(), **account.routes()})
        self._credentials = credentials
        self.own_orders = GateOrders(venue, credentials)

    def params(self, call: Call) -> Params:
        return {**query_params(call.query), **json_params(call.body, invalid("body"))}

    def verify(self, call: Call, params: Params) -> None:
        key, timestamp, signature = (call.headers.get(name, "") for name in ("key", "timestamp", "sign"))
        if not key or not timestamp or not signature:
            raise GateError("MISSING_REQUIRED_HEADER", "Missing required header: KEY, Timestamp or SIGN")
        if key != self._credentials.key:
            raise GateError("INVALID_KEY", "Invalid key provided", 401)
        if not is_integer(timestamp) or abs(int(timestamp) * 1000 - wall_clock_ms()) >= _WINDOW_MS:
            raise self.outside_the_window()
        lines = (call.method, call.path, unquote_plus(call.query), hashlib.sha512(call.body).hexdigest(), timestamp)
        if not self._credentials.signs_with_sha512("\n".join(lines), signature):
            raise GateError("INVALID_SIGNATURE", "Signature mismatch", 401)

    def symbol(self, params: Params) -> str | None:
        return symbol_of(params["contract"]) if params.get("contract") else None

    def reduces(self, params: Params) -> bool:
        return params.get("reduce_only") == "true"

    def success(self, result: object) -> Answer:
        return json_answer(result)

    def failure(self, error: ApiError) -> Answer:
        return json_answer({"label": error.code, "message": error.message}, error.status)

    def refused(self, refusal: Refusal) -> ApiError:
        return refusal_error(refusal)

    def no_such_route(self, call: Call) -> ApiError:
        return GateError("NOT_FOUND", "Not Found", 404)

    def outside_the_window(self) -> ApiError:
        return GateError("REQUEST_EXPIRED", "gap between request Timestamp and server time exceeds 60", 403)

    def some_rejection(self) -> ApiError:
        return GateError("RISK_LIMIT_EXCEEDED", "risk limit exceeded")

    def banned(self, status: int, remaining_seconds: float) -> Answer:
        """A limit and a ban are worded alike, and without an end."""
        return self.failure(GateError("TOO_MANY_REQUESTS", "Request Rate limit Exceeded", 429))

    def server_error(self, status: int | None) -> Answer:
        if status is None:
            return self.failure(GateError("SERVER_ERROR", "Internal server error", 500))
        return Answer(status, b"<html><body>Bad gateway</body></html>", {"Content-Type": "text/html"})
