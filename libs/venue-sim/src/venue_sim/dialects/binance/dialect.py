"""Binance USD-M over HTTP: routing, request signatures, and errors in Binance's form.

A signed request carries `timestamp` and `signature` = HMAC-SHA256 of everything else in query and body, in the
order in which it was sent. The timestamp is checked against the real clock.
"""

import re
from collections.abc import Mapping

from venue_sim.account import Origin
from venue_sim.dialects.binance.account_endpoints import AccountEndpoints
from venue_sim.dialects.binance.errors import BinanceError, missing, no_such_path, refusal_error
from venue_sim.dialects.binance.faults import fault_answer, target_of
from venue_sim.dialects.binance.market_endpoints import MarketEndpoints
from venue_sim.dialects.binance.order_endpoints import OrderEndpoints
from venue_sim.dialects.wire import (
    Answer,
    Call,
    Credentials,
    Params,
    Route,
    json_answer,
    query_params,
    wall_clock_ms,
)
from venue_sim.faults import FaultSpec, Target
from venue_sim.refusals import Refusal
from venue_sim.venue import Venue, VenueRules

BINANCE_RULES = VenueRules(default_leverage=20, shrinks_reduce_only=False)
"""New symbols start at 20x. The part of a reduce-only order beyond the position expires."""

_CLOCK_AHEAD_MS = 1000
_RECV_WINDOW_DEFAULT_MS = 5000
_RECV_WINDOW_MAX_MS = 60_000
_SIGNATURE = re.compile(r"(^|&)signature=([^&]*)")


_FOREIGN_CLIENT_IDS = {
    Origin.OWNER: "web_{number:016d}",
    Origin.LIQUIDATION: "autoclose-{number:019d}",
    Origin.DELEVERAGING: "adl_autoclose",
}


class BinanceIdentifiers:
    """Binance's ids are integers."""

    def __init__(self, venue: str) -> None:
        self._venue = venue

    def order(self, number: int) -> str:
        return str(8_000_000_000 + number)

    def fill(self, number: int) -> str:
        return str(1_500_000_000 + number)

    def payment(self, number: int) -> str:
        return str(9_600_000_000 + number)

    def foreign_client_id(self, origin: Origin, number: int) -> str:
        return _FOREIGN_CLIENT_IDS[origin].format(number=number)


class BinanceDialect:
    """Answers Binance's REST calls for one venue."""

    def __init__(self, venue: Venue, credentials: Credentials) -> None:
        self._credentials = credentials
        market, orders, account = MarketEndpoints(venue), OrderEndpoints(venue), AccountEndpoints(venue)
        self._routes: Mapping[tuple[str, str], Route] = {
            **{key: Route(endpoint, signed=False) for key, endpoint in market.routes().items()},
            **{key: Route(endpoint, signed=True) for key, endpoint in orders.routes().items()},
            **{key: Route(endpoint, signed=True) for key, endpoint in account.routes().items()},
        }

    def answer(self, call: Call) -> Answer:
        try:
            return self._answer(call)
        except Refusal as refusal:
            error = refusal_error(refusal)
        except BinanceError as binance_error:
            error = binance_error
        return json_answer({"code": error.code, "msg": error.message}, error.status)

    def target(self, call: Call) -> Target:
        route = self._routes.get((call.method, call.path))
        params = {**query_params(call.query), **query_params(call.body.decode(errors="replace"))}
        return target_of(call.method, call.path, params, signed=route is not None and route.signed)

    def fault_answer(self, fault: FaultSpec, remaining_seconds: float) -> Answer:
        return fault_answer(fault, remaining_seconds)

    def _answer(self, call: Call) -> Answer:
        route = self._routes.get((call.method, call.path))
        if route is None:
            raise no_such_path(call.path, call.method)
        try:
            body = call.body.decode()
        except UnicodeDecodeError as error:
            raise BinanceError(-1100, "Illegal characters found in a parameter.") from error
        params = {**query_params(call.query), **query_params(body)}
        if route.signed:
            self._verify(params, call.query, body, call.headers.get("x-mbx-apikey", ""))
        return json_answer(route.endpoint(params, call))

    def _verify(self, params: Params, query: str, body: str, key: str) -> None:
        if not key:
            raise BinanceError(-2014, "API-key format invalid.", 401)
        if key != self._credentials.key:
            raise BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        if not params.get("signature"):
            raise missing("signature")
        payload = _SIGNATURE.sub("", query) + _SIGNATURE.sub("", body)
        if not self._credentials.signs(payload, params["signature"]):
            raise BinanceError(-1022, "Signature for this request is not valid.")
        _check_timestamp(params)


def _check_timestamp(params: Params) -> None:
    timestamp, window = params.get("timestamp", ""), params.get("recvWindow", str(_RECV_WINDOW_DEFAULT_MS))
    if not _is_integer(timestamp):
        raise missing("timestamp")
    if not _is_integer(window) or not 0 < int(window) <= _RECV_WINDOW_MAX_MS:
        raise BinanceError(-1131, f"recvWindow must be less than {_RECV_WINDOW_MAX_MS}")
    now = wall_clock_ms()
    if int(timestamp) > now + _CLOCK_AHEAD_MS:
        raise BinanceError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if int(timestamp) < now - int(window):
        raise BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")


def _is_integer(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= 18
