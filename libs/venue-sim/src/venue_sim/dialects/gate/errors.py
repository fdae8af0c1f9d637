"""Gate's labels and texts."""

from venue_sim.dialects.rest import ApiError, Texts, words_of
from venue_sim.refusals import Reason, Refusal


class GateError(ApiError):
    """An error as Gate puts it: `{"label": ..., "message": ...}`."""

    def __init__(self, code: int | str, message: str, status: int = 400) -> None:
        super().__init__(code, message, status)


_SIZE = ("INVALID_PARAM_VALUE", "Invalid request parameter `size`")

_TEXTS: Texts = {
    Reason.UNKNOWN_SYMBOL: ("CONTRACT_NOT_FOUND", "contract not found"),
    Reason.QUANTITY_NOT_POSITIVE: _SIZE,
    Reason.QUANTITY_STEP: _SIZE,
    Reason.QUANTITY_BELOW_MIN: ("SIZE_TOO_SMALL", "size too small"),
    Reason.QUANTITY_ABOVE_MAX: ("SIZE_TOO_LARGE", "size too large"),
    Reason.MARGIN_INSUFFICIENT: ("INSUFFICIENT_AVAILABLE", "insufficient available balance"),
    Reason.REDUCE_ONLY_WITHOUT_POSITION: ("REDUCE_EXCEEDED", "empty position"),
    Reason.REDUCE_ONLY_SAME_SIDE: ("REDUCE_EXCEEDED", "increase position"),
    # Assumed: how Gate answers an id that was there before is not known.
    Reason.DUPLICATE_CLIENT_ID: ("REPEATED_CREATION", "text already exists"),
    Reason.ORDER_NOT_FOUND: ("ORDER_NOT_FOUND", "order not found"),
    Reason.ORDER_NOT_OPEN: ("ORDER_FINISHED", "order finished"),
    Reason.POSITION_MODE_MISMATCH: ("POSITION_DUAL_MODE", "in dual mode"),
    Reason.POSITION_MODE_UNCHANGED: ("NO_CHANGE", "no change"),
    Reason.POSITION_MODE_WITH_POSITION: ("POSITION_HOLDING", "there are positions or open orders"),
    Reason.LEVERAGE_OUT_OF_RANGE: ("LEVERAGE_TOO_HIGH", "leverage too high"),
    Reason.MARGIN_MODE_WITH_POSITION: ("POSITION_HOLDING", "there are positions or open orders"),
}


def refusal_error(refusal: Refusal) -> GateError:
    """The refusal in Gate's words."""
    status = 404 if refusal.reason is Reason.ORDER_NOT_FOUND else 400
    return GateError(*words_of(_TEXTS, refusal, ("SERVER_ERROR", "Internal server error")), status)


def empty(name: str) -> GateError:
    """A mandatory parameter that is not there."""
    return GateError("MISSING_REQUIRED_PARAM", f"Missing required parameter: {name}")


def invalid(name: str) -> GateError:
    """A parameter that cannot be read."""
    return GateError("INVALID_PARAM_VALUE", f"Invalid request parameter `{name}`")
