"""Bitget's codes and texts."""

from venue_sim.dialects.rest import ApiError, Texts, words_of
from venue_sim.refusals import Reason, Refusal


class BitgetError(ApiError):
    """An error as Bitget puts it: `{"code": ..., "msg": ..., "requestTime": ..., "data": null}`."""

    def __init__(self, code: int | str, message: str, status: int = 400) -> None:
        super().__init__(code, message, status)


_NO_POSITION = ("22002", "No position to close")

_TEXTS: Texts = {
    Reason.UNKNOWN_SYMBOL: lambda symbol: ("40034", f"Parameter {symbol} does not exist"),
    Reason.QUANTITY_NOT_POSITIVE: ("40020", "Parameter size error"),
    Reason.QUANTITY_STEP: ("40808", "Parameter verification exception size checkBDScale error"),
    Reason.QUANTITY_BELOW_MIN: ("45111", "less than the minimum order quantity"),
    Reason.QUANTITY_ABOVE_MAX: ("45112", "more than the maximum order quantity"),
    Reason.NOTIONAL_BELOW_MIN: lambda least: ("45110", f"less than the minimum amount {least} USDT"),
    Reason.MARGIN_INSUFFICIENT: ("40762", "The order amount exceeds the balance"),
    Reason.REDUCE_ONLY_WITHOUT_POSITION: _NO_POSITION,
    Reason.REDUCE_ONLY_SAME_SIDE: _NO_POSITION,
    Reason.DUPLICATE_CLIENT_ID: ("40786", "Duplicate clientOid"),
    Reason.ORDER_NOT_FOUND: (
        "40109",
        "The data of the order cannot be found, please confirm the order number",
    ),
    Reason.ORDER_NOT_OPEN: ("22001", "No order to cancel"),
    Reason.POSITION_MODE_MISMATCH: (
        "40774",
        "The order type for unilateral position must also be the unilateral position type.",
    ),
    Reason.POSITION_MODE_WITH_POSITION: ("40920", "Position or order exists, the position mode cannot be switched"),
    Reason.LEVERAGE_OUT_OF_RANGE: ("40797", "Exceeded the maximum settable leverage"),
    Reason.MARGIN_MODE_WITH_POSITION: (
        "45117",
        "Currently holding positions or orders, the margin mode cannot be adjusted",
    ),
}


def refusal_error(refusal: Refusal) -> BitgetError:
    """The refusal in Bitget's words."""
    return BitgetError(*words_of(_TEXTS, refusal, ("40015", "System is abnormal, please try again later")))


def empty(name: str) -> BitgetError:
    """A mandatory parameter that is not there."""
    return BitgetError("40019", f"Parameter {name} cannot be empty")


def invalid(name: str) -> BitgetError:
    """A parameter that cannot be read."""
    return BitgetError("40020", f"Parameter {name} error")
