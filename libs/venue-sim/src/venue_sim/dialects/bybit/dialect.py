"""Bybit v5 over HTTP: routing, request signatures, and the envelope around every answer.

A signed request carries X-BAPI-SIGN = HMAC-SHA256 of timestamp, key, receive window and the raw query (GET) or
the raw body (POST). The timestamp is checked against the real clock.
"""

import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from venue_sim.account import Origin
from venue_sim.dialects.bybit.account_endpoints import AccountEndpoints
from venue_sim.dialects.bybit.errors import PARAMETER_ERROR, BybitError, envelope, refusal_error
from venue_sim.dialects.bybit.faults import fault_answer, target_of
from venue_sim.dialects.bybit.market_endpoints import MarketEndpoints
from venue_sim.dialects.bybit.order_endpoints import OrderEndpoints
from venue_sim.dialects.wire import (
    Answer,
    Call,
    Credentials,
    Params,
    Route,
    query_params,
    wall_clock_ms,
)
from venue_sim.faults import FaultSpec, Target
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


class BybitDialect:
    """Answers Bybit's v5 REST calls for one venue."""

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
            return envelope(0, "OK", self._result(call))
        except Refusal as refusal:
            error = refusal_error(refusal)
        except BybitError as bybit_error:
            error = bybit_error
        return envelope(error.code, error.message, {}, error.status)

    def target(self, call: Call) -> Target:
        route = self._routes.get((call.method, call.path))
        try:
            params = query_params(call.query) if call.method == "GET" else _body_params(call.body)
        except BybitError:
            params = {}
        return target_of(call.method, call.path, params, signed=route is not None and route.signed)

    def fault_answer(self, fault: FaultSpec, remaining_seconds: float) -> Answer:
        return fault_answer(fault, remaining_seconds)

    def _result(self, call: Call) -> Any:
        route = self._routes.get((call.method, call.path))
        if route is None:
            raise BybitError(10017, "Route not found.", 404)
        if route.signed:
            self._verify(call)
        params = query_params(call.query) if call.method == "GET" else _body_params(call.body)
        return route.endpoint(params, call)

    def _verify(self, call: Call) -> None:
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


def _check_timestamp(timestamp: str, window: str) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and window.isascii() and window.isdigit()):
        raise BybitError(PARAMETER_ERROR, "params error: timestamp invalid")
    now = wall_clock_ms()
    if not now - int(window) <= int(timestamp) < now + _CLOCK_AHEAD_MS:
        raise BybitError(
            10002,
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{timestamp}],server_timestamp[{now}],recv_window[{window}]",
        )


def _body_params(body: bytes) -> Params:
    try:
        content = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise BybitError(PARAMETER_ERROR, "Json params parsing error") from error
    if not isinstance(content, dict):
        raise BybitError(PARAMETER_ERROR, "Json params parsing error")
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in content.items()
        if value is not None
    }
