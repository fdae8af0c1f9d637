"""Bybit's return codes and texts. Bybit answers nearly every error with HTTP 200 and a `retCode`."""

from typing import Any

from venue_sim.dialects.rest import ApiError, Texts, words_of
from venue_sim.dialects.wire import Answer, json_answer, wall_clock_ms
from venue_sim.refusals import Reason, Refusal

PARAMETER_ERROR = 10001


class BybitError(ApiError):
    """An error as Bybit puts it: a `retCode` and a `retMsg`."""


_TOO_SMALL = (PARAMETER_ERROR, "The number of contracts exceeds minimum limit allowed")
_MARGIN_MODE = (3400045, "Set margin mode failed")

_TEXTS: Texts = {
    Reason.UNKNOWN_SYMBOL: lambda symbol: (
        PARAMETER_ERROR,
        f"params error: symbol invalid {symbol.removeprefix('?')}",
    ),
    Reason.QUANTITY_NOT_POSITIVE: _TOO_SMALL,
    Reason.QUANTITY_STEP: (PARAMETER_ERROR, "Qty invalid"),
    Reason.QUANTITY_BELOW_MIN: _TOO_SMALL,
    Reason.QUANTITY_ABOVE_MAX: (
        PARAMETER_ERROR,
        "The number of contracts exceeds maximum limit allowed: too large",
    ),
    Reason.NOTIONAL_BELOW_MIN: lambda limit: (
        110094,
        f"Order does not meet minimum order value {limit}USDT",
    ),
    Reason.MARGIN_INSUFFICIENT: (110007, "ab not enough for new order"),
    Reason.REDUCE_ONLY_WITHOUT_POSITION: (
        110017,
        "current position is zero, cannot fix reduce-only order qty",
    ),
    Reason.REDUCE_ONLY_SAME_SIDE: (110017, "Reduce-only rule not satisfied"),
    Reason.DUPLICATE_CLIENT_ID: (110072, "OrderLinkedID is duplicate"),
    Reason.ORDER_NOT_FOUND: (110001, "order not exists or too late to cancel"),
    Reason.ORDER_NOT_OPEN: (110001, "order not exists or too late to cancel"),
    Reason.POSITION_MODE_MISMATCH: (PARAMETER_ERROR, "position idx not match position mode"),
    Reason.POSITION_MODE_UNCHANGED: (110025, "Position mode is not modified"),
    Reason.POSITION_MODE_WITH_POSITION: (
        110024,
        "You have an existing position, so position mode cannot be switched",
    ),
    Reason.LEVERAGE_OUT_OF_RANGE: lambda limit: (
        110013,
        f"cannot set leverage gt maxLeverage [{limit}] by risk limit",
    ),
    Reason.LEVERAGE_UNCHANGED: (110043, "leverage not modified"),
    Reason.MARGIN_MODE_UNCHANGED: _MARGIN_MODE,
    Reason.MARGIN_MODE_WITH_POSITION: _MARGIN_MODE,
}


def refusal_error(refusal: Refusal) -> BybitError:
    """The refusal in Bybit's words."""
    return BybitError(*words_of(_TEXTS, refusal, (10016, "Server error.")))


def invalid(name: str) -> BybitError:
    """A parameter that is not there or cannot be read."""
    return BybitError(PARAMETER_ERROR, f"params error: {name} invalid")


def envelope(code: int | str, message: str, result: Any, status: int = 200) -> Answer:
    """What is around every answer of Bybit."""
    content = {
        "retCode": code,
        "retMsg": message,
        "result": result,
        "retExtInfo": {},
        "time": wall_clock_ms(),
    }
    return json_answer(content, status)
