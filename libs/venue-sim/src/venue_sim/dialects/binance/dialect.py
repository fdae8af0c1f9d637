"""Binance USD-M over HTTP: routing, request signatures, and errors in Binance's form.

A signed request carries `timestamp` and `signature` = HMAC-SHA256 of everything else in query and body, in the
order in which it was sent. The timestamp is checked against the real clock.
"""

import re
from math import ceil

from venue_sim.account import Origin
from venue_sim.dialects.binance.account_endpoints import AccountEndpoints
from venue_sim.dialects.binance.errors import BinanceError, missing, no_such_path, refusal_error
from venue_sim.dialects.binance.market_endpoints import MarketEndpoints
from venue_sim.dialects.binance.order_endpoints import OrderEndpoints
from venue_sim.dialects.binance.own_orders import LISTEN_KEY, BinanceOrders
from venue_sim.dialects.identifiers import NumberedIdentifiers
from venue_sim.dialects.rest import ApiError, RestDialect, is_integer
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

BINANCE_RULES = VenueRules(default_leverage=20, shrinks_reduce_only=False)
"""New symbols start at 20x. The part of a reduce-only order beyond the position expires."""

_CLOCK_AHEAD_MS = 1000
_RECV_WINDOW_DEFAULT_MS = 5000
_RECV_WINDOW_MAX_MS = 60_000
_SIGNATURE = re.compile(r"(^|&)signature=([^&]*)")
_BANNED = "Way too many requests; IP(127.0.0.1) banned until {until_ms}. Please use the websocket for live updates."
_TOO_MANY = "Too many requests; current limit of IP(127.0.0.1) is 2400 requests per minute."


_FOREIGN_CLIENT_IDS = {
    Origin.OWNER: "web_{number:016d}",
    Origin.LIQUIDATION: "autoclose-{number:019d}",
    Origin.DELEVERAGING: "adl_autoclose",
}


class BinanceIdentifiers(NumberedIdentifiers):
    """Binance's ids are integers."""

    orders_from = 8_000_000_000
    fills_from = 1_500_000_000
    payments_from = 9_600_000_000

    def foreign_client_id(self, origin: Origin, number: int) -> str:
        return _FOREIGN_CLIENT_IDS[origin].format(number=number)


_CLASSES = {
    ("POST", "/fapi/v1/order"): EndpointClass.ORDER_CREATE,
    ("GET", "/fapi/v1/order"): EndpointClass.ORDER_QUERY,
    ("GET", "/fapi/v1/openOrders"): EndpointClass.ORDER_QUERY,
    ("GET", "/fapi/v1/allOrders"): EndpointClass.ORDER_QUERY,
    ("DELETE", "/fapi/v1/order"): EndpointClass.ORDER_CANCEL,
    ("GET", "/fapi/v1/depth"): EndpointClass.BOOK,
    ("GET", "/fapi/v1/ticker/bookTicker"): EndpointClass.BOOK,
    ("GET", "/fapi/v2/positionRisk"): EndpointClass.POSITIONS,
    ("GET", "/fapi/v3/positionRisk"): EndpointClass.POSITIONS,
    ("GET", "/fapi/v3/account"): EndpointClass.BALANCE,
    ("GET", "/fapi/v3/balance"): EndpointClass.BALANCE,
    ("GET", "/fapi/v1/userTrades"): EndpointClass.FILLS,
    ("GET", "/fapi/v1/income"): EndpointClass.FUNDING,
}


class BinanceDialect(RestDialect):
    """Answers Binance's REST calls for one venue."""

    classes = _CLASSES
    half_an_answer = b'{"orderId":8000000000,"symbol":"'

    def __init__(self, venue: Venue, credentials: Credentials) -> None:
        market, orders, account = MarketEndpoints(venue), OrderEndpoints(venue), AccountEndpoints(venue)
        self.own_orders = BinanceOrders()
        private = {**orders.routes(), **account.routes(), **self.own_orders.routes()}
        super().__init__(market.routes(), private)
        self._credentials = credentials

    def params(self, call: Call) -> Params:
        try:
            return {**query_params(call.query), **query_params(call.body.decode())}
        except UnicodeDecodeError as error:
            raise BinanceError(-1100, "Illegal characters found in a parameter.") from error

    def verify(self, call: Call, params: Params) -> None:
        key = call.headers.get("x-mbx-apikey", "")
        if not key:
            raise BinanceError(-2014, "API-key format invalid.", 401)
        if key != self._credentials.key:
            raise BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        if call.path == LISTEN_KEY:
            return
        if not params.get("signature"):
            raise missing("signature")
        payload = _SIGNATURE.sub("", call.query) + _SIGNATURE.sub("", call.body.decode())
        if not self._credentials.signs(payload, params["signature"]):
            raise BinanceError(-1022, "Signature for this request is not valid.")
        self._check_timestamp(params)

    def _check_timestamp(self, params: Params) -> None:
        timestamp, window = params.get("timestamp", ""), params.get("recvWindow", str(_RECV_WINDOW_DEFAULT_MS))
        if not is_integer(timestamp):
            raise missing("timestamp")
        if not is_integer(window) or not 0 < int(window) <= _RECV_WINDOW_MAX_MS:
            raise BinanceError(-1131, f"recvWindow must be less than {_RECV_WINDOW_MAX_MS}")
        now = wall_clock_ms()
        if int(timestamp) > now + _CLOCK_AHEAD_MS:
            raise BinanceError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if int(timestamp) < now - int(window):
            raise self.outside_the_window()

    def symbol(self, params: Params) -> str | None:
        return base_asset(params["symbol"]) if params.get("symbol") else None

    def success(self, result: object) -> Answer:
        return json_answer(result)

    def failure(self, error: ApiError) -> Answer:
        return json_answer({"code": error.code, "msg": error.message}, error.status)

    def refused(self, refusal: Refusal) -> ApiError:
        return refusal_error(refusal)

    def no_such_route(self, call: Call) -> ApiError:
        return no_such_path(call.path, call.method)

    def outside_the_window(self) -> ApiError:
        return BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")

    def some_rejection(self) -> ApiError:
        return BinanceError(-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit.")

    def banned(self, status: int, remaining_seconds: float) -> Answer:
        until_ms = wall_clock_ms() + int(remaining_seconds * 1000)
        text = _BANNED.format(until_ms=until_ms) if status == 418 else _TOO_MANY
        answer = self.failure(BinanceError(-1003, text, status))
        return Answer(answer.status, answer.content, {"Retry-After": str(ceil(remaining_seconds))})

    def server_error(self, status: int | None) -> Answer:
        unknown = "Unknown error, please check your request or try again later."
        return self.failure(BinanceError(-1000, unknown, status or 503))
