"""Faults at Binance: what each request is about, and Binance's words for what goes wrong on the wire."""

from collections.abc import Mapping
from math import ceil

from venue_sim.dialects.binance.errors import BinanceError, refusal_error
from venue_sim.dialects.wire import Answer, Params, base_asset, json_answer, wall_clock_ms
from venue_sim.faults import EndpointClass, FaultKind, FaultSpec, Target
from venue_sim.refusals import Reason, Refusal

_CLASSES: Mapping[tuple[str, str], EndpointClass] = {
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
_REJECTIONS = {
    "margin": refusal_error(Refusal(Reason.MARGIN_INSUFFICIENT)),
    "reduce_only": refusal_error(Refusal(Reason.REDUCE_ONLY_WITHOUT_POSITION)),
    "generic": BinanceError(-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit."),
}
_BANNED = "Way too many requests; IP(127.0.0.1) banned until {until_ms}. Please use the websocket for live updates."
_TOO_MANY = "Too many requests; current limit of IP(127.0.0.1) is 2400 requests per minute."


def target_of(method: str, path: str, params: Params, *, signed: bool) -> Target:
    """What a request is about."""
    symbol = base_asset(params["symbol"]) if params.get("symbol") else None
    reduce_only = params.get("reduceOnly", "").lower() == "true"
    return Target(_CLASSES.get((method, path)), symbol, signed, reduce_only)


def fault_answer(fault: FaultSpec, remaining_seconds: float) -> Answer:
    """Binance's answer to a request that meets this fault."""
    match fault.kind:
        case FaultKind.BAN:
            return _ban(fault.status or 418, remaining_seconds)
        case FaultKind.SERVER_ERROR:
            unknown = BinanceError(-1000, "Unknown error, please check your request or try again later.")
            return _error(unknown, fault.status or 503)
        case FaultKind.MALFORMED:
            return Answer(200, b'{"orderId":8000000000,"symbol":"')
        case FaultKind.NONCE:
            return _error(BinanceError(-1021, "Timestamp for this request is outside of the recvWindow."))
        case FaultKind.DUPLICATE:
            return _error(refusal_error(Refusal(Reason.DUPLICATE_CLIENT_ID)))
        case FaultKind.REJECT:
            return _error(_REJECTIONS[fault.reason])
        case _:
            return json_answer({})


def _ban(status: int, remaining_seconds: float) -> Answer:
    until_ms = wall_clock_ms() + int(remaining_seconds * 1000)
    text = _BANNED.format(until_ms=until_ms) if status == 418 else _TOO_MANY
    answer = _error(BinanceError(-1003, text), status)
    return Answer(answer.status, answer.content, {"Retry-After": str(ceil(remaining_seconds))})


def _error(error: BinanceError, status: int | None = None) -> Answer:
    return json_answer({"code": error.code, "msg": error.message}, status or error.status)
