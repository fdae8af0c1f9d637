"""Faults at Bybit: what each request is about, and Bybit's words for what goes wrong on the wire."""

from collections.abc import Mapping

from venue_sim.dialects.bybit.errors import BybitError, envelope, refusal_error
from venue_sim.dialects.wire import Answer, Params, base_asset, json_answer, wall_clock_ms
from venue_sim.faults import EndpointClass, FaultKind, FaultSpec, Target
from venue_sim.refusals import Reason, Refusal

_EXECUTIONS = ("GET", "/v5/execution/list")
_CLASSES: Mapping[tuple[str, str], EndpointClass] = {
    ("POST", "/v5/order/create"): EndpointClass.ORDER_CREATE,
    ("GET", "/v5/order/realtime"): EndpointClass.ORDER_QUERY,
    ("GET", "/v5/order/history"): EndpointClass.ORDER_QUERY,
    ("POST", "/v5/order/cancel"): EndpointClass.ORDER_CANCEL,
    ("GET", "/v5/market/orderbook"): EndpointClass.BOOK,
    ("GET", "/v5/position/list"): EndpointClass.POSITIONS,
    ("GET", "/v5/account/wallet-balance"): EndpointClass.BALANCE,
    _EXECUTIONS: EndpointClass.FILLS,
}
_REJECTIONS = {
    "margin": refusal_error(Refusal(Reason.MARGIN_INSUFFICIENT)),
    "reduce_only": refusal_error(Refusal(Reason.REDUCE_ONLY_WITHOUT_POSITION)),
    "generic": BybitError(110023, "Currently you can only reduce positions. Please check announcement."),
}


def target_of(method: str, path: str, params: Params, *, signed: bool) -> Target:
    """What a request is about; trades and funding are one list, told apart by what is asked for."""
    endpoint = _CLASSES.get((method, path))
    if (method, path) == _EXECUTIONS and params.get("execType") == "Funding":
        endpoint = EndpointClass.FUNDING
    symbol = base_asset(params["symbol"]) if params.get("symbol") else None
    return Target(endpoint, symbol, signed, reduce_only=params.get("reduceOnly", "") == "true")


def fault_answer(fault: FaultSpec, remaining_seconds: float) -> Answer:
    """Bybit's answer to a request that meets this fault."""
    match fault.kind:
        case FaultKind.BAN if fault.status == 429:
            return _too_many(remaining_seconds)
        case FaultKind.BAN:
            return Answer(403, b"access too frequent", {"Content-Type": "text/plain"})
        case FaultKind.SERVER_ERROR if fault.status is not None:
            return Answer(fault.status, b"<html><body>Bad gateway</body></html>", {"Content-Type": "text/html"})
        case FaultKind.SERVER_ERROR:
            return _error(BybitError(10016, "Server error."))
        case FaultKind.MALFORMED:
            return Answer(200, b'{"retCode":0,"retMsg":"OK","result":{"orderId":"')
        case FaultKind.NONCE:
            return _error(BybitError(10002, "invalid request, please check your server timestamp."))
        case FaultKind.DUPLICATE:
            return _error(refusal_error(Refusal(Reason.DUPLICATE_CLIENT_ID)))
        case FaultKind.REJECT:
            return _error(_REJECTIONS[fault.reason])
        case _:
            return json_answer({})


def _too_many(remaining_seconds: float) -> Answer:
    answer = _error(BybitError(10006, "Too many visits. Exceeded the API Rate Limit."))
    reset_ms = wall_clock_ms() + int(remaining_seconds * 1000)
    limits = {"X-Bapi-Limit": "10", "X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": str(reset_ms)}
    return Answer(answer.status, answer.content, limits)


def _error(error: BybitError) -> Answer:
    return envelope(error.code, error.message, {}, error.status)
