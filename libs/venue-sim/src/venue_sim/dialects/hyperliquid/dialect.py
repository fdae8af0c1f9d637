"""Hyperliquid over HTTP: readings at /info by their `type`, and at /exchange actions that a wallet signed.

Who signed is recovered from the signature, which covers the action, its nonce and its deadline (see `signing`); it must
be the account's own wallet or its agent. A nonce is used once, and is a moment of the real clock: neither two days old
nor a day ahead.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import orjson

from venue_sim.dialects.hyperliquid.account_endpoints import AccountEndpoints
from venue_sim.dialects.hyperliquid.action_endpoints import ActionEndpoints, action_params
from venue_sim.dialects.hyperliquid.errors import (
    ActionError,
    HyperliquidError,
    NothingError,
    UnreadableError,
    refusal_text,
)
from venue_sim.dialects.hyperliquid.fields import symbol_at
from venue_sim.dialects.hyperliquid.market_endpoints import MarketEndpoints
from venue_sim.dialects.hyperliquid.own_orders import HyperliquidOrders
from venue_sim.dialects.hyperliquid.signing import address_of, signer
from venue_sim.dialects.identifiers import NumberedIdentifiers
from venue_sim.dialects.rest import ApiError, RestDialect, json_params
from venue_sim.dialects.wire import Answer, Call, Credentials, Params, json_answer, wall_clock_ms
from venue_sim.faults import EndpointClass
from venue_sim.refusals import Refusal
from venue_sim.venue import Venue, VenueRules

HYPERLIQUID_RULES = VenueRules(default_leverage=20, shrinks_reduce_only=False)
"""A reduce-only order beyond the position fills the position; the rest of it is cancelled."""

_READ, _ACT = ("POST", "/info"), ("POST", "/exchange")
_CLASSES_BY_TYPE = {
    "order": EndpointClass.ORDER_CREATE,
    "cancelByCloid": EndpointClass.ORDER_CANCEL,
    "orderStatus": EndpointClass.ORDER_QUERY,
    "openOrders": EndpointClass.ORDER_QUERY,
    "l2Book": EndpointClass.BOOK,
    "clearinghouseState": EndpointClass.POSITIONS,
    "userFills": EndpointClass.FILLS,
    "userFillsByTime": EndpointClass.FILLS,
    "userFunding": EndpointClass.FUNDING,
}
_DAY_MS = 86_400_000
_NONCES_KEPT = 100


class HyperliquidIdentifiers(NumberedIdentifiers):
    """Ids are numbers; a settlement has none."""

    orders_from = 90_542_681_000
    fills_from = 118_906_512_037_000


class HyperliquidDialect(RestDialect):
    """Answers Hyperliquid's calls for one venue. The key is the account's address, the secret a private key."""

    classes: ClassVar[Mapping[tuple[str, str], EndpointClass]] = {}
    half_an_answer = b'{"status":"ok","response":{"type":"order","data":{"statuses":[{"filled":{"totalSz":"'

    def __init__(self, venue: Venue, credentials: Credentials) -> None:
        self._venue = venue
        self._wallet = address_of(credentials.secret)
        account = AccountEndpoints(venue, credentials.key, self._wallet)
        self._readings = {**MarketEndpoints(venue).readings(), **account.readings()}
        self._actions = ActionEndpoints(venue).actions()
        self._nonces: set[int] = set()
        self.own_orders = HyperliquidOrders(credentials.key)
        super().__init__({_READ: self._read}, {_ACT: self._act})

    def params(self, call: Call) -> Params:
        if call.path != "/exchange":
            return json_params(call.body, UnreadableError())
        return action_params(_request(call)["action"])

    def verify(self, call: Call, params: Params) -> None:
        request = _request(call)
        nonce, deadline_ms = _moment(request, "nonce"), _moment(request, "expiresAfter")
        vault, signature = request.get("vaultAddress"), request.get("signature")
        if nonce is None or not isinstance(signature, Mapping):
            raise UnreadableError
        try:
            signed_by = signer(request["action"], nonce, vault, deadline_ms, signature)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise HyperliquidError("Unable to recover signer.") from error
        if signed_by != self._wallet or vault is not None:
            raise HyperliquidError(f"User or API Wallet {signed_by} does not exist.")
        self._use(nonce)
        if deadline_ms is not None and deadline_ms < wall_clock_ms():
            raise HyperliquidError(f"Action expired: expiresAfter {deadline_ms}")

    def symbol(self, params: Params) -> str | None:
        asset = params.get("a", params.get("asset"))
        return params.get("coin") if asset is None else symbol_at(self._venue, asset)

    def class_of(self, call: Call, params: Params) -> EndpointClass | None:
        return _CLASSES_BY_TYPE.get(params.get("type", ""))

    def success(self, result: object) -> Answer:
        return json_answer(result)

    def failure(self, error: ApiError) -> Answer:
        if isinstance(error, ActionError):
            statuses = [{"error": error.message}]
            return json_answer({"status": "ok", "response": {"type": error.kind, "data": {"statuses": statuses}}})
        if isinstance(error, UnreadableError | NothingError):
            return Answer(error.status, error.message.encode())
        return json_answer({"status": "err", "response": error.message}, error.status)

    def order_failure(self, error: ApiError) -> Answer:
        return self.failure(ActionError("order", error.message, asset=0))

    def refused(self, refusal: Refusal) -> ApiError:
        return HyperliquidError(refusal_text(refusal))

    def no_such_route(self, call: Call) -> ApiError:
        error = HyperliquidError("Not Found")
        error.status = 404
        return error

    def outside_the_window(self) -> ApiError:
        now = wall_clock_ms()
        return HyperliquidError(f"Invalid nonce: nonce too low {now - 3 * _DAY_MS} < {now - 2 * _DAY_MS}")

    def some_rejection(self) -> ApiError:
        return HyperliquidError("Order would increase open interest too quickly.")

    def banned(self, status: int, remaining_seconds: float) -> Answer:
        """A limit and a ban are worded alike, and without an end."""
        return Answer(status, b"null")

    def server_error(self, status: int | None) -> Answer:
        if status is None:
            return Answer(500, b"null")
        return Answer(status, b"<html><body>Bad gateway</body></html>", {"Content-Type": "text/html"})

    def _read(self, params: Params, call: Call) -> Any:
        reading = self._readings.get(params.get("type", ""))
        if reading is None:
            raise UnreadableError
        return reading(params, call)

    def _act(self, params: Params, call: Call) -> Any:
        action = self._actions.get(params["type"])
        if action is None:
            raise UnreadableError
        return action(params, call)

    def _use(self, nonce: int) -> None:
        """The venue keeps the highest nonces of a wallet: a new one is above the lowest of them, and not among them."""
        now = wall_clock_ms()
        least = max([now - 2 * _DAY_MS, *([min(self._nonces)] if len(self._nonces) == _NONCES_KEPT else [])])
        if nonce in self._nonces:
            raise HyperliquidError(f"Invalid nonce: duplicate nonce {nonce}")
        if nonce <= least:
            raise HyperliquidError(f"Invalid nonce: nonce too low {nonce} < {least}")
        if nonce > now + _DAY_MS:
            raise HyperliquidError(f"Invalid nonce: nonce too high {nonce} > {now + _DAY_MS}")
        self._nonces = set(sorted({*self._nonces, nonce})[-_NONCES_KEPT:])


def _request(call: Call) -> Mapping[str, Any]:
    try:
        content = orjson.loads(call.body)
    except orjson.JSONDecodeError as error:
        raise UnreadableError from error
    if not isinstance(content, dict) or not isinstance(content.get("action"), dict):
        raise UnreadableError
    return content


def _moment(request: Mapping[str, Any], name: str) -> int | None:
    """Milliseconds since 1970, or None where they are not given."""
    value = request.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 63:
        raise UnreadableError
    return value
