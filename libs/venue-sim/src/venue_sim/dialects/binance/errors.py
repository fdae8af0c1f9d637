"""Binance's error codes, texts and HTTP statuses."""

from decimal import Decimal

from venue_sim.dialects.rest import ApiError, Texts, words_of
from venue_sim.refusals import Reason, Refusal


class BinanceError(ApiError):
    """An error as Binance puts it: `{"code": ..., "msg": ...}` with an HTTP status."""

    def __init__(self, code: int | str, message: str, status: int = 400) -> None:
        super().__init__(code, message, status)


_ORDER_NOT_FOUND = (-2013, "Order does not exist.")
_REDUCE_ONLY = (-2022, "ReduceOnly Order is rejected.")

_TEXTS: Texts = {
    Reason.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    Reason.QUANTITY_NOT_POSITIVE: (-4003, "Quantity less than or equal to zero."),
    Reason.QUANTITY_STEP: lambda step: (
        (-1111, "Precision is over the maximum defined for this asset.")
        if Decimal(step).normalize().as_tuple().digits == (1,)
        else (-4023, "Qty not increased by step size.")
    ),
    Reason.QUANTITY_BELOW_MIN: (-4004, "Quantity less than min quantity."),
    Reason.QUANTITY_ABOVE_MAX: (-4005, "Quantity greater than max quantity."),
    Reason.NOTIONAL_BELOW_MIN: lambda limit: (
        -4164,
        f"Order's notional must be no smaller than {limit} (unless you choose reduce only).",
    ),
    Reason.MARGIN_INSUFFICIENT: (-2019, "Margin is insufficient."),
    Reason.REDUCE_ONLY_WITHOUT_POSITION: _REDUCE_ONLY,
    Reason.REDUCE_ONLY_SAME_SIDE: _REDUCE_ONLY,
    Reason.DUPLICATE_CLIENT_ID: (-4116, "ClientOrderId is duplicated."),
    Reason.ORDER_NOT_FOUND: _ORDER_NOT_FOUND,
    Reason.ORDER_NOT_OPEN: (-2011, "Unknown order sent."),
    Reason.POSITION_MODE_MISMATCH: (-4061, "Order's position side does not match user's setting."),
    Reason.POSITION_MODE_UNCHANGED: (-4059, "No need to change position side."),
    Reason.POSITION_MODE_WITH_POSITION: (
        -4068,
        "Position side cannot be changed if there exists position.",
    ),
    Reason.LEVERAGE_OUT_OF_RANGE: (-4028, "Leverage is not valid"),
    Reason.MARGIN_MODE_UNCHANGED: (-4046, "No need to change margin type."),
    Reason.MARGIN_MODE_WITH_POSITION: (-4048, "Margin type cannot be changed if there exists position."),
}


def refusal_error(refusal: Refusal) -> BinanceError:
    """The refusal in Binance's words."""
    return BinanceError(*words_of(_TEXTS, refusal, (-1000, "An unknown error occurred while processing the request.")))


def missing(name: str) -> BinanceError:
    """A parameter that is not there or cannot be read."""
    return BinanceError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def no_such_path(path: str, method: str) -> BinanceError:
    """An endpoint that Binance (or this simulator) does not have."""
    return BinanceError(-5000, f"Path {path}, Method {method} is invalid", 404)
